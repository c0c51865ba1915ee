"""A mail server that keeps the messages that it takes as they came.

usage: keep_mail.py PORT FOLDER
"""
import sys
import time

from aiosmtpd.controller import Controller

port, folder = int(sys.argv[1]), sys.argv[2]


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        with open("%s/%d.eml" % (folder, Keep.count), "wb") as f:
            f.write(envelope.original_content)
        return "250 taken"


Controller(Keep(), hostname="127.0.0.1", port=port).start()
time.sleep(600)
