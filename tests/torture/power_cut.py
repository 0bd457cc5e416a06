#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""power_cut.py PROGRAM [ROUNDS] - the power goes while a node takes flows in, files are imported and lists are added.

Everything lies on a small ext4 of its own (a file, mounted where only this test sees it). At a random moment that file
system is shut down at once (EXT4_IOC_SHUTDOWN without flushing its log): whatever was not synced by then is gone, as if
the power had gone; the processes are killed; it is mounted again and its own journal replayed. Then:

  - the store opens and verifies; no flow is there twice;
  - every import and every list version that was acknowledged is there whole; any other wholly or not at all;
  - every flow sent more than GRACE_S before the cut is there;
  - the node starts again.

What it does not show: a disk that lies about its flushes, or tears a sector.
VONGGAC_ROUNDS overrides ROUNDS; VONGGAC_SEED repeats a run. Needs root and loop devices: else 77 and the reason.
"""
import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

GRACE_S = 2.0          # a power cut may cost one second; the rest is for a busy machine
SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), linux/fs/ext4
NO_LOG_FLUSH = 2
IMAGE_BYTES = 96 << 20
FLOWS = 10             # of a datagram
IMPORT_ROWS = 300


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def run(*command, check=True):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=check)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def datagram(first):
    """NetFlow v5 (Cisco NetFlow Export Datagram Format, tables B-3 and B-4); the serial stands in the byte counter."""
    p = struct.pack(">HHIIIIBBH", 5, FLOWS, 3600000, 1700000000, 0, first, 0, 0, 0)
    for i in range(FLOWS):
        p += struct.pack(">4s4sIHHIIIIHHBBBBHHBBH", bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2]), 0, 0, 0, 1, first + i + 1,
                         3500000, 3500100, 1234, 80, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    return p


class Round:
    def __init__(self, program, number, rng):
        self.program, self.number, self.rng = program, number, rng
        self.dir = tempfile.mkdtemp(prefix="vonggac-power-")
        self.image, self.disk = os.path.join(self.dir, "image"), os.path.join(self.dir, "disk")
        self.data = os.path.join(self.disk, "data")
        self.port, self.is_over = free_port(), False
        self.sent = []      # (time, first serial)
        self.imported = {}  # number: acknowledged
        self.versions = 0   # of the list, acknowledged
        self.tried = 0

    def command(self, *words):
        return [self.program, *words, "--data", self.data]

    def mount(self):
        run("mount", "-o", "loop", self.image, self.disk)

    def unmount(self):
        for _ in range(100):  # until the killed processes are gone
            if run("umount", self.disk, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("somebody holds the disk")

    def make_disk(self):
        with open(self.image, "wb") as f:
            f.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", self.image)
        os.mkdir(self.disk)
        self.mount()
        os.mkdir(self.data)
        with open(os.path.join(self.dir, "node.yaml"), "w", encoding="utf-8") as f:
            f.write(f"user: root\ngroup: root\nintake:\n  netflow:\n    - listen: 127.0.0.1:{self.port}\n      receivers: 1\n"
                    "store:\n  seal_after: 1s\nfindings:\n  flush: 1s\n")
        subprocess.run(["sync", "-f", self.disk], check=True)

    def serve(self):
        log = open(os.path.join(self.dir, "node.err"), "ab")
        node = subprocess.Popen(self.command("serve", "--config", os.path.join(self.dir, "node.yaml")), stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)
        for _ in range(200):
            if "is_running,,true" in run(*self.command("status", "--format", "csv"), check=False).stdout:
                return node
            time.sleep(0.05)
        raise AssertionError("the node does not run: " + self.said())

    def said(self):
        with open(os.path.join(self.dir, "node.err"), encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def send(self):
        serial = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while not self.is_over:
                s.sendto(datagram(serial), ("127.0.0.1", self.port))
                self.sent.append((time.monotonic(), serial))
                serial += FLOWS
                time.sleep(0.005)

    def import_files(self):
        number = 0
        while not self.is_over:
            path = os.path.join(self.dir, f"import-{number}.binetflow")
            with open(path, "w", encoding="utf-8") as f:
                f.write("StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n")
                for i in range(IMPORT_ROWS):
                    f.write(f"2024/01/02 03:04:05.000000,1,tcp,10.8.{number >> 8}.{number & 255},1,->,10.7.0.1,2,S_,0,0,1,{i + 1},{i + 1},x\n")
            self.imported[number] = False
            done = run(*self.command("import", "flows", path), check=False)
            if done.returncode == 0 and not self.is_over:
                self.imported[number] = True
            number += 1

    def add_lists(self):
        while not self.is_over:
            path = os.path.join(self.dir, "list.txt")
            self.tried += 1
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"192.0.2.{self.tried % 250}\n203.0.113.{self.tried // 250}\n")
            if run(*self.command("list", "add", "bots", path), check=False).returncode == 0 and not self.is_over:
                self.versions = self.tried
            time.sleep(0.05)

    def cut(self):
        """What was acknowledged before `is_over` was set counts; then the power goes."""
        fd = os.open(self.disk, os.O_RDONLY)
        self.is_over = True
        at = time.monotonic()
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)
        return at

    def csv(self, question):
        done = subprocess.run(self.command("query", question, "--format", "csv"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, f"query ended with {done.returncode}: {done.stderr}"
        return done.stdout.split("\n")[1:-1]

    def check(self, cut_at):
        done = run(*self.command("store", "verify"), check=False)
        assert done.returncode == 0, "store verify: " + done.stdout
        live = [int(line) for line in self.csv("source.ip : 10.9.0.1 | fields source.bytes")]
        assert len(live) == len(set(live)), "a flow is there twice"
        due = {first + i + 1 for at, first in self.sent if at < cut_at - GRACE_S for i in range(FLOWS)}
        assert due <= set(live), f"{len(due - set(live))} of {len(due)} flows are missing that were sent {GRACE_S} s before"
        assert set(live) <= {first + i + 1 for _, first in self.sent for i in range(FLOWS)}, "a flow that was never sent"
        rows = {}
        for line in self.csv("source.ip : 10.8.0.0/16 | fields source.ip, source.bytes"):
            address, serial = line.split(",")
            rows.setdefault(address, []).append(int(serial))
        for number, is_acknowledged in self.imported.items():
            got = sorted(rows.pop(f"10.8.{number >> 8}.{number & 255}", []))
            assert got in ([], list(range(1, IMPORT_ROWS + 1))), f"import {number} is there in part: {len(got)} rows"
            assert got or not is_acknowledged, f"import {number} was acknowledged and is gone"
        assert not rows, f"rows of nobody: {rows}"
        shown = run(*self.command("list", "show", "--format", "csv"), check=False)
        assert shown.returncode == 0, "list show: " + shown.stdout
        version = int(shown.stdout.split("\n")[1].split(",")[1]) if self.versions else 0
        assert self.versions <= version or not self.versions, f"list version {self.versions} was acknowledged, {version} is current"
        return len(live), len(due), sum(self.imported.values()), self.versions

    def play(self):
        self.make_disk()
        node = self.serve()
        threads = [threading.Thread(target=t) for t in (self.send, self.import_files, self.add_lists)]
        for t in threads:
            t.start()
        time.sleep(self.rng.uniform(2.5, 6))
        cut_at = self.cut()
        os.killpg(node.pid, 9)
        node.wait()
        for t in threads:
            t.join()
        self.unmount()
        self.mount()
        found = self.check(cut_at)
        node = self.serve()
        node.terminate()
        assert node.wait(20) == 0, "the node does not end: " + self.said()
        self.check(cut_at)
        return found

    def close(self):
        subprocess.run(["umount", "-l", self.disk], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    if os.geteuid():
        skip("needs root")
    if not shutil.which("mkfs.ext4") or not shutil.which("unshare"):
        skip("mkfs.ext4 or unshare is not installed")
    if os.environ.get("VONGGAC_POWER_CUT_INSIDE") != "1":
        if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            skip("no mount namespaces here")
        os.environ["VONGGAC_POWER_CUT_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    program = os.path.abspath(sys.argv[1])
    rounds = int(os.environ.get("VONGGAC_ROUNDS") or (sys.argv[2] if len(sys.argv) > 2 else 2))
    seed = int(os.environ.get("VONGGAC_SEED") or 1)
    for number in range(rounds):
        r = Round(program, number, random.Random(seed * 1000003 + number))
        try:
            try:
                live, due, imports, versions = r.play()
            except subprocess.CalledProcessError as e:
                if number == 0 and e.cmd[0] in ("mount", "mkfs.ext4"):
                    skip(f"{' '.join(e.cmd[:2])} does not work here: {e.stdout.strip()}")
                raise
            print(f"round {number}: {live} flows ({due} due), {imports} imports and {versions} list versions acknowledged", flush=True)
        except AssertionError as e:
            print(f"round {number} of seed {seed}: {e}\n{r.said()}")
            sys.exit(1)
        finally:
            r.is_over = True
            r.close()


main()
