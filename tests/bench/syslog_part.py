# SPDX-License-Identifier: Apache-2.0
"""The part `syslog` of tests/bench/run: RFC 5424 over loopback TCP into the node and into rsyslogd, the same sender.

The node parses, matches with a list of 1 M addresses, journals, indexes and seals; rsyslogd (imtcp, omfile with its own
defaults) parses and writes a file. CPU seconds are those of the receiving process, from /proc, until all is on disk.
BENCH_MESSAGES (2097152): how many; two segments of the store.

Beside them, of the same lines in the same run: what steps cost by themselves that no such store can leave out (log_parts.c).
A fifth of rsyslogd's own nanoseconds a line is what the wanted ratio leaves for all of them together.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

MESSAGES = int(os.environ.get("BENCH_MESSAGES", str(2 << 20)))


def free_tcp_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def family(pid):
    """A process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [pid] + [int(c) for c in f.read().split()]


def wait_quiet(pids, is_done, limit_s=600):
    """Until @is_done and the processes have used nothing for a second."""
    ends, before = time.monotonic() + limit_s, -1.0
    while time.monotonic() < ends:
        now = sum(cpu_of(p) for p in pids)
        if is_done() and now - before < 0.02:
            return now
        before = now
        time.sleep(1)
    raise RuntimeError("not done in time")


def send(build, port, framing):
    out = subprocess.run([os.path.join(build, "syslog_send"), str(port), str(MESSAGES), framing], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)


def wait_port(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("nobody listens")


class Lines:
    """How many lines a growing file has."""

    def __init__(self, path):
        self.path, self.n, self.at = path, 0, 0

    def count(self):
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.at)
                while piece := f.read(1 << 22):
                    self.n += piece.count(b"\n")
                    self.at += len(piece)
        return self.n


def rsyslogd(base, build, framing, is_synced):
    port, home = free_tcp_port(), os.path.join(base, f"rsyslog-{framing}-{is_synced}")
    os.makedirs(home)
    out, conf = os.path.join(home, "out.log"), os.path.join(home, "rsyslog.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f'global(workDirectory="{home}" maxMessageSize="64k")\nmodule(load="imtcp")\n'
                f'input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="all")\n'
                f'ruleset(name="all") {{ action(type="omfile" file="{out}" sync="{"on" if is_synced else "off"}") }}\n')
    lines = Lines(out)
    p = subprocess.Popen(["rsyslogd", "-n", "-f", conf, "-i", os.path.join(home, "pid")], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        wait_port(port)
        before = cpu_of(p.pid)
        sent = send(build, port, framing)
        cpu = wait_quiet([p.pid], lambda: lines.count() >= MESSAGES) - before
    finally:
        stop(p)
    kept, size = lines.count(), os.path.getsize(out)
    shutil.rmtree(home)
    return {"kept": kept, "cpu_s": cpu, "on_disk": size, **sent}


def has_journals(data):
    folder = os.path.join(data, "store", "journals")
    return any(os.path.getsize(os.path.join(folder, n)) > 4096 for n in os.listdir(folder))


def node(base, build, vonggac, framing, list_file):
    port, data, config = free_tcp_port(), os.path.join(base, f"logs-{framing}"), os.path.join(base, "logs.yaml")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"user: root\ngroup: root\nintake:\n  logs:\n    - listen: 127.0.0.1:{port}\n      transport: tcp\n"
                "store:\n  seal_after: 5s\n")
    p = subprocess.Popen([vonggac, "--data", data, "serve", "--config", config], stderr=subprocess.DEVNULL)
    try:
        wait_port(port)
        subprocess.run([vonggac, "--data", data, "list", "add", "bots", list_file], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        pids = family(p.pid)
        before = wait_quiet(pids, lambda: True)
        sent = send(build, port, framing)
        cpu = wait_quiet(pids, lambda: not has_journals(data)) - before
    finally:
        stop(p)
    count = subprocess.run([vonggac, "--data", data, "query", "* | count", "--format", "csv"], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split()[-1]
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(os.path.join(data, "store")) for f in fs)
    shutil.rmtree(data)
    return {"kept": int(count), "cpu_s": cpu, "on_disk": size, **sent}


def steps(base, build, budget_ns, report):
    """What is left of the budget when the steps are paid that cannot be left out."""
    lines, store = os.path.join(base, "steps.log"), os.path.join(base, "steps")
    os.makedirs(store)
    subprocess.run([os.path.join(build, "syslog_send"), lines, "400000", "lines"], check=True, stdout=subprocess.DEVNULL)
    out = subprocess.run([os.path.join(build, "log_parts"), lines, store, "3"], check=True, stdout=subprocess.PIPE, text=True).stdout
    ns = json.loads(out)
    os.unlink(lines)
    shutil.rmtree(store)
    for name, what in (("copy", "the text copied once"), ("zstd_fast_5", "zstd of the text at its quickest (-5)"), ("zstd_1", "zstd of the text, level 1"),
                       ("hash_words", "words cut and hashed, no table, byte by byte"), ("index_words", "words into the index, 64 bytes at a time"),
                       ("decode", "decoded to fields"), ("decode_and_store", "decoded, journaled, packed, indexed, sealed")):
        print(f"   {what}: {ns[name]:.0f} ns a line, {ns[name] / budget_ns:.2f} of the budget", flush=True)
    least = ns["copy"] + ns["zstd_fast_5"] + min(ns["hash_words"], ns["index_words"]) + ns["decode"]
    report("copy, zstd -5, words hashed once, decoding: no less", f"{least:.0f} ns = {least / budget_ns:.1f}x the budget",
           f"{budget_ns:.0f} ns, all in all", "rsyslogd / 5")


def part(base, build, vonggac, report):
    if not shutil.which("rsyslogd"):
        report("RFC 5424 over TCP: stored and indexed", "skipped: no rsyslogd", ">= 5x rsyslogd")
        return
    bots = os.path.join(base, "bots.txt")
    subprocess.run([os.path.join(build, "flow_bench"), "list", "1000000", bots], check=True, stdout=subprocess.DEVNULL)
    for framing in ("counted", "lines"):
        ours = node(base, build, vonggac, framing, bots)
        plain, synced = (rsyslogd(base, build, framing, s) for s in (False, True))
        for name, r in (("node", ours), ("rsyslogd", plain), ("rsyslogd sync", synced)):
            print(f"   {name}, {framing}: kept {r['kept']} of {r['messages']}, {r['cpu_s']:.2f} s CPU, "
                  f"{r['on_disk'] / r['messages']:.0f} bytes each on disk of {r['bytes'] / r['messages']:.0f}", flush=True)
        rates = [r["messages"] / max(r["cpu_s"], 0.01) for r in (ours, plain, synced)]
        ratio, whole = rates[0] / rates[1], ours["kept"] == ours["messages"]
        budget_ns = 1e9 / rates[1] / 5
        report(f"RFC 5424 over TCP ({framing}): matched, stored, indexed", f"{rates[0] / 1e3:.0f} k events/CPU-s = {ratio:.2f}x",
               ">= 5x rsyslogd", f"rsyslogd {rates[1] / 1e3:.0f} k, with sync {rates[2] / 1e3:.0f} k", ratio >= 5 and whole)
    steps(base, build, budget_ns, report)
