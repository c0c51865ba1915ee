#!/usr/bin/env python3
"""A name server that answers from a zone file, UDP only.

usage: nameserver.py ADDRESS ZONE

It is the authority for everything: names that the zone does not hold do not
exist. Needs python3-dnspython.
"""
import socket
import sys

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.zone

zone = dns.zone.from_file(sys.argv[2], origin=".", relativize=False, check_origin=False)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
while True:
    packet, peer = s.recvfrom(4096)
    query = dns.message.from_wire(packet)
    answer = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    found = zone.get_rrset(question.name, question.rdtype) or zone.get_rrset(question.name, dns.rdatatype.CNAME)
    if found:
        answer.answer.append(found)
    elif not any(name.is_subdomain(question.name) for name in zone):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    s.sendto(answer.to_wire(max_size=4096), peer)
