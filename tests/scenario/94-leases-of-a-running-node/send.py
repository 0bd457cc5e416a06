#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""send.py PORT BEHIND_S - port blocks of a carrier's gateway as IPFIX (RFC 8158), its clock so many seconds behind.

Eight subscribers get a block of 203.0.113.9 each; subscriber i gets ports 1024 + 1024 i. With "handover" as third word the first
block goes to subscriber 9.
"""
import socket
import struct
import sys
import time

port, behind = int(sys.argv[1]), int(sys.argv[2])
now = int(time.time()) - behind
FIELDS = [(323, 8), (230, 1), (8, 4), (225, 4), (361, 2), (362, 2)]
template = struct.pack("!HH", 300, len(FIELDS)) + b"".join(struct.pack("!HH", *f) for f in FIELDS)


def record(at_s, event, inside, first):
    return struct.pack("!QB4s4sHH", at_s * 1000, event, bytes([100, 64, 0, inside]), bytes([203, 0, 113, 9]), first, first + 1023)


def message(sequence, at_s, records):
    body = struct.pack("!HH", 2, 4 + len(template)) + template + struct.pack("!HH", 300, 4 + 21 * len(records)) + b"".join(records)
    return struct.pack("!HHIII", 10, 16 + len(body), at_s, sequence, 7) + body


s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", port))
if len(sys.argv) > 3:
    s.send(message(8, now, [record(now, 17, 0, 1024), record(now, 16, 9, 1024)]))
else:
    s.send(message(0, now, [record(now, 16, i, 1024 + 1024 * i) for i in range(8)]))
