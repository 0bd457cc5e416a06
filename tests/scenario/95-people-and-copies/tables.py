# SPDX-License-Identifier: Apache-2.0
"""Every row of every table that a restored office shares with its copy: all but the entry of the restoring itself."""
import sqlite3
import sys

c = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
names = [n for n, in c.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'backup%' ORDER BY name")]
for name in names:
    print(name)
    where = " WHERE action <> 'state.restore'" if name == "trail" else ""
    for row in sorted(map(repr, c.execute(f'SELECT * FROM "{name}"{where}'))):
        print(" ", row)
