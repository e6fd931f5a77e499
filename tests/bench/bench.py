#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The driver of make bench: bench.py DIR PROGRAMS JSON [PART...], in the namespaces that run.sh made.

Each row is measured natively and in a session in turn, round by round, so that what else the machine does falls on both; medians of
the rounds are shown, and the ratio is the median of the rounds' own ratios. Nothing here decides whether a build is good: the aims
are shown beside the figures.
"""
import json, os, re, shutil, statistics, subprocess, sys, time
import trees

DIR, BIN, OUT = sys.argv[1:4]
PARTS = sys.argv[4:]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AGENTSH = os.path.join(TOP, "bin", "agentsh")
WS = os.path.join(DIR, "ws")
HOST, IN = os.path.join(WS, "bench"), "/workspace/bench"
rows = []


def run(argv, cwd=None):
    # Not what a program calls text: grep shows a tree's lines as they are.
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=120, cwd=cwd)
    if p.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(argv), p.returncode, (p.stderr or p.stdout).strip()[-500:]))
    return p.stdout


def value(text, key="p50_ns"):
    return float(re.findall(r"^%s (\S+)$" % key, text, re.M)[-1])


class Session:
    def __init__(self):
        self.id = json.loads(run([AGENTSH, "session", "create", "--workspace", WS, "--policy", os.path.join(TOP, "tests/bench/bench.yaml")]))["id"]

    def exec(self, *argv):
        return run([AGENTSH, "exec", self.id, "--", *argv])

    def end(self):
        run([AGENTSH, "session", "destroy", self.id])


def add(name, unit, native, ours, kind, aim=None, better="lower", peer=None):
    """native, ours, peer: lists, one value a round (native None: there is none). kind: ratio (to native), peer (ratio to the peer),
    difference or absolute."""
    row = {"name": name, "unit": unit, "native": statistics.median(native) if native else None, "ours": statistics.median(ours),
           "ratio": None, "difference": None, "rounds": len(ours), "aim": aim, "better": better, "judged_by": kind,
           "peer": statistics.median(peer) if peer else None, "peer_ratio": None, "to_peer": None}
    if native:
        row["ratio"] = statistics.median(o / n for o, n in zip(ours, native))
        row["difference"] = statistics.median(o - n for o, n in zip(ours, native))
    if peer:
        row["to_peer"] = statistics.median(o / p for o, p in zip(ours, peer))
        if native:
            row["peer_ratio"] = statistics.median(p / n for p, n in zip(peer, native))
    judged = row[{"absolute": "ours", "peer": "to_peer"}.get(kind, kind)]
    row["met"] = None if aim is None else (judged <= aim if better == "lower" else judged >= aim)
    rows.append(row)
    show(row)


def number(v):
    return "-" if v is None else "%.0f" % v if abs(v) >= 1000 else "%.3g" % v


def show(row):
    kind = row["judged_by"]
    aim = row["aim"] and "%s %s%s%s" % ("<=" if row["better"] == "lower" else ">=", "+" if kind == "difference" else "", number(row["aim"]),
                                       " peer" if kind == "peer" else "")
    print("%-44s %9s %9s %-7s %8s %8s %9s  %-9s %s" % (row["name"], number(row["native"]), number(row["ours"]), row["unit"], number(row["ratio"]),
          "" if row["peer_ratio"] is None else number(row["peer_ratio"]), number(row["difference"]) if kind == "difference" else "",
          aim or "", {None: "", True: "met", False: "NOT MET"}[row["met"]]), flush=True)


def turns(rounds, *sides):
    """All sides, in turn; who begins changes each round. One list a side."""
    got = [[] for _ in sides]
    for i in range(rounds):
        for k in range(len(sides)):
            which = (i + k) % len(sides)
            got[which].append(sides[which](i))
    return got


def ms(f):
    return lambda i: f(i) / 1e6


def us(f):
    return lambda i: f(i) / 1e3


def host(name):
    return os.path.join(HOST, name)


def sessions():
    made, ended = [], []
    for _ in range(9):
        text = run([host("spawn"), "1", AGENTSH, "session", "create", "--workspace", WS, "--policy", "default"])
        made.append(value(text) / 1e6)
        sid = re.search(r'"id":\s*"([^"]+)"', text).group(1)
        ended.append(value(run([host("spawn"), "1", AGENTSH, "session", "destroy", sid])) / 1e6)
    add("session create (default policy)", "ms", None, made[1:], "absolute", 30)
    add("session destroy", "ms", None, ended[1:], "absolute")


def execs(s):
    a, b = turns(7, ms(lambda i: value(run([host("spawn"), "20", "/bin/true"]))),
                 ms(lambda i: value(run([host("spawn"), "20", AGENTSH, "exec", s.id, "--", "true"]))))
    add("agentsh exec SID -- true", "ms", a, b, "absolute", 8)
    a, b = turns(9, us(lambda i: value(run([host("spawn"), "300", host("spawn")]))),
                 us(lambda i: value(s.exec(IN + "/spawn", "300", IN + "/spawn"))))
    add("nested fork+exec, static, in the workspace", "us", a, b, "ratio", 1.4)
    s.exec("cp", IN + "/spawn", "/tmp/spawn")
    a, b = turns(9, us(lambda i: value(run([host("spawn"), "300", host("spawn")]))),
                 us(lambda i: value(s.exec("/tmp/spawn", "300", "/tmp/spawn"))))
    add("nested fork+exec, static, in /tmp", "us", a, b, "ratio", 1.4)
    a, b = turns(7, us(lambda i: value(run([host("spawn"), "200", "/bin/true"]))),
                 us(lambda i: value(s.exec(IN + "/spawn", "200", "/bin/true"))))
    add("nested fork+exec, dynamic (/bin/true)", "us", a, b, "ratio")


def files(s):
    trees.measure(sys.modules[__name__], s)


def network(s):
    def native(*argv):
        return run([host("net"), *argv])

    def ours(*argv):
        return s.exec(IN + "/net", *argv)

    name, port = "echo.bench.test", "7007"
    add("connect to an allowed name, p50", "us", *turns(7, us(lambda i: value(native("connect", name, port, "200"))),
        us(lambda i: value(ours("connect", name, port, "200")))), "difference", 60)
    add("connect and one byte echoed, p50", "us", *turns(7, us(lambda i: value(native("echo", name, port, "200"))),
        us(lambda i: value(ours("echo", name, port, "200")))), "difference")
    a, b = turns(7, lambda i: native("dns", name, "3000"), lambda i: ours("dns", name, "3000"))
    add("DNS, a name asked before, p50", "us", [value(t) / 1e3 for t in a], [value(t) / 1e3 for t in b], "ratio")
    add("DNS, 32 questions under way", "1/s", [value(t, "per_s") for t in a], [value(t, "per_s") for t in b], "ratio", None, "higher")


def decisions():
    """Of the largest pack."""
    name = "agent-sandbox"
    texts = [run([os.path.join(BIN, "decide"), os.path.join(TOP, "policies", name + ".yaml"), WS]) for _ in range(7)]
    for kind, p50, p99 in (("file", 200, 200), ("net", 1000, 2000), ("exec", 1000, 2000)):
        add("policy decision, %s, p50" % kind, "ns", None, [value(t, kind + "_p50_ns") for t in texts], "absolute", p50)
        add("policy decision, %s, p99" % kind, "ns", None, [value(t, kind + "_p99_ns") for t in texts], "absolute", p99)
    add("policy compile (%s)" % name, "ms", None, [value(t, "compile_ns") / 1e6 for t in texts], "absolute", 30)
    add("policy open (%s)" % name, "ms", None, [value(t, "open_ns") / 1e6 for t in texts], "absolute")
    add("policy open, memory of each worker's own", "KiB", None, [value(t, "asked_kib") for t in texts], "absolute")
    add("policy generation (%s)" % name, "KiB", None, [value(t, "generation_kib") for t in texts], "absolute")


def large():
    """Of all kinds of rules the worst, for each figure; large.sh alone shows each."""
    text = run([os.path.join(TOP, "tests/bench/large.sh"), "-k", AGENTSH])
    for verb in ("compile", "validate"):
        for unit, shown, aim in (("s", "s", 5), ("mib", "MiB", 64)):
            every = re.findall(r"^\S+_%s_%s (\S+)$" % (verb, unit), text, re.M)
            add("policy %s, 100,000 rules, worst" % verb, shown, None, [max(map(float, every))], "absolute", aim)


def main():
    os.mkdir(HOST)
    for name in ("spawn", "fs", "net"):
        shutil.copy(os.path.join(BIN, name), HOST)
    with open(host("small"), "w", encoding="ascii") as f:
        f.write("x" * 4096)
    begun = time.monotonic()
    print("%-44s %9s %9s %-7s %8s %8s %9s  %s" % ("", "native", "ours", "unit", "ratio", "bindfs", "diff.", "aim"))
    s = None
    failed = []
    for part in (sessions, execs, files, network, decisions, large):
        if PARTS and part.__name__ not in PARTS:
            continue
        try:
            if part in (execs, files, network):
                s = s or Session()
                part(s)
            else:
                part()
        except (RuntimeError, OSError, subprocess.TimeoutExpired, IndexError, ValueError) as e:
            failed.append("%s: %s" % (part.__name__, e))
    if s:
        s.end()
    with open(OUT, "w", encoding="utf-8") as f:
        json.dump({"kernel": os.uname().release, "cpus": os.cpu_count(), "load_1m": os.getloadavg()[0], "seconds": round(time.monotonic() - begun, 1),
                   "failed": failed, "rows": rows}, f, indent=1)
    for line in failed:
        print("not measured: " + line, file=sys.stderr)
    print("%d of %d aims met; %s" % (sum(r["met"] is True for r in rows), sum(r["met"] is not None for r in rows), OUT))
    return 1 if failed else 0


sys.exit(main())
