"""aiosmtpd on port 25 (clear, STARTTLS) and with TLS on the port of every
profile."""
import asyncio
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from profiles import PROFILES, context

folder = sys.argv[1]


def smtp(**kw):
    return SMTP(Sink(), hostname="server.example", ident="ESMTP", **kw)


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: smtp(), "192.0.2.20", 2525)
    for port, name in ((25, "tls13"), (4052, "tls12-gcm")):
        ctx = context("server", name, folder)
        await loop.create_server(lambda ctx=ctx: smtp(tls_context=ctx), "192.0.2.20", port)
    for name, (port, *_) in PROFILES.items():
        await loop.create_server(lambda: smtp(), "192.0.2.20", port, ssl=context("server", name, folder))
    # For clients that do not log their keys.
    for port, name in ((4050, "tls12-gcm"), (4051, "tls13")):
        ctx = context("server", name, folder)
        ctx.keylog_filename = f"{folder}/keys-server"
        await loop.create_server(lambda: smtp(), "192.0.2.20", port, ssl=ctx)
    await asyncio.Event().wait()


asyncio.run(main())
