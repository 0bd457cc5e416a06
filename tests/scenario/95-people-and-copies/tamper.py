# SPDX-License-Identifier: Apache-2.0
"""tampered.db: the copy with a role rewritten past the program. other.db: a database that is no state."""
import shutil
import sqlite3
import sys

shutil.copy(sys.argv[1], "tampered.db")
c = sqlite3.connect("tampered.db")
c.execute("UPDATE binding SET role = 'administrator' WHERE id = 2")
c.commit()
c.close()
open("other.db", "w").close()
c = sqlite3.connect("other.db")
c.execute("CREATE TABLE t(a)")
c.commit()
