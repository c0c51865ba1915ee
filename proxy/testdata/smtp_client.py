"""Sends mail in several ways over one connection. usage: smtp_client.py PORT [lmtp-]plain|starttls|implicit VERSION CAFILE"""
import smtplib, ssl, sys

port, mode, version, cafile = sys.argv[1:5]
ctx = ssl.create_default_context(cafile=cafile)
# What Python 3.13 checks by default.
ctx.verify_flags |= ssl.VERIFY_X509_STRICT
if version != "-":
    ctx.minimum_version = ctx.maximum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
lmtp = mode.startswith("lmtp-")
mode = mode.removeprefix("lmtp-")


class LMTPInTLS(smtplib.SMTP_SSL):
    ehlo_msg = "lhlo"


if mode == "implicit":
    s = (LMTPInTLS if lmtp else smtplib.SMTP_SSL)("localhost", int(port), local_hostname="me.test", context=ctx, timeout=100)
else:
    s = (smtplib.LMTP if lmtp else smtplib.SMTP)("localhost", int(port), local_hostname="me.test", timeout=100)
print(s.ehlo())
if mode == "starttls":
    print(s.starttls(context=ctx))
    print(s.ehlo())
for i in range(3):
    body = "Subject: %d\r\n\r\n" % i + ".dots\r\n" * 10 + "x" * 70 + "\r\n" + ("line %d\r\n" % i) * 20000
    print(s.mail("a@x.test"), s.rcpt("b@y.test"), s.rcpt("c@y.test"), s.data(body))
    if lmtp:  # each recipient has an answer of its own
        print(s.getreply())
print(s.docmd("BOGUS"), s.rset(), s.quit())
