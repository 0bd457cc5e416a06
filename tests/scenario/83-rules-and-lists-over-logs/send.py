# SPDX-License-Identifier: Apache-2.0
"""send.py PORT HOST USER ADDRESS N - refused passwords of sshd."""
import socket
import sys

port, host, user, address, n = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(n):
    s.sendto(b"<38>1 2026-03-01T22:14:%02dZ %s sshd %d - - Failed password for %s from %s port 40022 ssh2" %
             (i, host.encode(), 4000 + i, user.encode(), address.encode()), ("127.0.0.1", port))
