"""Calls of soap_server.py by zeep. usage: soap_client.py http[s]://localhost:PORT [CAFILE]"""
import hashlib, sys

import requests, zeep

session = requests.Session()
session.trust_env = False
if len(sys.argv) > 2:
    session.verify = sys.argv[2]
client = zeep.Client(sys.argv[1] + "/?wsdl", transport=zeep.Transport(session=session, timeout=100, operation_timeout=100))
# spyne's contract names who asked for it first.
client.service._binding_options["address"] = sys.argv[1] + "/"
for item, count in [("tea", 2), ("naïve café 茶", 3), ("x" * 3000, 200)]:
    answer = client.service.order(item, count)
    print(len(answer), hashlib.sha256("\n".join(answer).encode()).hexdigest())
try:
    client.service.order("tea", -1)
except zeep.exceptions.Fault as fault:
    print(fault.code, fault.message)
