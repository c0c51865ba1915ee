"""Makes the calls of one SOAP sample; the case is the first argument."""

import socket
import sys
import xmlrpc.client

case = sys.argv[1]

if case in ("soap11", "soap12", "username-token", "username-digest"):
    import zeep
    from zeep.wsse.username import UsernameToken

    wsse = None
    if case.startswith("username"):
        wsse = UsernameToken("alice", "secret1", use_digest=case.endswith("digest"))
    port = 8012 if case == "soap12" else 8011
    client = zeep.Client("http://server.example:%d/?wsdl" % port, wsse=wsse)
    print(client.service.GetQuote("IBM"))
    if wsse is None:
        print(client.service.History("IBM", 12))
        for symbol in ("NONE", "DOWN"):
            try:
                client.service.GetQuote(symbol)
            except zeep.exceptions.Fault as fault:
                print(fault.code, fault.message)

elif case == "replay":
    # Somebody else on the wire sends a call again, as it was, nonce and all.
    import http.client
    import time
    import zeep
    from zeep.wsse.username import UsernameToken

    class Overheard(zeep.Transport):
        def post(self, address, message, headers):
            self.call = message, headers
            return super().post(address, message, headers)

    ears = Overheard()
    client = zeep.Client("http://server.example:8011/?wsdl", wsse=UsernameToken("alice", "secret1", use_digest=True), transport=ears)
    print(client.service.GetQuote("IBM"))
    time.sleep(2)
    thief = http.client.HTTPConnection("server.example", 8011, source_address=("192.0.2.66", 0))
    thief.request("POST", "/", *ears.call)
    print(thief.getresponse().read())
    thief.close()

elif case == "xml-rpc":
    proxy = xmlrpc.client.ServerProxy("http://server.example:8020/")
    print(proxy.divide(7, 2), proxy.system.listMethods())
    try:
        proxy.divide(1, 0)
    except xmlrpc.client.Fault as fault:
        print(fault)

elif case == "async-reply":
    import threading
    import urllib.request
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Callback(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = HTTPServer(("192.0.2.10", 8040), Callback)
    waiting = threading.Thread(target=server.handle_request)
    waiting.start()
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>'
        "<a:MessageID>urn:uuid:00000000-0000-4000-8000-00000000000a</a:MessageID><a:To>http://server.example:8030/async</a:To>"
        "<a:ReplyTo><a:Address>http://client.example:8040/replies</a:Address></a:ReplyTo>"
        "<a:Action>urn:stock.example#GetQuote</a:Action></s:Header><s:Body>"
        '<GetQuote xmlns="urn:stock.example"><symbol>IBM</symbol></GetQuote></s:Body></s:Envelope>'
    )
    fields = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"urn:stock.example#GetQuote"'}
    print(urllib.request.urlopen(urllib.request.Request("http://server.example:8030/async", envelope.encode(), fields)).status)
    waiting.join()

elif case == "pipelined":
    call = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        '<GetQuote xmlns="urn:stock.example"><symbol>%s</symbol></GetQuote></s:Body></s:Envelope>'
    )
    s = socket.create_connection(("server.example", 8030))
    out = b""
    for symbol, last in (("IBM", False), ("SUN", False), ("DEC", True)):
        body = (call % symbol).encode()
        out += b"POST /quotes HTTP/1.1\r\nHost: server.example:8030\r\nContent-Type: text/xml\r\n"
        out += b'SOAPAction: "urn:stock.example#GetQuote"\r\nContent-Length: %d\r\n' % len(body)
        out += (b"Connection: close\r\n" if last else b"") + b"\r\n" + body
    s.sendall(out)
    while s.recv(65536):
        pass
