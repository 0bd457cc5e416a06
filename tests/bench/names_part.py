# SPDX-License-Identifier: Apache-2.0
"""The part `behaviour` of tests/bench/run, names and log-ins: judged on labelled data of VONGGAC_SHARED.

Names: precision and recall by family of 26 families of programs that draw names, against the fifth of ordinary names
that the table was not made from, and names of Vietnamese places. No family was used to make the table. Word lists are
made here, since no data set of such a family is at hand: two English words put together.
Machines: an hour of 300 ordinary names, 5 % of which fail, and up to 100 names of the family, all of which fail.
Log-ins: crowdsec's own cases (which scenario must be raised), one auth.log counted by hand, real logs without attacks.
"""
import json
import lzma
import os
import re
import subprocess
import tarfile
import unicodedata

SHARED = os.environ.get("VONGGAC_SHARED") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared")
WORDS = ("able bank bird blue boat book born camp card city coal cold cook corn dark deal desk door drop dust east edge face fact "
         "farm film fire fish food foot free game gate gift gold good hair half hall hand hard head heat help hill home hope hour "
         "idea iron item join jump keep kind king lady lake land last late lead life line list loan lock long loss").split()


def data(*parts):
    return os.path.join(SHARED, "data", *parts)


def run(program, *args):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} {args[0]}: {done.stderr.strip()[:2000]}")
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in done.stdout.splitlines()]


def write(path, names):
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(names) + "\n")
    return path


def unpack(archive, to):
    os.makedirs(to, exist_ok=True)
    with tarfile.open(archive) as t:
        t.extractall(to, filter="data") if hasattr(tarfile, "data_filter") else t.extractall(to)
    return to


def folded(name):
    flat = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in flat if c.isascii() and c.isalnum()).lower()


def ordinary_names(base, program):
    with lzma.open(data("flows", "popular-domains-cloudflare50k.json.xz"), "rt", encoding="utf-8") as f:
        popular = write(os.path.join(base, "popular"), json.load(f)["list"])
    judged = subprocess.run([program, "judge", popular], stdout=subprocess.PIPE, check=True).stdout
    path = os.path.join(base, "ordinary")
    with open(path, "wb") as f:
        f.write(judged)
    with lzma.open(data("vn", "provinces-34-wards.json.xz"), "rt", encoding="utf-8") as f:
        places = {folded(w["FullName"]) for p in json.load(f) for w in p["Wards"]}
    return path, write(os.path.join(base, "places"), sorted(f"{p}.vn" for p in places if 0 < len(p) < 64))


def names(base, program, report):
    ordinary, places = ordinary_names(base, program)
    drawn = unpack(data("flows", "dga-domains.tar.xz"), os.path.join(base, "dga"))
    words = write(os.path.join(base, "wordlist.txt"), [f"{a}{b}.net" for a in WORDS for b in WORDS[::9]])
    files = sorted(os.path.join(root, n) for root, _, all_names in os.walk(drawn) for n in all_names if n.endswith(".txt")) + [words]
    scores = {r["file"]: r for r in run(program, "score", ordinary, places, *files)}
    base_rate = int(scores["ordinary"]["over50"]) / int(scores["ordinary"]["names"])
    place_rate = int(scores["places"]["over50"]) / int(scores["places"]["names"])
    report("ordinary names (held out) that look drawn", f"{base_rate * 100:.2f} % of {scores['ordinary']['names']}", "<= 5 %", "", base_rate <= 0.05)
    report("Vietnamese places that look drawn", f"{place_rate * 100:.2f} % of {scores['places']['names']}", "<= 5 %", "", place_rate <= 0.05)
    machines = {r["family"]: r for r in run(program, "machine", ordinary, *files) if "family" in r}
    quiet = next(r for r in run(program, "machine", ordinary) if "machines" in r)
    found = seen = caught = all_names = 0
    for f in files:
        name = os.path.basename(f)
        s, m = scores[name], machines[name]
        recall = int(s["over50"]) / int(s["names"])
        # as if ordinary names and names of the family were met equally often
        precision = recall / (recall + base_rate) if recall else 0
        is_words = f == words
        if not is_words:
            found += m["answers_seen"] == "1"
            seen += 1
            caught += int(s["over50"])
            all_names += int(s["names"])
        report(f"  {name[:-4]}{' (made)' if is_words else ''}, {s['names']} names", f"recall {recall:.3f} precision {precision:.3f}", "",
               f"machine found: answers seen {m['answers_seen']}, questions only {m['questions_only']}, {m['confidence']} %")
    report("names of all families that look drawn", f"{caught / all_names * 100:.1f} % of {all_names}", "", "each family unseen by the table")
    report("families whose machine is found, answers seen", f"{found} of {seen}", f"{seen}", "", found == seen)
    wrong = int(quiet["false_alarms_answers_seen"]) + int(quiet["false_alarms_questions_only"])
    report("ordinary machines that raise an alarm", f"{wrong} of {2 * int(quiet['machines'])}", "0", "", wrong == 0)


def crowdsec(base, program, report):
    hub, cases = unpack(data("logs", "crowdsec-hub-tests.tar.xz"), os.path.join(base, "hub")), {}
    for folder in sorted(os.listdir(hub)):
        paths = [os.path.join(hub, folder, n) for n in ("config.yaml", "scenario.assert")]
        if not all(os.path.exists(p) for p in paths):
            continue
        with open(paths[0], encoding="utf-8") as f:
            log = re.search(r'log_file: *"?([^"\n]+)', f.read())
        with open(paths[1], encoding="utf-8", errors="replace") as f:
            scenarios = set(re.findall(r'GetScenario\(\) == "([^"]+)"', f.read()))
        path = os.path.join(hub, folder, log.group(1).strip()) if log else ""
        if os.path.exists(path):
            cases[path] = (folder, {s for s in scenarios if re.search(r"bf|brute|enum", s)}, scenarios)
    got, tries = {}, {}
    for r in run(program, "logs", *cases):
        if r.get("kind") in ("brute_force", "password_spray"):
            got.setdefault(r["path"], set()).add(r["peer"])
        if "tries" in r:
            tries[r["path"]] = int(r["tries"])
    wanted = [p for p, c in cases.items() if c[1]]
    raised = [p for p in wanted if p in got]
    blind = [p for p in wanted if p not in got and not tries.get(p)]
    other = [p for p in got if cases[p][2] and not cases[p][1]]
    report("crowdsec's cases of guessing that are raised", f"{len(raised)} of {len(wanted)}", "",
           f"of the rest {len(blind)} speak in no decoder's words, others are fewer tries than our limits")
    report("crowdsec's other cases that are called guessing", f"{len(other)}", "", " ".join(cases[p][0] for p in other))


def most_within(times, window):
    best = at = 0
    for i, t in enumerate(times):
        while t - times[at] > window:
            at += 1
        best = max(best, i - at + 1)
    return best


def auth_log(base, program, report):
    path = os.path.join(base, "auth.log")
    with lzma.open(data("logs", "elastic-auth.log.xz"), "rb") as f, open(path, "wb") as out:
        out.write(f.read())
    tries = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"(\w+) +(\d+) (\d+):(\d+):(\d+) \S+ sshd\[(\d+)\]: (?:error: maximum|Invalid user|Failed).* from ([\d.]+)", line)
            if m:
                at = (int(m[2]) + (31 if m[1] == "Apr" else 0)) * 86400 + int(m[3]) * 3600 + int(m[4]) * 60 + int(m[5])
                tries.setdefault(m[7], set()).add((at, m[6]))
    expected = {ip for ip, all_tries in tries.items() for t in [sorted(a for a, _ in all_tries)]
                if most_within(t, 60) >= 6 or most_within(t, 600) >= 10 or most_within(t, 21600) >= 40}
    got = {r["peer"] for r in run(program, "logs", path) if r.get("kind") in ("brute_force", "password_spray") and r["peer"] != "::"}
    both = expected & got
    report("auth.log of elastic: sources over the limits that are raised", f"recall {len(both) / len(expected):.3f}", ">= 0.95",
           f"{len(tries)} sources tried, {len(expected)} over the limits by counting, {len(got)} raised", len(both) >= 0.95 * len(expected))
    report("  and raised ones that are over the limits", f"precision {len(both) / len(got):.3f}", ">= 0.95", "", len(both) >= 0.95 * len(got))


def quiet_logs(base, program, report):
    zeek = unpack(data("logs", "wrccdc-zeek.tar.xz"), os.path.join(base, "wrccdc"))
    rita = unpack(data("flows", "rita-zeek.tar.xz"), os.path.join(base, "rita"))
    real = unpack(data("flows", "stratosphere-testing.tar.xz"), os.path.join(base, "stratosphere"))
    quiet = [os.path.join(zeek, n) for n in ("dns.log", "ntlm.log", "kerberos.log", "ssh.log")]
    quiet += [os.path.join(r, n) for r, _, all_names in os.walk(rita) for n in all_names if "dns" in n.lower() and n.endswith(".log")]
    quiet += [os.path.join(real, "004-zeek-scenario-ssh", "ssh.log"), os.path.join(real, "006-zeek-scenario-ssh", "ssh.log")]
    kinds = ("dga", "dns_tunnel", "brute_force", "password_spray")
    lines = run(program, "logs", *quiet)
    wrong = [r for r in lines if r.get("kind") in kinds]
    read = sum(int(r["read"]) for r in lines if "read" in r)
    report("real logs without these attacks: alarms", f"{len(wrong)} in {read} events", "0", f"{len(quiet)} files", not wrong)
    simda = [r for r in run(program, "logs", os.path.join(real, "005-zeek-scenario-malicious", "dns.log")) if r.get("kind") == "dga"]
    owns = {r["own"] for r in simda}
    report("Simda in real DNS traffic: machine found (both addresses)", f"{len(owns)} of 2", "2", "", len(owns) == 2)


def part(base, build, report):
    program = os.path.join(build, "behaviour_names_bench")
    if not os.path.exists(data("flows", "dga-domains.tar.xz")):
        print("skipped: no labelled names in VONGGAC_SHARED")
        return
    where = os.path.join(base, "names")
    os.makedirs(where, exist_ok=True)
    for judge in (names, crowdsec, auth_log, quiet_logs):
        judge(where, program, report)
