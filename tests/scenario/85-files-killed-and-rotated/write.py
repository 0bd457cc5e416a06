# SPDX-License-Identifier: Apache-2.0
"""write.py DIR DATA N - N numbered lines into DIR/app.log, renamed now and then; meanwhile the watch role is killed again
and again (its parent starts it anew)."""
import os
import signal
import subprocess
import sys
import threading
import time

folder, data, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
parent = subprocess.run(["pgrep", "-o", "-f", f"serve --config node.yaml --data {data}"], capture_output=True, check=True,
                        text=True).stdout.strip()
done, kills = threading.Event(), 0


def kill():
    global kills
    while not done.wait(0.7):
        for child in subprocess.run(["pgrep", "-P", parent], capture_output=True, text=True).stdout.split():
            os.kill(int(child), signal.SIGKILL)
            kills += 1


t = threading.Thread(target=kill)
t.start()
log = open(f"{folder}/app.log", "a")
for i in range(n):
    log.write(f"<13>Oct 11 22:14:15 here app: number {i}.\n")
    if i % 100 == 99:
        log.flush()
        time.sleep(0.02)
    if i % 7000 == 6999:
        log.close()
        for k in range(8, 0, -1):
            if os.path.exists(f"{folder}/app.log.{k}"):
                os.rename(f"{folder}/app.log.{k}", f"{folder}/app.log.{k + 1}")
        os.rename(f"{folder}/app.log", f"{folder}/app.log.1")
        log = open(f"{folder}/app.log", "a")
log.close()
done.set()
t.join()
print("killed" if kills > 2 else f"killed {kills} times only")
