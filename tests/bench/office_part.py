# SPDX-License-Identifier: Apache-2.0
"""The part `office` of tests/bench/run: a small authorised list of the API over HTTPS, 50 clients that keep their connections, by wrk.

Beside it the same with /api/v1/health, which asks nobody: the difference is what knowing the caller and asking the state cost.
CPU time per request of the office's process is printed too: it holds where other work disturbs the wall clock.
"""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

CLIENTS, SECONDS, THREADS = 50, int(os.environ.get("BENCH_OFFICE_SECONDS", "10")), 2
AT_LEAST_PER_S, P99_AT_MOST_MS = 2000, 50


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, method, path, body=None, **headers):
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", method=method, data=json.dumps(body).encode() if body else None,
                                     headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=30) as r:
        text = r.read()
        return r.headers, json.loads(text) if text else None


def wait_for(path, what, process):
    for _ in range(600):
        with open(path, encoding="utf-8") as f:
            if what in f.read():
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    with open(path, encoding="utf-8") as f:
        raise SystemExit(f"office: the node did not start:\n{f.read()}")


def token_of(port, first_password_file):
    with open(first_password_file, encoding="utf-8") as f:
        first = f.read().strip()
    later = "mot-mat-khau-de-do-2026"
    for password in (first, later):
        headers, session = ask(port, "POST", "/api/v1/session", {"login": "admin", "password": password})
        own = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": session["csrf"]}
        if password == first:
            ask(port, "POST", "/api/v1/settings/password", {"before": first, "after": later}, **own)
    for i in range(20):
        ask(port, "POST", "/api/v1/users", {"login": f"can.bo.{i}", "name": f"Cán bộ {i}"}, **own)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    return ask(port, "POST", "/api/v1/tokens", {"name": "bench", "scopes": ["user.read"], "expires_at": end}, **own)[1]["token"]


def cpu_s(parent):
    """CPU seconds of the office role, a child of the node."""
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                name, rest = f.read().rsplit(")", 1)
        except (OSError, ValueError):
            continue
        fields = rest.split()
        if name.endswith("(vonggac-office") and int(fields[1]) == parent:
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def load(port, path, token, parent):
    before = cpu_s(parent)
    out = subprocess.run(["wrk", "-t", str(THREADS), "-c", str(CLIENTS), "-d", f"{SECONDS}s", "--latency", "-H",
                          f"Authorization: Bearer {token}", f"https://127.0.0.1:{port}{path}"],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"office: {path} was refused:\n{out}")
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    p99_ms = float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
    n = int(re.search(r"(\d+) requests in", out)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), p99_ms, (cpu_s(parent) - before) / n * 1e6


def part(base, vonggac, report):
    if not shutil.which("wrk"):
        print("office: skipped: wrk is not installed")
        return
    port, other = free_port(), free_port()
    config, log, data = (os.path.join(base, name) for name in ("office.yaml", "office.err", "office"))
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"user: {os.environ.get('USER') or 'root'}\ngroup: root\nintake:\n  netflow:\n    - listen: 127.0.0.1:{other}\n"
                f"office:\n  listen: 127.0.0.1:{port}\n  requests_per_second: 1000000\n  connections_of_one: 200\n")
    with open(log, "wb") as err:
        node = subprocess.Popen([vonggac, "--data", data, "serve", "--config", config], stderr=err)
    try:
        wait_for(log, "office_ready", node)
        token = token_of(port, os.path.join(data, "office", "first-password"))
        for what, path in (("health", "/api/v1/health"), ("a list of 20", "/api/v1/users?limit=20")):
            per_s, p99_ms, cpu_us = load(port, path, token, node.pid)
            report(f"office: {what}, requests/s, {CLIENTS} clients, HTTPS", f"{per_s:.0f}", f"at least {AT_LEAST_PER_S}",
                   is_met=per_s >= AT_LEAST_PER_S)
            report(f"office: {what}, p99", f"{p99_ms:.1f} ms", f"at most {P99_AT_MOST_MS} ms", is_met=p99_ms <= P99_AT_MOST_MS)
            report(f"office: {what}, CPU of the office a request", f"{cpu_us:.0f} us", "")
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(30)
