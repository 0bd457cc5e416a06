#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""messages.py EN VI OUT.h OUT.c - compile the message catalogues.

Both languages must hold the same ids with the same conversions in the same order;
anything else ends the build. The files are flat YAML: one `id: "text"` a line.
"""
import re
import sys

LINE = re.compile(r'^([a-z][a-z0-9_]*):\s+"((?:[^"\\]|\\.)*)"\s*$')
CONVERSION = re.compile(r'%(?:%|[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z])')


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
            out[name] = value
    return out


def conversions(text):
    kinds = [c for c in CONVERSION.findall(text) if c != "%%"]
    return [re.sub(r"[-+ #0]*\d*(\.\d+)?", "", c[1:]) if "*" not in c else c for c in kinds]


def main():
    en_path, vi_path, header, source = sys.argv[1:5]
    en, vi = read(en_path), read(vi_path)
    faults = [f"{vi_path}: lacks {k}" for k in en if k not in vi]
    faults += [f"{en_path}: lacks {k}" for k in vi if k not in en]
    faults += [f"{vi_path}: {k}: conversions {conversions(vi[k])}, English has {conversions(en[k])}"
               for k in en if k in vi and conversions(en[k]) != conversions(vi[k])]
    if faults:
        sys.exit("\n".join(faults))
    names = sorted(en)
    with open(header, "w", encoding="utf-8") as f:
        f.write("/* generated from content/i18n by tools/messages.py */\n#pragma once\nenum message_id {\n")
        f.writelines(f"    MSG_{n},\n" for n in names)
        f.write("    N_MESSAGES,\n};\n")
        f.writelines(f'#define MESSAGE_EN_{n} "{en[n]}"\n' for n in names)
    with open(source, "w", encoding="utf-8") as f:
        f.write('/* generated from content/i18n by tools/messages.py */\n#include "base/message.h"\n')
        for language, table in (("en", en), ("vi", vi)):
            f.write(f"const char *const message_table_{language}[N_MESSAGES] = {{\n")
            f.writelines(f'    [MSG_{n}] = "{table[n]}",\n' for n in names)
            f.write("};\n")
        f.write("const char *const message_names[N_MESSAGES] = {\n")
        f.writelines(f'    [MSG_{n}] = "{n}",\n' for n in names)
        f.write("};\n")


main()
