# SPDX-License-Identifier: Apache-2.0
"""send.py PORT DATA - 3,000 numbered lines by TCP and as many by UDP, over two reloads; who is told that the other end goes
connects anew, as log senders do."""
import os
import select
import signal
import socket
import subprocess
import sys
import time

where, data = ("127.0.0.1", int(sys.argv[1])), sys.argv[2]
parent = int(subprocess.run(["pgrep", "-o", "-f", f"serve --config node.yaml --data {data}"], capture_output=True,
                            check=True).stdout)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
t = socket.create_connection(where)
n_connections = 1
for i in range(3000):
    if i in (1000, 2000):
        os.kill(parent, signal.SIGHUP)
    if select.select([t], [], [], 0)[0]:
        t.close()
        t = socket.create_connection(where)
        n_connections += 1
    t.sendall(b"<13>Oct 11 22:14:15 load app: number %d.\n" % i)
    u.sendto(b"<13>Oct 11 22:14:15 load app: number %d." % (3000 + i), where)
    time.sleep(0.002)
t.close()
print("again" if n_connections > 1 else "never")
