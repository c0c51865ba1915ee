#!/usr/bin/env python3
"""A switch of two ports that mirrors what passes to a third, with VLAN tags.

usage: mirror.py PORT PORT MIRROR TAG...

A TAG is TYPE:ID, the outermost first: 8100:42 is IEEE 802.1Q, 88a8:7 802.1ad.
"""
import select
import socket
import struct
import sys

names, tags = sys.argv[1:4], b""
for tag in sys.argv[4:]:
    kind, number = tag.split(":")
    tags += struct.pack("!HH", int(kind, 16), int(number))
ports = []
for name in names:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    port.bind((name, 0))
    ports.append(port)
first, second, mirror = ports
print("ready", flush=True)
while True:
    for port in select.select([first, second], [], [])[0]:
        frame, address = port.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING:
            continue
        # A frame with its tags may be longer than a port takes; hosts here
        # have an MTU that leaves room.
        mirror.send(frame[:12] + tags + frame[12:])
        (second if port is first else first).send(frame)
