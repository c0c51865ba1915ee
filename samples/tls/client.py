"""Sends one mail: client.py FOLDER clear | starttls [PORT [resume]] | PROFILE [resume].

With resume, the same dialogue is had twice, the second time in a resumed
session."""
import socket
import sys

from profiles import PROFILES, context

folder, name = sys.argv[1:3]
LINES = [
    "EHLO client.example",
    "MAIL FROM:<alice@client.example>",
    "RCPT TO:<bob@server.example>",
    "DATA",
    "From: alice@client.example\r\nTo: bob@server.example\r\nSubject: Minutes\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
    "Message-ID: <1@client.example>\r\n\r\n" + "The minutes of the meeting, line by line.\r\n" * 20 + ".",
    "QUIT",
]


def say(f, sock, lines):
    def answer():
        while True:
            line = f.readline()
            if not line or line[3:4] == b" ":
                return
    answer()
    for line in lines:
        sock.sendall(line.encode() + b"\r\n")
        answer()


def close(sock):
    try:
        sock.unwrap()
    except OSError:
        pass
    sock.close()


if name == "clear":
    s = socket.create_connection(("192.0.2.20", 2525))
    say(s.makefile("rb"), s, LINES)
    s.close()
elif name == "starttls":
    port = int((sys.argv[3:] or [25])[0])
    ctx, session = context("client", "tls12-gcm" if port == 4052 else "tls13", folder), None
    for _ in [1] + sys.argv[4:]:
        s = socket.create_connection(("192.0.2.20", port))
        say(s.makefile("rb"), s, [LINES[0], "STARTTLS"])
        s = ctx.wrap_socket(s, server_hostname="server.example", session=session)
        f = s.makefile("rb")
        for line in LINES:
            s.sendall(line.encode() + b"\r\n")
            while (a := f.readline()) and a[3:4] != b" ":
                pass
        session = s.session
        close(s)
else:
    ctx, session = context("client", name, folder), None
    for _ in sys.argv[2:]:
        s = socket.create_connection(("192.0.2.20", PROFILES[name][0]))
        s = ctx.wrap_socket(s, server_hostname="server.example", session=session)
        say(s.makefile("rb"), s, LINES)
        session = s.session
        close(s)
