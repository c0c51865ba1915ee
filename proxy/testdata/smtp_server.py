"""A mail server that keeps what it takes. usage: smtp_server.py PORT starttls|implicit PEM FOLDER"""
import hashlib, ssl, sys, time
from aiosmtpd.controller import Controller

port, mode, pem, folder = sys.argv[1:5]
ctx = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
ctx.load_cert_chain(pem)


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        with open(f"{folder}/{Keep.count}.eml", "wb") as f:
            f.write(repr((envelope.mail_from, envelope.rcpt_tos, bool(session.ssl))).encode() + b"\n" + envelope.content)
        return "250 taken " + hashlib.sha256(envelope.content).hexdigest()[:16]


if mode == "implicit":
    c = Controller(Keep(), hostname="127.0.0.1", port=int(port), ssl_context=ctx)
else:
    c = Controller(Keep(), hostname="127.0.0.1", port=int(port), tls_context=ctx)
c.start()
time.sleep(600)
