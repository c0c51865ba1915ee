#!/usr/bin/env python3
"""A mail client that says what no ordinary one can be made to say.

usage: client.py HOST PORT CASE
"""
import smtplib
import socket
import ssl
import sys
from email.message import EmailMessage

host, port, case = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def message(n, size=0):
    m = EmailMessage()
    m["From"] = "Alice <alice@client.example>"
    m["To"] = "Bob <bob@server.example>"
    m["Subject"] = f"Message {n}"
    m["Message-ID"] = f"<{n}@client.example>"
    m["Date"] = "Thu, 01 Jan 2026 10:00:00 +0000"
    m.set_content(f"This is message {n}.\n.\n..two dots\n")
    if size:
        m.add_attachment(bytes(range(256)) * (size // 256), maintype="application", subtype="octet-stream", filename=f"data-{n}.bin")
    return m.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def stuffed(body):
    return body.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class Raw:
    def __init__(self):
        self.s = socket.create_connection((host, port))
        self.s.settimeout(10)
        self.f = self.s.makefile("rb")

    def reply(self):
        while True:
            line = self.f.readline()
            if not line or line[3:4] != b"-":
                return line

    def say(self, b, replies=1):
        self.s.sendall(b)
        return [self.reply() for _ in range(replies)]


if case == "several-messages":
    c = smtplib.SMTP(host, port, local_hostname="client.example")
    for n in range(1, 4):
        c.sendmail("alice@client.example", ["bob@server.example"], message(n))
    c.rset()
    c.sendmail("", ["bob@server.example"], message(4))
    c.quit()
elif case in ("next-server-full", "next-server-takes-it"):
    # As a mail server goes through the hosts of a domain (RFC 5321, section 5.1).
    to = "full@server.example" if case == "next-server-full" else "bob@server.example"
    for server in "192.0.2.21", "192.0.2.22", host:
        try:
            c = smtplib.SMTP(server, port, local_hostname="client.example", timeout=4)
            c.sendmail("alice@client.example", [to], message(1))
            c.quit()
            break
        except (OSError, smtplib.SMTPException):
            pass
elif case in ("starttls", "starttls-tls12", "implicit-tls"):
    # The key log is the one that SSLKEYLOGFILE names.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if case == "implicit-tls":
        c = smtplib.SMTP_SSL(host, port, local_hostname="client.example", context=context)
    else:
        if case == "starttls-tls12":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        c = smtplib.SMTP(host, port, local_hostname="client.example")
        c.starttls(context=context)
    c.login("alice", "wonderland")
    c.sendmail("alice@client.example", ["bob@server.example"], message(1, 4096))
    c.quit()
elif case in ("pipelined", "prdr", "bdat", "bdat-zero-last", "smuggling", "lost-in-data", "lost-after-dot", "refused-recipients"):
    r = Raw()
    r.reply()
    r.say(b"EHLO client.example\r\n")
    envelope = b"MAIL FROM:<alice@client.example>\r\nRCPT TO:<bob@server.example>\r\n"
    if case == "pipelined":
        r.say(envelope + b"RCPT TO:<carol@server.example>\r\nDATA\r\n", 4)
        r.say(stuffed(message(1)) + envelope + b"DATA\r\n", 4)
        r.say(stuffed(message(2)) + b"QUIT\r\n", 2)
    elif case == "refused-recipients":
        r.say(envelope + b"RCPT TO:<nobody@server.example>\r\nRCPT TO:<full@server.example>\r\n"
              b"RCPT TO:<grey@server.example>\r\nRCPT TO:<dave@elsewhere.example>\r\nDATA\r\n", 7)
        r.say(stuffed(message(1)))
        r.say(b"QUIT\r\n")
    elif case == "bdat":
        body = message(1, 8192)
        r.say(envelope, 2)
        for at in range(0, len(body), 4000):
            part = body[at:at + 4000]
            last = b" LAST" if at + 4000 >= len(body) else b""
            r.say(b"BDAT %d%s\r\n" % (len(part), last) + part)
        r.say(b"QUIT\r\n")
    elif case == "bdat-zero-last":
        body = message(1)
        r.say(envelope, 2)
        r.say(b"BDAT %d\r\n" % len(body) + body)
        r.say(b"BDAT 0 LAST\r\n")
        r.say(b"QUIT\r\n")
    elif case == "prdr":
        r.say(b"MAIL FROM:<alice@client.example> PRDR\r\n")
        r.say(b"RCPT TO:<bob@server.example>\r\nRCPT TO:<carol@server.example>\r\nDATA\r\n", 3)
        r.say(stuffed(message(1)), 4)  # 353, one for each recipient, the last
        r.say(b"QUIT\r\n")
    elif case == "smuggling":
        r.say(envelope + b"DATA\r\n", 3)
        evil = b"\n.\r\nMAIL FROM:<root@server.example>\r\nRCPT TO:<bob@server.example>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n"
        r.say(stuffed(message(1))[:-3] + evil)
        r.say(b"QUIT\r\n")
    elif case == "lost-in-data":
        r.say(envelope + b"DATA\r\n", 3)
        r.s.sendall(message(1)[:200])
    elif case == "lost-after-dot":
        r.say(envelope + b"DATA\r\n", 3)
        r.s.sendall(stuffed(message(1)))
    r.s.close()
elif case == "two-mails":
    c = smtplib.SMTP(host, port, local_hostname="client.example")
    c.sendmail("alice@client.example", ["bob@server.example"], message(1))
    try:
        c.sendmail("alice@client.example", ["bob@server.example"], message(2))
    except smtplib.SMTPException:
        pass
    c.quit()
elif case == "two-connections":
    first, second = Raw(), None
    first.reply()
    second = Raw()
    second.reply()
    for r in first, second:
        r.s.close()
elif case == "early-talker":
    r = Raw()
    r.say(b"EHLO client.example\r\nMAIL FROM:<alice@client.example>\r\nRCPT TO:<bob@server.example>\r\nQUIT\r\n", 5)
    r.s.close()
elif case == "utf8-sender":
    r = Raw()
    r.reply()
    r.say(b"EHLO client.example\r\n")
    r.say("MAIL FROM:<jürgen@client.example> SMTPUTF8\r\n".encode())
    r.say(b"QUIT\r\n")
    r.s.close()
elif case == "loop":
    received = "".join(
        f"Received: from {a}.example by {b}.example with ESMTP id {n};\r\n\tThu, 01 Jan 2026 10:00:{n:02} +0000\r\n"
        for n, (a, b) in reversed(list(enumerate([("east", "west"), ("west", "east")] * 6))))
    r = Raw()
    r.reply()
    r.say(b"EHLO client.example\r\n")
    for command in b"MAIL FROM:<alice@client.example>\r\n", b"RCPT TO:<bob@server.example>\r\n", b"DATA\r\n":
        r.say(command)
    r.say(received.encode() + stuffed(message(1)))
    r.say(b"QUIT\r\n")
    r.s.close()
elif case == "eager-data":
    # The message behind DATA, without waiting for the server's go-ahead.
    r = Raw()
    r.reply()
    r.say(b"EHLO client.example\r\n")
    r.say(b"MAIL FROM:<alice@client.example>\r\nRCPT TO:<bob@server.example>\r\nDATA\r\nSubject: Hello\r\n\r\nHello\r\n.\r\n", 3)
    r.s.close()
elif case == "idle":
    r = Raw()
    r.reply()
    r.say(b"EHLO client.example\r\n")
    r.reply()
    r.s.close()
elif case == "nonsense":
    r = Raw()
    r.reply()
    for command in b"HALLO client.example\r\n", b"SENDER alice@client.example\r\n", b"RECIPIENT bob@server.example\r\n":
        r.say(command)
    r.s.close()
elif case in ("http-client", "http-client-first"):
    r = Raw()
    if case == "http-client":
        r.reply()
    r.s.sendall(b"GET / HTTP/1.1\r\nHost: server.example\r\nAccept: */*\r\n\r\n")
    r.reply()
    r.reply()
    r.s.close()
elif case == "syntax":
    r = Raw()
    r.reply()
    for command in (b"MAIL FROM:<alice@client.example>\r\n", b"EHLO client.example\r\n", b"MAIL FROM: alice@client.example\r\n",
                    b"MAIL FROM:<alice@client.example> COLOUR=red\r\n", b"MAIL FROM:<alice@client.example>\r\n",
                    b"RCPT TO:<bob@@server.example>\r\n", b"RCPT TO:<bob@server.example>\r\n", b"QUIT\r\n"):
        r.say(command)
    r.s.close()
else:
    sys.exit("unknown case " + case)
