#!/usr/bin/env python3
"""Servers for the cases that a real mail server cannot be made to produce.

usage: server.py PORT CASE
"""
import asyncio
import sys

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

port, case = int(sys.argv[1]), sys.argv[2]


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if case == "shutdown" and envelope.rcpt_tos:
            return "421 4.3.2 server.example is shutting down"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if case == "lmtp":
            return "\r\n".join(
                "452 4.2.2 <%s> mailbox full" % r if r.startswith("full") else "250 2.0.0 <%s> uK2sNQoAAA Saved" % r
                for r in envelope.rcpt_tos)
        if case == "slow":
            await asyncio.sleep(30)
        if case == "spam":
            return "550 5.7.1 This message looks like spam"
        return "250 2.0.0 OK: queued"


class Controller(UnthreadedController):
    def factory(self):
        kind = LMTP if case == "lmtp" else SMTP
        return kind(self.handler, hostname="server.example", ident="aiosmtpd", enable_SMTPUTF8=True)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
c = Controller(Handler(), hostname="0.0.0.0", port=port, loop=loop)
c.begin()
loop.run_forever()
