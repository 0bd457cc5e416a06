# SPDX-License-Identifier: Apache-2.0
"""make.py SAMPLE.binetflow.xz - a provider in front of the labelled traffic: every machine of 147.32.80.0/21 gets a block of 32
ports of 203.0.113.1 for the whole hour (leases.csv), and the same traffic as a router sees it that samples 1 packet in 1,000
(sampled.csv)."""
import csv
import lzma
import random
import sys
from datetime import datetime, timedelta

random.seed(2011)
inside, sampled = [], []
with lzma.open(sys.argv[1], "rt", encoding="utf-8", errors="replace") as f:
    for row in csv.DictReader(f):
        for end in (row["SrcAddr"], row["DstAddr"]):
            parts = end.split(".")
            if end.startswith("147.32.") and parts[2].isdigit() and 80 <= int(parts[2]) <= 87 and end not in inside:
                inside.append(end)
        try:
            packets, size, ports = int(row["TotPkts"]), int(row["TotBytes"]), (int(row["Sport"]), int(row["Dport"]))
        except ValueError:
            continue
        hit = sum(random.random() < 0.001 for _ in range(min(packets, 20000)))
        if hit and row["Proto"] in ("tcp", "udp"):
            begin = datetime.strptime(row["StartTime"], "%Y/%m/%d %H:%M:%S.%f")
            end = begin + timedelta(seconds=float(row["Dur"]))
            sampled.append([begin.isoformat() + "+02:00", end.isoformat() + "+02:00", row["SrcAddr"], ports[0], row["DstAddr"], ports[1],
                            6 if row["Proto"] == "tcp" else 17, hit * 1000, size // packets * hit * 1000, 1000])
with open("leases.csv", "w", newline="", encoding="utf-8") as out:
    w = csv.writer(out)
    w.writerow(["gateway", "public_ip", "port_start", "port_end", "private_ip", "start", "end", "subscriber"])
    for i, address in enumerate(inside):
        w.writerow(["cgn-1", "203.0.113.1", 1024 + 32 * i, 1055 + 32 * i, address, "2011-08-18T15:00:00+02:00",
                    "2011-08-18T17:00:00+02:00", f"tb{i:05d}"])
with open("sampled.csv", "w", newline="", encoding="utf-8") as out:
    w = csv.writer(out)
    w.writerow(["event.start", "event.end", "source.ip", "source.port", "destination.ip", "destination.port", "network.iana_number",
                "source.packets", "source.bytes", "network.sampling"])
    w.writerows(sampled)
