#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""style.py [--self-test] - the parts of the house style a machine can see.

Prints one line per fault (file:line: what) and ends with 1 if there is any. What may stay
although it breaks a limit stands in ALLOWED with its reason.
"""
import os
import re
import sys
import tempfile

# Tests hold tables and long stories: they may be longer and wider.
MAX_FILE_LINES = {"src": 800, "tests": 1200}
MAX_FUNCTION_LINES = {"src": 60, "tests": 100}
MAX_WIDTH = {"src": 140, "tests": 200}
# HACKING.md says once what these do; everything else is described where it is declared.
HOUSE_VERBS = ("_init", "_fini", "_new", "_free", "_open", "_close", "_clear", "_count", "_name")

# (file, function or "" for the file as a whole): the reason why it may be longer.
ALLOWED = {
}

BANNED = {
    "strcpy": "knows no bound: memcpy with a length, or snprintf",
    "strcat": "knows no bound: struct buf",
    "sprintf": "knows no bound: snprintf",
    "vsprintf": "knows no bound: vsnprintf",
    "gets": "knows no bound: fgets",
    "strtok": "keeps hidden state: struct text",
    "atoi": "cannot fail: text_u64",
    "atol": "cannot fail: text_u64",
    "atoll": "cannot fail: text_u64",
    "atof": "cannot fail: strtod with its end checked",
    "system": "runs a shell: posix_spawn with fixed arguments",
    "popen": "runs a shell: posix_spawn with fixed arguments",
    "alloca": "the stack has no answer when it is full: an arena",
    "mktemp": "races: mkstemp or openat with O_EXCL",
    "tmpnam": "races: mkstemp or openat with O_EXCL",
    "rand": "not random and shared by all threads",
    "localtime": "shared static memory and the host's zone: clock_civil",
    "gmtime": "shared static memory: clock_civil",
    "ctime": "shared static memory: clock_format_utc",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# The library floors speak to nobody and never end the program.
SILENT = ("src/base/", "src/format/", "src/watch/")
SPEAKS = re.compile(r"(?<![\w.>])(printf|puts|perror|exit|_exit|abort|syslog|SAY|log_line)\s*\(")
MAY_SPEAK = {"src/base/log.c", "src/base/log.h", "src/base/message.c", "src/base/message.h"}

LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"(/work/|/root/|/home/\w|/Users/|\bhttps?://(?:registry\.|pypi\.|deb\.debian|proxy\.golang)|\.pyenv)")
SPDX = "SPDX-License-Identifier: Apache-2.0"
TEXT_ENDINGS = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".yml", ".build", ".txt", ".csv", ".json", ".service", ".svg", ".ts", ".tsx", ".mjs", ".css", ".html")
SKIP_FOLDERS = {".git", "build", "node_modules", "data", "corpus", "sample", "golden", "golden_logs", "__pycache__"}
# Words in this list are what this tool itself looks for.
SELF = {"tools/style.py"}


def blank_out(text):
    """The C text with comments and the insides of literals replaced by blanks, lines kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def functions(code):
    """(name, first line, number of lines) of each function body; code has been blanked out."""
    # A body opens with '{' in column 0 (the house's brace style) after a line that ends a parameter list.
    lines = code.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            head = " ".join(lines[max(0, i - 6):i])
            found = re.findall(r"(\w+)\s*\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            names = [n for n in found if n not in ("__attribute__", "format", "printf", "cleanup", "sizeof", "target")]
            start = (i, names[0] if names else "?")
        elif line.startswith("}") and start:
            yield start[1], start[0] + 1, i - start[0] + 1
            start = None


def check_c(path, text, faults):
    lines = text.split("\n")
    place = "tests" if path.startswith("tests/") else "src"
    n_lines, limit = len(lines) - (lines[-1] == ""), MAX_FILE_LINES[place]
    if n_lines > limit and (path, "") not in ALLOWED:
        faults.append(f"{path}:1: {n_lines} lines; the house keeps files under {limit}: look for the second noun")
    if SPDX not in "\n".join(lines[:3]):
        faults.append(f"{path}:1: lacks /* {SPDX} */")
    code = blank_out(text)
    for name, line, n in functions(code):
        limit = MAX_FUNCTION_LINES[place]
        if n > limit and (path, name) not in ALLOWED:
            faults.append(f"{path}:{line}: {name} has {n} lines; the house keeps functions under {limit}")
    in_source = path.startswith("src/")
    for number, line in enumerate(code.split("\n"), 1):
        if "\t" in line:
            faults.append(f"{path}:{number}: tab; indent with four blanks")
        limit = MAX_WIDTH[place]
        if len(lines[number - 1]) > limit:
            faults.append(f"{path}:{number}: {len(lines[number - 1])} characters wide; at most {limit}")
        if not in_source:
            continue
        for found in BANNED_CALL.finditer(line):
            faults.append(f"{path}:{number}: {found[1]} is banned: {BANNED[found[1]]}")
        if path.startswith(SILENT) and path not in MAY_SPEAK:
            for found in SPEAKS.finditer(line):
                faults.append(f"{path}:{number}: {found[1]}: library code neither speaks nor exits")
    if path.endswith(".h") and in_source:
        check_header(path, text, code, faults)


PROTOTYPE = re.compile(r"^(?!typedef|static|struct\s+\w+\s*\{|enum|#|_Static_assert|extern\s+const)"
                       r"(?:__attribute__\(\(.*?\)\)\s*)?[A-Za-z_][\w \t*]*?[\s*](\w+)\([^;{}]*\)[^;{}]*;", re.M | re.S)


def check_header(path, text, code, faults):
    if "#pragma once" not in text:
        faults.append(f"{path}:1: lacks #pragma once")
    head = re.match(r"/\* " + re.escape(SPDX) + r" \*/\n/\*\s*(?:\n \* )?([\w/.-]+)", text)
    stem = path[len("src/"):-2]
    if not head or not (stem == head[1] or stem.endswith("/" + head[1]) or head[1] in (os.path.basename(stem),)):
        faults.append(f"{path}:2: the docstring must open with \"{stem} - what it is\" below the SPDX line")
    comments = " ".join(re.findall(r"/\*.*?\*/", text, re.S))
    for found in PROTOTYPE.finditer(code):
        name = found[1]
        if name.endswith(HOUSE_VERBS) or re.search(r"\b" + re.escape(name) + r"\b", comments):
            continue
        # A family described in one comment above, or a name that says it all right below a described sibling.
        line = code.count("\n", 0, found.start(1)) + 1
        above = text.split("\n")[line - 2].strip() if line > 1 else ""
        if above.endswith("*/") or above.endswith(";"):
            continue
        faults.append(f"{path}:{line}: {name} has no docstring")


def check_any(path, text, faults):
    if path in SELF:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if LEFTOVER.search(line) and not path.endswith((".md", ".csv")):
            faults.append(f"{path}:{number}: {LEFTOVER.search(line)[1]}: finish it or say in an issue")
        if MACHINE.search(line):
            faults.append(f"{path}:{number}: {MACHINE.search(line)[1]}: the repository names no machine and no registry")


def files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIP_FOLDERS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if name.endswith(TEXT_ENDINGS) or "." not in name:
                yield path


def check(root):
    faults = []
    for path in files(root):
        with open(os.path.join(root, path), "rb") as f:
            raw = f.read()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", "replace")
        check_any(path, text, faults)
        if path.endswith((".c", ".h")):
            check_c(path, text, faults)
    return faults


def self_test():
    spdx = f"/* {SPDX} */\n"
    header = spdx + "/* base/x - a thing. */\n#pragma once\n"
    planted = [
        ("a clean source", "src/base/x.c", spdx + "int f(void);\nint f(void)\n{\n    return 0;\n}\n", None),
        ("a banned call", "src/cli/x.c", spdx + "void f(char *a)\n{\n    strcpy(a, a);\n}\n", "strcpy is banned"),
        ("a banned word in a comment", "src/cli/x.c", spdx + "/* not strcpy(a, b) */\n", None),
        ("a member of a banned name", "src/cli/x.c", spdx + "void f(struct s *a)\n{\n    a->system(1);\n}\n", None),
        ("library code that speaks", "src/watch/x.c", spdx + "void f(void)\n{\n    printf(0);\n}\n", "neither speaks"),
        ("a long function", "src/cli/x.c", spdx + "void f(void)\n{\n" + "    ;\n" * 60 + "}\n", "f has 62 lines"),
        ("a long file", "src/cli/x.c", spdx + "\n" * 900, "look for the second noun"),
        ("no licence line", "src/cli/x.c", "int x;\n", "lacks /* SPDX"),
        ("a header without docstring", "src/base/x.h", spdx + "#pragma once\n", "the docstring must open"),
        ("an undescribed function", "src/base/x.h", header + "\nint f(void);\n", "f has no docstring"),
        ("a described function", "src/base/x.h", header + "/* f - does. */\nint f(void);\n", None),
        ("a leftover", "src/cli/x.c", spdx + "/* TO" + "DO later */\n", "finish it"),
        ("a machine's path", "docs/x.txt", "see /wo" + "rk/x\n", "names no machine"),
        ("a tab", "src/cli/x.c", spdx + "\tint x;\n", "tab; indent"),
    ]
    failed = 0
    for name, path, text, expected in planted:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
            faults = check(root)
        is_right = (not faults) if expected is None else len(faults) == 1 and expected in faults[0]
        failed += not is_right
        print(f"{'ok' if is_right else 'not ok'} style self-test: {name}{'' if is_right else f': {faults}'}")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    faults = check(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    print("\n".join(faults) if faults else "ok style")
    sys.exit(1 if faults else 0)


main()
