#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""picture.py way | run COLUMNS TITLE COMMAND... - the pictures of the documents, as SVG on standard output.

way  the way of an event, from the table below
run  what each COMMAND (words split as in sh) prints on a terminal of that many columns; `make pictures` calls it
"""
import fcntl
import os
import pty
import re
import shlex
import struct
import sys
import termios
import unicodedata
from xml.sax.saxutils import escape

FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
SANS = "DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif"


def width_of(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def terminal(title, text):
    lines = text.rstrip("\n").expandtabs(8).split("\n")
    cell, height, margin, bar = 7.83, 18, 16, 30
    width = int(max([width_of(line) for line in lines] + [60]) * cell + 2 * margin)
    total = len(lines) * height + 2 * margin + bar
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" viewBox="0 0 {width} {total}" '
           f'role="img" aria-label="{escape(title)}">',
           f'<rect width="{width}" height="{total}" rx="8" fill="#10202c"/>',
           f'<text x="{width / 2}" y="20" fill="#9fb4c2" font-family="{SANS}" font-size="12" text-anchor="middle">'
           f'{escape(title)}</text>']
    for i, line in enumerate(lines):
        y = bar + margin + i * height + 6
        colour = "#7fd1ae" if line.startswith("$ ") else "#e6eef3"
        out.append(f'<text x="{margin}" y="{y}" fill="{colour}" font-family="{FONT}" font-size="13" xml:space="preserve" '
                   f'textLength="{width_of(line) * cell:.1f}" lengthAdjust="spacingAndGlyphs">{escape(line)}</text>'
                   if line.strip() else "")
    return "\n".join(line for line in out if line) + "\n</svg>\n"


def on_terminal(columns, words):
    """What the command prints with a terminal as its standard output; its standard error too."""
    go_read, go_write = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.read(go_read, 1)
        os.execvp(words[0], words)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    os.write(go_write, b"x")
    out = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.waitpid(pid, 0)
    text = out.decode("utf-8", "replace").replace("\r\n", "\n")
    return re.sub(r"[^\n]*\r?\x1b\[K", "", text)  # progress that was wiped out again


def run(columns, title, commands):
    text = ""
    for command in commands:
        words = shlex.split(command)
        shown = " ".join("'" + w + "'" if re.search(r"[^\w./:=-]", w) else w for w in [os.path.basename(words[0])] + words[1:])
        shown = re.sub(r" --data \S+| --lang en", "", shown)
        text += "$ " + shown + "\n" + on_terminal(columns, words) + "\n"
    return terminal(title, text)


# (column, row, rows high, name, what happens there)
BOXES = [
    (0, 0, 1, "datagrams", "NetFlow v5 v9, IPFIX, sFlow"),
    (0, 1, 1, "packets", "AF_PACKET, pcap, pcapng"),
    (0, 2, 1, "files", "Argus, nfdump, Zeek, CSV"),
    (1, 0, 3, "watch/intake", "framing, loss account, metering"),
    (2, 0, 3, "format", "bytes to struct flow; pure, fuzzed"),
    (3, 0, 3, "flow_batch", "columns, one owner at a time"),
    (4, 0, 1, "watch/indicator", "lists and own space, matched"),
    (4, 1, 1, "watch/detect", "hits to findings, journal"),
    (4, 2, 1, "watch/store", "journal, segments, dictionaries"),
    (5, 1, 1, "watch/query", "filter, top, timeline"),
    (5, 2, 1, "watch/hunt", "a list over all that was stored"),
]
ARROWS = [((0, 0), (1, 0)), ((0, 1), (1, 1)), ((0, 2), (1, 2)), ((1, 1), (2, 1)), ((2, 1), (3, 1)), ((3, 0), (4, 0)),
          ((3, 2), (4, 2)), ((4, 2), (5, 2))]


def way():
    w, h, gap, row = 168, 58, 34, 78
    width, height = 6 * (w + gap) + 10, 3 * row + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
           f'role="img" aria-label="The way of an event">',
           '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
           '<path d="M0,0 L8,4 L0,8 z" fill="#5b7486"/></marker></defs>',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for column, at, rows, name, what in BOXES:
        x, y = 20 + column * (w + gap), 20 + at * row
        tall = rows * row - (row - h)
        fill = "#eef3f6" if column == 0 else "#dcebe4" if column < 4 else "#e3e6f5"
        out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{tall}" rx="6" fill="{fill}" stroke="#5b7486"/>')
        middle = y + tall / 2
        out.append(f'<text x="{x + w / 2}" y="{middle - 4}" font-family="{SANS}" font-size="13" font-weight="bold" '
                   f'text-anchor="middle" fill="#10202c">{escape(name)}</text>')
        out.append(f'<text x="{x + w / 2}" y="{middle + 14}" font-family="{SANS}" font-size="9.5" text-anchor="middle" '
                   f'fill="#33474f">{escape(what)}</text>')
    for (c1, r1), (c2, r2) in ARROWS:
        x1, y1 = 20 + c1 * (w + gap) + w, 20 + r1 * row + h / 2
        x2, y2 = 20 + c2 * (w + gap), 20 + r2 * row + h / 2
        out.append(f'<line x1="{x1}" y1="{y1}" x2="{x2 - 2}" y2="{y2}" stroke="#5b7486" stroke-width="1.6" '
                   'marker-end="url(#tip)"/>')
    x = 20 + 4 * (w + gap) + w / 2
    out.append(f'<line x1="{x}" y1="{20 + h}" x2="{x}" y2="{20 + row - 2}" stroke="#5b7486" stroke-width="1.6" '
               'marker-end="url(#tip)"/>')
    x1, y1 = 20 + 4 * (w + gap) + w, 20 + 2 * row + h / 2 - 12
    x2, y2 = 20 + 5 * (w + gap), 20 + row + h / 2 + 10
    out.append(f'<line x1="{x1}" y1="{y1}" x2="{x2 - 2}" y2="{y2}" stroke="#5b7486" stroke-width="1.6" marker-end="url(#tip)"/>')
    return "\n".join(out) + "\n</svg>\n"


if sys.argv[1:] == ["way"]:
    sys.stdout.write(way())
elif len(sys.argv) > 4 and sys.argv[1] == "run":
    sys.stdout.write(run(int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
else:
    sys.exit(__doc__)
