"""A SOAP service by spyne. usage: soap_server.py PORT [CERTIFICATE-AND-KEY]"""
import logging, ssl, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import Application, Fault, Integer, Iterable, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication


class Orders(ServiceBase):
    @rpc(Unicode, Integer, _returns=Iterable(Unicode))
    def order(ctx, item, count):
        if count < 0:
            raise Fault("Client.Count", "less than nothing was ordered")
        return ["%d: %s" % (i, item) for i in range(count)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


logging.disable(logging.CRITICAL)
app = WsgiApplication(Application([Orders], "urn:orders.test", in_protocol=Soap11(validator="lxml"), out_protocol=Soap11()))
server = make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet)
if len(sys.argv) > 2:
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(sys.argv[2])
    server.socket = ctx.wrap_socket(server.socket, server_side=True)
server.serve_forever()
