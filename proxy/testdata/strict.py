"""Verifies as Python 3.13 does and has its word echoed: PORT NAME AUTHORITY VERSION..."""
import socket, ssl, sys

port, name, authority = sys.argv[1:4]
for version in sys.argv[4:]:
    ctx = ssl.create_default_context(cafile=authority)
    ctx.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    ctx.minimum_version = ctx.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    with ctx.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 50), server_hostname=name) as s:
        s.sendall(b"hello")
        print(s.version(), s.recv(5).decode())
