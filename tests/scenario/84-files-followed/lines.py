# SPDX-License-Identifier: Apache-2.0
"""lines.py FROM TO - numbered lines of a log."""
import sys

for i in range(int(sys.argv[1]), int(sys.argv[2])):
    print(f"<13>Oct 11 22:14:15 here app: number {i}.")
