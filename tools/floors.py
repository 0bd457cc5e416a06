#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""floors.py [--self-test] - includes never point up, and rooms of one floor never form a circle.

A room is a folder under src/ (src/watch/store is the room watch/store; the files directly in
src/watch are the room watch). FLOORS names every room's floor, from the ground up. A file may
include headers of its own room, of any lower floor and of rooms of its own floor, as long as
the rooms of one floor do not include each other in a circle. Includes name the path from src/.
"""
import os
import re
import sys
import tempfile

# The floors, from the ground. A room that is not named here is an error: decide where it stands.
FLOORS = [
    ["base"],
    ["format"],
    ["net"],
    ["watch", "watch/indicator", "watch/store", "watch/lease", "watch/detect", "watch/intake", "watch/query", "watch/hunt", "gate", "state", "lab"],
    ["web", "link"],
    ["desk"],
    ["node"],
    ["cli", "agent"],
]
FLOOR_OF = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}

# Pure rooms: bytes to values. What they may not include from the system, and why.
PURE_ROOM = "format"
IMPURE = re.compile(r"^(unistd|fcntl|sys/(socket|stat|mman|file|ioctl|epoll)|netinet/.*|pthread|syslog|time|sys/time|dirent)\.h$")
IMPURE_BASE = {"base/log.h", "base/file.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    """The room of a file or header path relative to src/: the longest named folder, or its folder."""
    folder = os.path.dirname(path)
    while folder:
        if folder in FLOOR_OF:
            return folder
        folder = os.path.dirname(folder)
    return os.path.dirname(path).split("/")[0]


def sources(src):
    for folder, _, names in os.walk(src):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), src)


def find_circle(edges):
    """One circle in {room: {room}}, as a list of rooms, or None."""
    done, path = set(), []

    def walk(room):
        if room in path:
            return path[path.index(room):] + [room]
        if room in done:
            return None
        path.append(room)
        for other in sorted(edges.get(room, ())):
            circle = walk(other)
            if circle:
                return circle
        path.pop()
        done.add(room)
        return None

    for room in sorted(edges):
        circle = walk(room)
        if circle:
            return circle
    return None


def check(src):
    faults, edges, witness = [], {}, {}
    for path in sources(src):
        here = room_of(path)
        if here not in FLOOR_OF:
            faults.append(f"src/{path}: room {here or '(src itself)'} has no floor; name it in tools/floors.py")
            continue
        with open(os.path.join(src, path), encoding="utf-8", errors="replace") as f:
            text = f.read()
        for found in INCLUDE.finditer(text):
            kind, header = found.groups()
            line = text.count("\n", 0, found.start()) + 1
            where = f"src/{path}:{line}"
            if kind == "<":
                if here == PURE_ROOM and IMPURE.match(header):
                    faults.append(f"{where}: format/ is pure; it may not include <{header}>")
                continue
            if ".." in header.split("/"):
                faults.append(f'{where}: "{header}": name headers from src/, not with ..')
                continue
            if not os.path.exists(os.path.join(src, header)):
                if not header.endswith(".gen.h"):
                    faults.append(f'{where}: "{header}" is not a header under src/ (name it from src/)')
                continue
            if here == PURE_ROOM and header in IMPURE_BASE:
                faults.append(f'{where}: format/ is pure; it may not include "{header}"')
            there = room_of(header)
            if there == here or there not in FLOOR_OF:
                continue
            if FLOOR_OF[there] > FLOOR_OF[here]:
                faults.append(f'{where}: {here} includes "{header}" of a higher floor')
            elif FLOOR_OF[there] == FLOOR_OF[here]:
                edges.setdefault(here, set()).add(there)
                witness.setdefault((here, there), where)
    circle = find_circle(edges)
    if circle:
        steps = ", ".join(f"{a} -> {b} ({witness[a, b]})" for a, b in zip(circle, circle[1:]))
        faults.append(f"rooms in a circle: {steps}")
    return faults


def self_test():
    """Plants each violation in a small tree of its own and expects exactly that complaint."""
    good = {
        "base/a.h": "", "base/a.c": '#include "base/a.h"\n#include <stdio.h>\n',
        "format/f.h": '#include "base/a.h"\n', "watch/flow.h": '#include "format/f.h"\n',
        "watch/store/s.h": '#include "watch/flow.h"\n', "watch/indicator/i.h": '#include "base/a.h"\n',
        "cli/main.c": '#include "watch/store/s.h"\n#include "messages.gen.h"\n',
    }
    planted = [
        ("an include that points up", {"base/bad.c": '#include "format/f.h"\n'}, "higher floor"),
        ("format reading the watch", {"format/bad.c": '  #  include "watch/flow.h"\n'}, "higher floor"),
        ("I/O in format", {"format/bad.c": "#include <unistd.h>\n"}, "format/ is pure"),
        ("logging in format", {"format/bad.c": '#include "base/log.h"\n', "base/log.h": ""}, "format/ is pure"),
        ("a circle of two rooms", {"watch/indicator/bad.c": '#include "watch/store/s.h"\n',
                                   "watch/store/bad.c": '#include "watch/indicator/i.h"\n'}, "rooms in a circle"),
        ("a circle of three rooms", {"watch/indicator/b.c": '#include "watch/store/s.h"\n',
                                     "watch/store/b.c": '#include "watch/detect/d.h"\n',
                                     "watch/detect/d.h": '#include "watch/indicator/i.h"\n'}, "rooms in a circle"),
        ("a room nobody named", {"cellar/x.c": ""}, "has no floor"),
        ("a relative path", {"watch/store/bad.c": '#include "../flow.h"\n'}, "not with .."),
        ("a path that is not from src", {"watch/store/bad.c": '#include "s.h"\n'}, "is not a header under src/"),
    ]
    failed = 0
    for name, extra, expected in [("a clean tree", {}, None)] + planted:
        with tempfile.TemporaryDirectory() as src:
            for path, text in {**good, **extra}.items():
                os.makedirs(os.path.join(src, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(src, path), "w", encoding="utf-8") as f:
                    f.write(text)
            faults = check(src)
        is_right = (not faults) if expected is None else len(faults) == 1 and expected in faults[0]
        if not is_right:
            failed += 1
            print(f"not ok floors self-test: {name}: {faults}")
        else:
            print(f"ok floors self-test: {name}")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    faults = check(os.path.join(root, "src"))
    print("\n".join(faults) if faults else "ok floors: every include points down")
    sys.exit(1 if faults else 0)


main()
