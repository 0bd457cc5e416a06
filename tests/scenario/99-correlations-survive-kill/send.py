# SPDX-License-Identifier: Apache-2.0
"""send.py PORT ADDRESS FROM N - refused passwords of sshd, a second apart."""
import socket
import sys

port, address, start, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(start, start + n):
    s.sendto(b"<38>1 2026-03-01T22:14:%02dZ web1 sshd %d - - Failed password for root from %s port 40022 ssh2" %
             (i, 4000 + i, address.encode()), ("127.0.0.1", port))
