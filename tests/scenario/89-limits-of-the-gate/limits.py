# SPDX-License-Identifier: Apache-2.0
"""limits.py PORT - connections that never shake hands, too many of one address, one that is idle; HTTP headers without end."""
import socket
import ssl
import sys

port = int(sys.argv[1])


def connect(address):
    s = socket.create_connection((address, port))
    s.settimeout(15)
    return s


def ended(s):
    """Whether the other side closes, whatever it says before."""
    try:
        while s.recv(1000):
            pass
        return True
    except (ConnectionResetError, ssl.SSLError):
        return True
    except socket.timeout:
        return False


context = ssl.create_default_context(cafile="ca.crt")
context.check_hostname = False
silent = [connect("127.0.0.1"), connect("127.0.0.1")]
third = connect("127.0.0.1")
print("third:", ended(third))
print("silent:", ended(silent[0]), ended(silent[1]))
idle = context.wrap_socket(connect("127.0.0.1"))
idle.sendall(b"<13>then nothing\n")
print("idle:", ended(idle))
many = [context.wrap_socket(connect("127.0.0.2")) for _ in range(2)]
refused = connect("127.0.0.2")
try:
    context.wrap_socket(refused)
    print("refused: no")
except (ssl.SSLError, ConnectionResetError, OSError):
    print("refused: True")
