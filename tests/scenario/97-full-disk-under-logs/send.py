# SPDX-License-Identifier: Apache-2.0
"""send.py PORT FROM TO - numbered lines by TCP, up to 20,000 a second; ends when all are sent."""
import socket
import sys
import time

port, at, end = (int(x) for x in sys.argv[1:])
s = socket.create_connection(("127.0.0.1", port))
while at < end:
    s.sendall(b"".join(b"<13>Oct 11 22:14:15 load app: number %d.\n" % k for k in range(at, min(at + 50, end))))
    at += 50
    time.sleep(0.0025)
s.shutdown(socket.SHUT_WR)
s.settimeout(60)
try:
    s.recv(1)  # the node closes when it has read all
except ConnectionResetError:
    pass
