# SPDX-License-Identifier: Apache-2.0
"""plain.py PORT - a message without TLS where TLS is spoken; prints what came back: an alert, the end or a reset."""
import socket
import sys

s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"<13>no TLS at all, but a long enough line\n")
s.settimeout(9)
try:
    print("answered" if s.recv(99) else "ended")
except ConnectionResetError:
    print("reset")
