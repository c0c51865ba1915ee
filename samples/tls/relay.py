"""Stands between a client and a server, and spoils their handshake once:
relay.py PORT SERVER-PORT cut | downgrade.

cut: the connection is closed within the server's first bytes. downgrade: TLS
1.3 is taken out of the client's hello, so that both agree on TLS 1.2.
"""
import socket
import sys
import threading

port, to, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
listener = socket.create_server(("192.0.2.20", port))
client, _ = listener.accept()
server = socket.create_connection(("192.0.2.20", to))
hello = client.recv(65536)
if how == "downgrade":
    versions = b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03"  # supported_versions: TLS 1.3, TLS 1.2
    assert versions in hello
    hello = hello.replace(versions, versions[:5] + b"\x03\x03\x03\x03")
server.sendall(hello)
if how == "cut":
    client.sendall(server.recv(600))
    client.close()
    sys.exit()


def back():
    while b := server.recv(65536):
        client.sendall(b)


threading.Thread(target=back, daemon=True).start()
while b := client.recv(65536):
    server.sendall(b)
