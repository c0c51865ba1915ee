"""The services that the SOAP samples are recorded from: spyne on 8011 (SOAP
1.1) and 8012 (SOAP 1.2), Python's XML-RPC on 8020, a mail server on 25, and on 8030 a plain web
server with the answers that real services give when something else fails:
an error page, a gzipped and a chunked envelope, 202 for a one-way call, 401,
202 with the answer posted to ReplyTo a moment later, a WDDX packet, and a fault
for a message that has expired."""

import gzip
import logging
import re
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from xmlrpc.client import Fault as RPCFault
from xmlrpc.server import SimpleXMLRPCServer

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from spyne import Application, Fault, Float, Integer, Iterable, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

logging.disable(logging.CRITICAL)


class Stock(ServiceBase):
    @rpc(Unicode, _returns=Float)
    def GetQuote(ctx, symbol):
        if symbol == "NONE":
            raise Fault("Client.UnknownSymbol", "no such symbol: NONE")
        if symbol == "DOWN":
            raise RuntimeError("the exchange cannot be reached")
        return 172.5

    @rpc(Unicode, Integer, _returns=Iterable(Unicode))
    def History(ctx, symbol, days):
        time.sleep(0.05)
        for day in range(days or 0):
            yield "%s on day %d: %.2f" % (symbol, day, 170 + day / 4)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *args):
        pass


def spyne(port, protocol):
    app = Application([Stock], "urn:stock.example", in_protocol=protocol(validator="lxml"), out_protocol=protocol())
    return make_server("192.0.2.20", port, WsgiApplication(app), Server, Quiet)


ANSWER = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<GetQuoteResponse xmlns="urn:stock.example"><GetQuoteResult>172.5</GetQuoteResult></GetQuoteResponse>'
    "</s:Body></s:Envelope>\n"
).encode()


WDDX = (
    b"<?xml version='1.0'?><wddxPacket version='1.0'><header/><data><struct>"
    b"<var name='symbol'><string>IBM</string></var><var name='quote'><number>172.5</number></var>"
    b"<var name='open'><boolean value='true'/></var></struct></data></wddxPacket>"
)

EXPIRED = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
    b'<faultcode xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">w:MessageExpired</faultcode>'
    b"<faultstring>The message has expired</faultstring></s:Fault></s:Body></s:Envelope>"
)


def expired(call):
    """Tells whether the Timestamp of a message lies in the past."""
    expires = re.search(rb"Expires>([^<]*)<", call).group(1).decode()
    return expires < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


WSA = "http://www.w3.org/2005/08/addressing"


def reply_later(call):
    """Posts the answer to where the call's ReplyTo points."""
    message = re.search(rb"MessageID>([^<]*)<", call).group(1).decode()
    where = re.search(rb"ReplyTo>\s*<\w+:Address>([^<]*)<", call).group(1).decode()
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="%s"><s:Header>'
        "<a:MessageID>urn:uuid:00000000-0000-4000-8000-00000000000b</a:MessageID><a:RelatesTo>%s</a:RelatesTo>"
        "<a:Action>urn:stock.example#GetQuoteResponse</a:Action></s:Header><s:Body>"
        '<GetQuoteResponse xmlns="urn:stock.example"><GetQuoteResult>172.5</GetQuoteResult></GetQuoteResponse>'
        "</s:Body></s:Envelope>" % (WSA, message)
    )
    time.sleep(0.2)
    fields = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"urn:stock.example#GetQuoteResponse"'}
    urllib.request.urlopen(urllib.request.Request(where, envelope.encode(), fields)).read()


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, kind, data, **fields):
        self.send_response(status)
        if data:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path.startswith("/private") and self.headers.get("Authorization") != "Basic Ym9iOnNlY3JldDE=":
            self.reply(401, "text/plain", b"who are you?\n", WWW_Authenticate='Basic realm="stock"')
        elif self.path.startswith("/missing"):
            self.reply(404, "text/html", b"<!DOCTYPE html><h1>Not here</h1>\n")
        else:
            self.reply(200, "text/html; charset=utf-8", b"<!DOCTYPE html><title>Stock</title><h1>Quotes</h1>\n" * 3)

    def do_POST(self):
        if self.headers.get("Transfer-Encoding"):
            while (size := int(self.rfile.readline().split(b";")[0], 16)) > 0:
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            call = self.body()
        if self.path == "/async":
            threading.Thread(target=reply_later, args=(call,)).start()
            self.reply(202, "", b"")
        elif self.path == "/html":
            self.reply(503, "text/html", b"<!DOCTYPE html><title>503</title><h1>Service Unavailable</h1><p>Maintenance until 6:00.</p>\n")
        elif self.path == "/gzip":
            self.reply(200, "text/xml; charset=utf-8", gzip.compress(ANSWER, mtime=0), Content_Encoding="gzip")
        elif self.path == "/oneway":
            self.reply(202, "", b"")
        elif self.path == "/wddx":
            self.reply(200, "text/xml", WDDX)
        elif self.path == "/secure" and expired(call):
            self.reply(500, "text/xml", EXPIRED)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER[:120])
            self.close_connection = True
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(ANSWER), 100):
                piece = ANSWER[i : i + 100]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")


def divide(a, b):
    if b == 0:
        raise RPCFault(8, "division by zero")
    return a / b


if __name__ == "__main__":
    xmlrpc = SimpleXMLRPCServer(("192.0.2.20", 8020), logRequests=False)
    xmlrpc.register_function(divide)
    xmlrpc.register_introspection_functions()
    Controller(Sink(), hostname="192.0.2.20", port=25, server_hostname="server.example").start()
    servers = [spyne(8011, Soap11), spyne(8012, Soap12), xmlrpc, ThreadingHTTPServer(("192.0.2.20", 8030), Front)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()
