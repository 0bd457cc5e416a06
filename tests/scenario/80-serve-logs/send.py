# SPDX-License-Identifier: Apache-2.0
"""send.py PORT - messages of several kinds by UDP and TCP: octet-counted and by lines, JSON, malformed JSON, nonsense."""
import socket
import sys

where = ("127.0.0.1", int(sys.argv[1]))
datagrams = [
    b"<38>Oct 11 22:14:15 web1 sshd[4721]: Failed password for root from 198.51.100.7 port 40022 ssh2",
    b"<165>1 2026-03-01T22:14:15.003Z gate.example.vn app 12 ID47 - one of RFC 5424",
    b'{"event_type":"alert","src_ip":"192.0.2.1","dest_ip":"198.51.100.2"}',
    b'{"cut": ',
]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for d in datagrams:
    s.sendto(d, where)
lines = [
    b"<13>Dec 31 23:59:59 clock app: last of the year",
    b"<13>Jan  1 00:00:01 clock app: first of the year",
]
t = socket.create_connection(where)
for i, line in enumerate(lines):
    t.sendall(line + b"\n" if i % 2 else b"%d %s" % (len(line), line))
t.sendall(b"no header at all")
t.close()
