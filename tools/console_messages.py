#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""console_messages.py [--json] - the console's catalogues, content/i18n/console.{vi,en}.yaml.

Both languages must hold the same ids with the same {places}; what the console's sources name must be there and nothing
else may be; words that officials do not use may not stand on a Vietnamese screen. --json prints both for the build.
An id that is put together (tr(`role_${x}`), trOr('severity_', x)) counts for every id that begins so.
"""
import json
import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LINE = re.compile(r'^([a-z][a-z0-9_]*):\s+"((?:[^"\\]|\\.)*)"\s*$')
PLACE = re.compile(r"\{([a-z_]+)\}")
USED = re.compile(r"\btr\(\s*'([a-z][a-z0-9_]*)'")
BUILT = re.compile(r"""\btr\(\s*`([a-z][a-z0-9_]*_)\$\{|\btrOr\(\s*'([a-z][a-z0-9_]*_)'|\bprefix="([a-z][a-z0-9_]*_)\"""")
ANY = re.compile(r"'([a-z][a-z0-9]*(?:_[a-z0-9]+)*)'")
NOT_VIETNAMESE = re.compile(r"\b(dashboard|finding|hunt|playbook|sighting|case|ticket)s?\b", re.I)


def read(path):
    out = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            text = line.rstrip("\n")
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            found = LINE.match(text)
            if not found:
                sys.exit(f'{path}:{number}: expected: id: "text"')
            name, value = found.groups()
            if name in out:
                sys.exit(f"{path}:{number}: {name} stands twice")
            out[name] = value.replace('\\"', '"').replace("\\\\", "\\")
    return out


def sources():
    for folder, _, names in os.walk(os.path.join(ROOT, "console", "src")):
        for name in sorted(names):
            if name.endswith((".ts", ".tsx")):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    yield os.path.relpath(os.path.join(folder, name), ROOT), f.read()


def faults_of(vi, en):
    faults = [f"console.vi.yaml: lacks {k}" for k in en if k not in vi]
    faults += [f"console.en.yaml: lacks {k}" for k in vi if k not in en]
    for k in sorted(set(vi) & set(en)):
        if sorted(PLACE.findall(vi[k])) != sorted(PLACE.findall(en[k])):
            faults.append(f"console.vi.yaml: {k}: places {PLACE.findall(vi[k])}, English has {PLACE.findall(en[k])}")
        word = NOT_VIETNAMESE.search(vi[k])
        if word:
            faults.append(f"console.vi.yaml: {k}: '{word[0]}' does not belong on a Vietnamese screen (words of the console)")
    literal, prefixes = set(), set()
    for path, text in sources():
        for found in USED.finditer(text):
            if found[1] not in vi:
                faults.append(f"{path}: {found[1]} is in no catalogue")
        for prefix in ("".join(found) for found in BUILT.findall(text)):
            prefixes.add(prefix)
            if not any(k.startswith(prefix) for k in vi):
                faults.append(f"{path}: no message begins with {prefix}")
        literal.update(ANY.findall(text))
    faults += [f"console.vi.yaml: nobody says {k}" for k in vi if k not in literal and not any(k.startswith(p) for p in prefixes)]
    return faults


def main():
    folder = os.path.join(ROOT, "content", "i18n")
    vi, en = read(os.path.join(folder, "console.vi.yaml")), read(os.path.join(folder, "console.en.yaml"))
    faults = faults_of(vi, en)
    if faults:
        sys.exit("\n".join(faults))
    if "--json" in sys.argv[1:]:
        json.dump({"vi": vi, "en": en}, sys.stdout, ensure_ascii=False)


main()
