#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""send.py PORT FROM TO_NET FIRST N DPORT - N NetFlow v5 records of a lone SYN each, from FROM to TO_NET.FIRST..., ended now."""
import socket
import struct
import sys
import time

port, source, net, first, n, dport = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
now = time.time()
records = [struct.pack("!4s4s4sHHIIIIHHBBBBHHBBH", socket.inet_aton(source), socket.inet_aton(f"{net}.{first + i}"), bytes(4), 0, 0,
                       1, 40, 99000, 99000, 40000 + i, dport, 0, 2, 6, 0, 0, 0, 0, 0, 0) for i in range(n)]
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sequence = 0
while records:
    some, records = records[:24], records[24:]
    head = struct.pack("!HHIIIIBBH", 5, len(some), 100000, int(now), int(now % 1 * 1e9), sequence, 0, 0, 0)
    sequence += len(some)
    out.sendto(head + b"".join(some), ("127.0.0.1", port))
