# SPDX-License-Identifier: Apache-2.0
"""send.py PORT NAME N - queries of dnsmasq for a name."""
import socket
import sys

port, name, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(n):
    s.sendto(b"<30>1 2026-03-01T22:14:%02dZ ns dnsmasq 211 - - query[A] %s from 10.1.1.5" % (i, name.encode()), ("127.0.0.1", port))
