# SPDX-License-Identifier: Apache-2.0
"""send.py PORT - a machine that asks for twelve drawn names, none of which exists; a source that guesses; an ordinary machine."""
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def send(second, app, text):
    line = f"<30>1 2026-03-01T22:{10 + second // 60:02d}:{second % 60:02d}Z gw {app} 77 - - {text}"
    s.sendto(line.encode(), ("127.0.0.1", int(sys.argv[1])))


for i in range(12):
    name = f"xkqzvwjpf{'bcdfghjklmnp'[i]}hgtrb.com"
    send(10 * i, "dnsmasq", f"query[A] {name} from 192.0.2.20")
    send(10 * i + 1, "dnsmasq", f"reply {name} is NXDOMAIN")
    ordinary = f"{'mot hai ba bon tu sau bay tam chin muoi tram nghin'.split()[i]}congty.example"
    send(10 * i + 2, "dnsmasq", f"query[A] {ordinary} from 192.0.2.21")
    send(10 * i + 3, "dnsmasq", f"reply {ordinary} is 198.51.100.1")
for i in range(12):
    send(200 + 10 * i, "sshd", "Failed password for root from 203.0.113.9 port 40022 ssh2")
