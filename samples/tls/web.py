"""A web server with TLS on port 443 that answers every POST with the body it
got, and a proxy on port 3128 that only knows CONNECT."""
import http.server
import socket
import socketserver
import sys
import threading

from profiles import context

folder = sys.argv[1]


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(there, self.connection))
            back.start()
            pump(self.connection, there)
            back.join()

    log_message = Echo.log_message


class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    pass


https = Threads(("192.0.2.20", 443), Echo)
https.socket = context("server", "tls13", folder).wrap_socket(https.socket, server_side=True)
threading.Thread(target=https.serve_forever).start()
Threads(("192.0.2.20", 3128), Proxy).serve_forever()
