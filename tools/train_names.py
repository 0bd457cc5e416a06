#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/train_names.py - the table of content/names/model.txt, from a list of ordinary domains.

    tools/train_names.py POPULAR.json[.xz] [OUT]      POPULAR: MISP warning list "Top 50,000 domains from Cloudflare Radar", CC0

What is learnt: how likely letters follow each other in ordinary names (trigrams of the registered label; four of five
names, chosen by a hash; the fifth is left for judging), with Vietnamese syllables put together at random beside them; and
the weights of a logistic regression that tells those names from names drawn here at random: letters, letters and digits,
hexadecimal, consonants and vowels in turn. No name of any real malware is used: every family is unseen.
Pure Python, no clock, no randomness but a fixed seed: the same input gives the same table. Takes about two minutes.
"""
import hashlib
import json
import lzma
import math
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ALPHABET = "^abcdefghijklmnopqrstuvwxyz0123456789-"
AT = {c: i for i, c in enumerate(ALPHABET)}
N = len(ALPHABET)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/"  # 64 steps of a quarter bit
VOWELS = set("aeiouy")
INITIALS = "b c ch d g gh gi h k kh l m n ng nh p ph qu r s t th tr v x".split() + [""]
RIMES = ("a ac ach ai am an ang anh ao ap at au ay e ec em en eng eo ep et i ia ich iec iem ien ieng iep iet ieu im in inh ip it iu "
         "o oa oac oach oai oan oang oanh oat oc oe oi om on ong op ot u ua uan uat uc ue ui um un ung uoc uoi uom uon uong uot uou "
         "up ut uu uy uyen uyet y yen yeu").split()


def suffixes():
    rules = set()
    with open(os.path.join(HERE, "..", "content", "names", "suffixes.txt"), encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("//"):
                rules.add(line.strip())
    return rules


def label_of(name, rules):
    parts = name.lower().rstrip(".").split(".")
    n = 1
    for i in range(len(parts)):
        if ".".join(parts[i:]) in rules:
            n = len(parts) - i
            break
    return parts[-n - 1] if len(parts) > n else ""


def is_for_judging(label):
    return hashlib.sha256(label.encode()).digest()[0] % 5 == 0


def usable(label):
    return 0 < len(label) < 64 and not label.startswith("xn--") and all(c in AT and c != "^" for c in label)


def vietnamese(rng, n):
    return ["".join(rng.choice(INITIALS) + rng.choice(RIMES) for _ in range(rng.choice((2, 2, 3, 3, 4, 5, 6, 7)))) for _ in range(n)]


def made(rng, n):
    """names as generators draw them"""
    letters, alnum, hexa = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789", "0123456789abcdef"
    consonants, vowels = "bcdfghjklmnpqrstvwxz", "aeiouy"
    out = []
    for _ in range(n):
        k = rng.random()
        length = rng.randint(6, 26)
        if k < 0.45:
            out.append("".join(rng.choice(letters) for _ in range(length)))
        elif k < 0.55:
            some = rng.sample(letters, rng.randint(10, 22))  # only some letters, as linear congruences give them
            out.append("".join(rng.choice(some) for _ in range(length)))
        elif k < 0.70:
            out.append("".join(rng.choice(alnum) for _ in range(rng.randint(5, 24))))
        elif k < 0.80:
            out.append("".join(rng.choice(hexa) for _ in range(rng.randint(8, 32))))
        else:
            odd = rng.random() < 0.5
            out.append("".join(rng.choice(consonants if (i % 2 == 0) == odd else vowels) for i in range(rng.randint(7, 20))))
    return [x for x in out if not x.isdigit()]


def learn(labels):
    """quarter bits of -log2 p(c | a b), smoothed by shorter contexts"""
    tri, bi, uni = {}, {}, {}
    for x in labels:
        t = "^^" + x + "^"
        for i in range(2, len(t)):
            a, b, c = t[i - 2], t[i - 1], t[i]
            for table, key in ((tri, (a, b)), (bi, b), (uni, "")):
                row = table.setdefault(key, {})
                row[c] = row.get(c, 0) + 1
    rows = []

    def p_uni(c):
        row = uni[""]
        return (row.get(c, 0) + 1) / (sum(row.values()) + N)

    sums = {k: sum(v.values()) for t in (tri, bi) for k, v in t.items()}

    def p_bi(b, c):
        row = bi.get(b, {})
        return (row.get(c, 0) + 20 * p_uni(c)) / (sums.get(b, 0) + 20)

    for a in ALPHABET:
        for b in ALPHABET:
            row = tri.get((a, b), {})
            total = sums.get((a, b), 0)
            bits = [-math.log2((row.get(c, 0) + 10 * p_bi(b, c)) / (total + 10)) for c in ALPHABET]
            rows.append([min(63, max(0, round(x * 4))) for x in bits])
    return rows


FEATURES = ("bias", "surprise_mean", "surprise_sum", "surprise_top", "length", "digits", "switches", "vowels", "consonant_run",
            "entropy", "is_hex", "alternates", "repeats")


def features(x, rows):
    """the same arithmetic as format/name_score.c"""
    t = "^^" + x + "^"
    s = [rows[AT[t[i - 2]] * N + AT[t[i - 1]]][AT[t[i]]] / 4 for i in range(2, len(t))]
    n = len(x)
    letters = [c for c in x if c.isalpha()]
    digits = n - len(letters) - x.count("-")
    switches = sum(1 for i in range(1, n) if x[i].isdigit() != x[i - 1].isdigit())
    vowels = sum(1 for c in letters if c in VOWELS)
    run = best = 0
    for c in x:
        run = run + 1 if c.isalpha() and c not in VOWELS else 0
        best = max(best, run)
    counts = {}
    for c in x:
        counts[c] = counts.get(c, 0) + 1
    entropy = -sum(k / n * math.log2(k / n) for k in counts.values())
    alternating = sum(1 for i in range(1, n) if x[i].isalpha() and x[i - 1].isalpha() and (x[i] in VOWELS) != (x[i - 1] in VOWELS))
    repeats = sum(1 for i in range(1, n) if x[i] == x[i - 1])
    top = sorted(s, reverse=True)[:3]
    return [1.0, sum(s) / len(s), sum(s) / 100, sum(top) / 30, n / 20, digits / n, switches / n, vowels / max(1, len(letters)),
            best / 10, entropy / 4, 1.0 if digits and all(c in "0123456789abcdef" for c in x) else 0.0,
            alternating / max(1, n - 1), repeats / n]


def cross(f):
    """products the weights also see: what counts more in a long name"""
    return f + [f[1] * f[4], f[11] * f[2], f[7] * f[4], f[9] * f[4], f[1] * f[1] / 10]


CROSS = ("surprise_mean*length", "alternates*surprise_sum", "vowels*length", "entropy*length", "surprise_mean^2")


def regress(ordinary, generated, rng):
    rows = [(f, 0.0, 1.0) for f in ordinary] + [(f, 1.0, len(ordinary) / len(generated)) for f in generated]
    n = len(rows[0][0])
    w, g2 = [0.0] * n, [1e-8] * n
    for epoch in range(12):
        rng.shuffle(rows)
        for f, y, weight in rows:
            z = sum(a * b for a, b in zip(w, f))
            p = 1 / (1 + math.exp(-max(-30, min(30, z))))
            e = (p - y) * weight
            for i in range(n):
                d = e * f[i] + 1e-6 * w[i]
                g2[i] += d * d
                w[i] -= 0.3 / math.sqrt(g2[i]) * d
    return w


def main():
    source = sys.argv[1]
    opener = lzma.open if source.endswith(".xz") else open
    with opener(source, "rt", encoding="utf-8") as f:
        document = json.load(f)
    rules = suffixes()
    labels = sorted({label_of(x, rules) for x in document["list"]})
    labels = [x for x in labels if usable(x)]
    train = [x for x in labels if not is_for_judging(x)]
    rng = random.Random(20240823)
    viet = [x for x in vietnamese(rng, 12000) if usable(x)]
    half = len(train) // 2
    rng.shuffle(train)
    # the weights must not see names the trigrams were learnt from: they would look more ordinary than unseen ones
    folds = [train[:half], train[half:]]
    ordinary = []
    for i in (0, 1):
        table = learn(folds[i] + viet[:6000])
        ordinary += [cross(features(x, table)) for x in folds[1 - i] + viet[6000:9000]]
        if i == 0:
            generated = [cross(features(x, table)) for x in made(rng, 20000)]
        else:
            generated += [cross(features(x, table)) for x in made(rng, 20000)]
    w = regress(ordinary, generated, rng)
    rows = learn(train + viet)
    out = open(sys.argv[2], "w", encoding="ascii") if len(sys.argv) > 2 else sys.stdout
    print("# How ordinary a name looks: made by tools/train_names.py; do not edit.", file=out)
    print(f"# Learnt from: {document['description']}, version {document['version']}, as in MISP warninglists (CC0-1.0),", file=out)
    print(f"# {len(train)} labels, and {len(viet)} made Vietnamese ones. Weights against names drawn at random by that script.", file=out)
    print("# A row of the table: what precedes (two characters), then a digit of 64 for each next character: -log2 p in quarters.", file=out)
    print("alphabet " + ALPHABET, file=out)
    for name, x in zip(FEATURES + CROSS, w):
        print(f"weight {name} {x:.6f}", file=out)
    for i, row in enumerate(rows):
        print("row " + ALPHABET[i // N] + ALPHABET[i % N] + " " + "".join(DIGITS[x] for x in row), file=out)


if __name__ == "__main__":
    main()
