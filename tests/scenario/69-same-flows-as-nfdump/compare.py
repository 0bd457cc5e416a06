# SPDX-License-Identifier: Apache-2.0
"""
compare.py PROGRAM SHARED - real exports through nfcapd/nfdump and through the program: the same flows?

Each case goes to an nfcapd of its own over loopback UDP and, as a file, to `import flows --format exports`. Compared as
multisets: addresses, packets, bytes (after sampling), and ports where the protocol has ports.
"""
import collections
import glob
import os
import socket
import struct
import subprocess
import sys
import tarfile
import time

LOGSTASH = [  # name, datagrams in order
    ("softflowd", ["netflow9_test_valid01.dat"]),
    ("asa", ["netflow9_test_cisco_asa_2_tpl_26x.dat", "netflow9_test_cisco_asa_2_tpl_27x.dat",
             "netflow9_test_cisco_asa_2_data.dat"]),
    ("asr9k", ["netflow9_test_cisco_asr9k_tpl260.dat", "netflow9_test_cisco_asr9k_data260.dat"]),
    ("cisco1941", ["netflow9_test_cisco_1941K9.dat"]),
    ("juniper5", ["netflow5_test_juniper_mx80.dat"]),
    ("mikrotik5", ["netflow5_test_microtik.dat"]),
    ("mikrotik", ["ipfix_test_mikrotik_tpl.dat", "ipfix_test_mikrotik_data258.dat", "ipfix_test_mikrotik_data259.dat"]),
    ("openbsd", ["ipfix_test_openbsd_pflow_tpl.dat", "ipfix_test_openbsd_pflow_data.dat"]),
    ("zero-length", ["netflow9_test_0length_fields_tpl_data.dat"]),
    ("huawei", ["netflow9_test_huawei_netstream_tpl.dat", "netflow9_test_huawei_netstream_data.dat"]),
    ("reduced-size", ["netflow9_test_iptnetflow_reduced_size_encoding_tpldata260.dat"]),
    ("nprobe", ["netflow9_test_macaddr_tpl.dat", "netflow9_test_macaddr_data.dat"]),
]
PMACCT = ["100-IPFIXv10-CISCO/traffic-00.pcap", "101-NFv9-CISCO-cust_primitives/traffic-00.pcap"]


def datagrams(path):
    data = open(path, "rb").read()
    if path.endswith(".dat"):
        return [data]
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at, found = 24, []
    while at + 16 <= len(data):
        captured = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + captured]
        at += 16 + captured
        ip = 14 + 4 * (frame[12:14] == b"\x81\x00")
        udp = ip + (frame[ip] & 15) * 4
        if frame[ip + 9] == 17:
            found.append(frame[udp + 8:udp + struct.unpack(">H", frame[udp + 4:udp + 6])[0]])
    return found


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def key(source, destination, source_port, destination_port, transport, packets, n_bytes):
    ported = transport.lower() in ("tcp", "udp")
    if "." in source:  # nfdump lays an IPv4 address over the all-zero IPv6 one that the same record holds
        source, destination = source.removeprefix("::"), destination.removeprefix("::")
    return (source, destination, source_port if ported else "", destination_port if ported else "", packets, n_bytes)


def nfdump_flows(directory):
    text = subprocess.run(["nfdump", "-R", directory, "-o", "csv", "-q"], capture_output=True, text=True, check=True).stdout
    rows = (line.split(",") for line in text.splitlines())
    return collections.Counter(key(f[3], f[4], f[5], f[6], f[7], f[11], f[12]) for f in rows if len(f) > 20)


def own_flows(program, directory, paths):
    data = os.path.join(directory, "data")
    done = subprocess.run([program, "import", "flows", "--format", "exports", "--data", data, *paths],
                          capture_output=True, text=True)
    if done.returncode not in (0, 2):
        sys.exit(f"import: {done.stderr}")
    fields = "source.ip,destination.ip,source.port,destination.port,network.transport,source.packets,source.bytes"
    text = subprocess.run([program, "query", "* | fields " + fields, "--format", "csv", "--data", data],
                          capture_output=True, text=True, check=True).stdout
    rows = (line.split(",") for line in text.splitlines()[1:])
    return collections.Counter(key(*[v or "0" for v in f]) for f in rows)


def main():
    program, shared = sys.argv[1], sys.argv[2] + "/data/netflow/"
    for name in ("logstash-codec-netflow", "pmacct-ipfix"):
        with tarfile.open(shared + name + ".tar.xz") as t:
            t.extractall("captures", filter="data") if hasattr(tarfile, "data_filter") else t.extractall("captures")
    cases = [(name, ["captures/" + p for p in paths]) for name, paths in LOGSTASH]
    cases += [(p.split("/")[0], ["captures/" + p]) for p in PMACCT]
    running = []
    for name, paths in cases:
        os.makedirs(name + "/nf")
        port = free_port()
        running.append((name, paths, port, subprocess.Popen(
            ["nfcapd", "-w", name + "/nf", "-p", str(port), "-b", "127.0.0.1", "-t", "3600"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
    time.sleep(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _, paths, port, _ in running:
            for path in paths:
                for datagram in datagrams(path):
                    s.sendto(datagram, ("127.0.0.1", port))
                    time.sleep(0.001)
    time.sleep(1)
    failed = False
    for name, paths, _, process in running:
        process.terminate()
        process.wait()
        theirs, own = nfdump_flows(name + "/nf"), own_flows(program, name, paths)
        print(f"{name}: {sum(own.values())} flows, nfdump {sum(theirs.values())}")
        for flow in list(own - theirs)[:3]:
            print("  only here: ", flow)
        for flow in list(theirs - own)[:3]:
            print("  only nfdump:", flow)
        failed |= own != theirs or not own
    sys.exit(failed)


main()
