#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests.py - runs what ./test asks for and adds it up.

  --check                run tools/check.sh
  --meson DIR            every test Meson knows in this build directory (may be repeated)
  --suite NAME           only this suite of the --meson directories that follow it ("" = all but soak-only)
  --scenario PROGRAM     the scenario tests against this program
  --browser DIR          the web console built in DIR, in headless Chromium (with --scenario against that program too)
  --fuzz DIR             every libFuzzer target of this build directory, --fuzz-seconds each
  --jobs N               at a time (default: processors)
  --timeout S            per test program

Every cmocka test counts as one; so does every program without a count of its own, every scenario, every
check and every fuzz target. The output of what fails is shown, the reason of what is skipped too.
Last line: N passed, N failed, N skipped. Exit 1 if anything failed or nothing ran.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
CMOCKA = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test\(s\)", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test\(s\)", re.M),
}
TAP = re.compile(r"^(ok|not ok|skip) (.*)$", re.M)
SKIPPED_BECAUSE = re.compile(r"^.*\bskipped: .*$", re.M | re.I)
SKIP_STATUS = 77
SHOWN_LINES = 80


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def environment(extra):
    env = dict(os.environ)
    env.setdefault("VONGGAC_SHARED", os.path.join(ROOT, "..", "shared"))
    env["VONGGAC_SOURCE"] = ROOT
    env["LC_ALL"] = "C.UTF-8"
    env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1:" + env.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1:" + env.get("UBSAN_OPTIONS", "")
    env["TSAN_OPTIONS"] = "halt_on_error=1:" + env.get("TSAN_OPTIONS", "")
    env.update(extra)
    env.update({k: v for k, v in os.environ.items() if k.startswith("VONGGAC_")})  # the caller knows better than the build
    return env


def run(command, env, cwd, timeout):
    """(status, output, seconds); status None means that it ran out of time."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
        out, _ = process.communicate()
        status = None
    return status, out.decode("utf-8", "replace"), time.monotonic() - started


def judge(status, out):
    """(passed, failed, skipped) of one program's output."""
    if status is None:
        return 0, 1, 0
    count = {k: sum(int(n) for n in v.findall(out)) for k, v in CMOCKA.items()}
    if any(count.values()):
        failed = count["failed"]
        if status not in (0, SKIP_STATUS) and not failed:
            failed = 1  # it died after or between its tests
        return count["passed"], failed, count["skipped"]
    if status == SKIP_STATUS:
        return 0, 0, 1
    return (1, 0, 0) if status == 0 else (0, 1, 0)


def show(name, status, out, seconds, totals):
    passed, failed, skipped = judge(status, out)
    totals.add(passed, failed, skipped)
    word = "not ok" if failed else "skip" if skipped and not passed else "ok"
    print(f"{word} {name} ({passed} passed, {failed} failed, {skipped} skipped; {seconds:.1f} s)", flush=True)
    if skipped:
        reasons = SKIPPED_BECAUSE.findall(out) or ["skipped: the test gave no reason"]
        for reason in sorted(set(reasons))[:20]:
            print("  " + reason.strip(), flush=True)
    if failed:
        if status is None:
            print("  ran out of time", flush=True)
        elif status < 0:
            print(f"  killed by signal {-status}", flush=True)
        lines = out.split("\n")
        for line in lines[-SHOWN_LINES:]:
            print("  " + line, flush=True)


def meson_tests(build, suite):
    listed = subprocess.run(["meson", "introspect", "--tests", build], check=True, stdout=subprocess.PIPE).stdout
    for t in json.loads(listed):
        suites = {s.split(":")[-1] for s in t.get("suite", [])}
        if suite and suite not in suites:
            continue
        if not suite and "soak-only" in suites:
            continue
        yield t


def run_meson(builds, args, totals):
    jobs = []
    for build, suite in builds:
        label = os.path.basename(os.path.normpath(build))
        for t in meson_tests(build, suite):
            extra = dict(t.get("env", {}))
            if label == "tsan":
                extra.setdefault("VONGGAC_ROUNDS", "3")  # ten times slower; races show in any round
            jobs.append((f"{label}: {t['name']}", t["cmd"], environment(extra), t.get("workdir") or build,
                         max(args.timeout, t.get("timeout", 30))))
    if builds and not jobs:
        print(f"not ok no test in {', '.join(b for b, _ in builds)}")
        totals.add(failed=1)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(run, command, env, cwd, timeout): name for name, command, env, cwd, timeout in jobs}
        for done in concurrent.futures.as_completed(futures):
            show(futures[done], *done.result(), totals)


def run_lines(title, command, args, totals):
    """A program that prints ok / not ok / skip lines; those are counted."""
    status, out, seconds = run(command, environment({}), ROOT, args.timeout * 10)
    print(out, end="" if out.endswith("\n") or not out else "\n", flush=True)
    words = [found.group(1) for found in TAP.finditer(out)]
    failed = words.count("not ok")
    if status != 0 and not failed:
        print(f"not ok {title} ended with {'a time-out' if status is None else status} ({seconds:.1f} s)")
        failed = 1
    totals.add(words.count("ok"), failed, words.count("skip"))


def run_fuzz(build, args, totals):
    folder = os.path.join(build, "tests", "fuzz")
    targets = sorted(n for n in os.listdir(folder) if n.startswith("fuzz_") and os.access(os.path.join(folder, n), os.X_OK)
                     and os.path.isfile(os.path.join(folder, n))) if os.path.isdir(folder) else []
    if not targets:
        print(f"not ok no fuzz target in {folder}")
        totals.add(failed=1)
        return
    findings = os.path.join(build, "findings")
    os.makedirs(findings, exist_ok=True)

    def one(target):
        seeds = os.path.join(ROOT, "tests", "fuzz", "corpus", target[len("fuzz_"):])
        with tempfile.TemporaryDirectory() as grown:
            command = [os.path.join(folder, target), f"-max_total_time={args.fuzz_seconds}", "-timeout=20",
                       "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={findings}/{target}-", grown]
            command += [seeds] if os.path.isdir(seeds) else []
            if args.fuzz_seconds < 60:  # a test run: the same way through the inputs every time; `make fuzz` finds new ones
                command.append("-seed=1")
            return run(command, environment({}), build, args.fuzz_seconds + 120)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for target, (status, out, seconds) in zip(targets, pool.map(one, targets)):
            runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", out)
            word = "ok" if status == 0 else "not ok"
            print(f"{word} fuzz: {target[5:]} ({runs[1] if runs else '?'} inputs in {seconds:.0f} s)", flush=True)
            totals.add(passed=status == 0, failed=status != 0)
            if status != 0:
                for line in out.split("\n")[-SHOWN_LINES:]:
                    print("  " + line)
    if not os.listdir(findings):
        shutil.rmtree(findings)


class MesonAction(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        namespace.meson = (namespace.meson or []) + [(os.path.abspath(value), namespace.suite or "")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--suite", default="")
    parser.add_argument("--meson", action=MesonAction)
    parser.add_argument("--scenario")
    parser.add_argument("--browser")
    parser.add_argument("--fuzz")
    parser.add_argument("--fuzz-seconds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--timeout", type=int, default=300)
    args = parser.parse_args()
    totals = Totals()
    if args.check:
        run_lines("check", [os.path.join(ROOT, "tools", "check.sh")], args, totals)
    run_meson(args.meson or [], args, totals)
    if args.scenario:
        run_lines("scenario", [sys.executable, os.path.join(ROOT, "tests", "scenario", "run"), "--jobs", str(args.jobs),
                               os.path.abspath(args.scenario)], args, totals)
    if args.browser:
        if shutil.which("node"):
            run_lines("browser", ["node", os.path.join(ROOT, "tests", "browser", "run.mjs"), os.path.abspath(args.browser)] +
                      (["--program", os.path.abspath(args.scenario)] if args.scenario else []), args, totals)
        else:
            print("skip browser: Node.js is not installed")
            totals.add(skipped=1)
    if args.fuzz:
        run_fuzz(os.path.abspath(args.fuzz), args, totals)
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped", flush=True)
    sys.exit(1 if totals.failed or not totals.passed else 0)


main()
