# SPDX-License-Identifier: Apache-2.0
"""kill.py PORT DATA PROGRAM - numbered lines by TCP without pause; meanwhile every process of the node is killed.

Prints how many rows the node had acknowledged (journaled) before that; they must all be there afterwards.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

port, data, program = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def acknowledged():
    out = subprocess.run([program, "status", "--data", data, "--format", "json"], capture_output=True, check=True).stdout
    return json.loads(out)["store"]["rows_kept"]


def talk():
    s = socket.create_connection(("127.0.0.1", port))
    i = 0
    try:
        while True:
            s.sendall(b"".join(b"<13>Oct 11 22:14:15 load app: number %d.\n" % k for k in range(i, i + 50)))
            i += 50
    except OSError:
        pass


threading.Thread(target=talk, daemon=True).start()
while acknowledged() < 20000:
    time.sleep(0.05)
pids = [int(p) for p in subprocess.run(["pgrep", "-f", f"serve --config node.yaml --data {data}"], capture_output=True,
                                       check=True).stdout.split()]
kept = acknowledged()
for pid in pids:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
print(kept)
