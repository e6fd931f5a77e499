#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cache.py DIR AGENTSH SID: what the host changes below DIR, the workspace, and how soon the session sees it. The same file is the part
inside: cache.py inside DIR, which takes lines "WORD PATH" and answers each with one line."""
import ctypes, json, os, random, statistics, subprocess, sys, time

LIMIT_MS = 50


def look(what, path):
    try:
        if what == "list":
            return str(sorted(os.listdir(path)))
        st = os.stat(path)
        return str({"size": st.st_size, "mode": st.st_mode, "ino": st.st_ino, "is": 1, "links": st.st_nlink}[what])
    except OSError as e:
        return e.strerror


def inside(top):
    """see WHAT PATH: what is there; wait WHAT PATH OLD: until it is not OLD, with the time; open PATH: its first line."""
    os.chdir(top)
    for line in sys.stdin:
        word, *args = line.rstrip("\n").split("\t")
        if word == "see":
            answer = look(*args)
        elif word == "cd":
            os.chdir(os.path.join(top, args[0]))
            answer = "there"
        elif word == "open":
            try:
                with open(args[0], encoding="ascii") as f:
                    answer = f.readline().strip()
            except OSError as e:
                answer = e.strerror
        else:
            until = time.monotonic() + 3
            print("looking", flush=True)
            while look(*args[:2]) == args[2] and time.monotonic() < until:
                time.sleep(0.0003)
            answer = "%.9f" % time.monotonic()
        print(answer, flush=True)


class Session:
    def __init__(self, agentsh, sid):
        self.p = subprocess.Popen([agentsh, "exec", sid, "--", "python3", "/workspace/cache.py", "inside", "/workspace"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def put(self, *words):
        self.p.stdin.write("\t".join(words) + "\n")
        self.p.stdin.flush()

    def get(self):
        return self.p.stdout.readline().rstrip("\n")

    def ask(self, *words):
        self.put(*words)
        return self.get()

    def delay(self, what, path, change):
        """Milliseconds from the start of the change to its being seen, where the old state was looked at several times."""
        for _ in range(3):
            old = self.ask("see", what, path)
        self.put("wait", what, path, old)
        self.get()
        time.sleep(random.uniform(0.001, 0.004))
        began = time.monotonic()
        change()
        return (float(self.get()) - began) * 1000


def say(name, ok, why=""):
    print("%s %s" % ("ok" if ok else "not ok", name), flush=True)
    if not ok and why:
        print("  " + why)
    return ok


def write(path, text, how="w"):
    with open(path, how, encoding="ascii") as f:
        f.write(text)


def exchange(a, b):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(316, -100, a.encode(), -100, b.encode(), 2) < 0:
        raise OSError(ctypes.get_errno(), a)


def changes(top, s):
    p = lambda name: os.path.join(top, name)
    for d in ("d", "e", "names"):
        os.mkdir(p(d))
    for name in ("w", "m", "d/f", "e/f", "r"):
        write(p(name), "x\n")

    def replace():
        write(p("r.new"), "y")
        os.rename(p("r.new"), p("r"))

    def make(i):
        write(p("made%d" % i), "x")

    kinds = {
        "write": ("size", lambda i: "w", lambda i: write(p("w"), "x", "a")),
        "chmod": ("mode", lambda i: "m", lambda i: os.chmod(p("m"), 0o644 if i % 2 else 0o600)),
        "create where nothing was": ("is", lambda i: "made%d" % i, make),
        "unlink": ("is", lambda i: "made%d" % i, lambda i: os.unlink(p("made%d" % i))),
        "rename away": ("is", lambda i: "away%d" % i, lambda i: os.rename(p("away%d" % i), p("gone%d" % i))),
        "replace by rename": ("ino", lambda i: "r", lambda i: replace()),
        "exchange of directories": ("ino", lambda i: "d/f", lambda i: exchange(p("d"), p("e"))),
        "list of names": ("list", lambda i: "names", lambda i: write(p("names/n%d" % i), "")),
        "second name": ("links", lambda i: "m", lambda i: os.link(p("m"), p("m%d" % i))),
    }
    for i in range(25):
        write(p("away%d" % i), "x")
    every = []
    for name, (what, path, change) in kinds.items():
        took = [s.delay(what, path(i), lambda i=i: change(i)) for i in range(25)]
        every += took
        say("seen inside within %d ms: %s" % (LIMIT_MS, name), statistics.median(took) < LIMIT_MS, "median %.1f ms" % statistics.median(took))
    every.sort()
    p99 = every[int(len(every) * 0.99) - 1]
    say("of %d changes 99 %% within %d ms" % (len(every), LIMIT_MS), p99 < LIMIT_MS, "p99 %.1f ms, most %.1f ms" % (p99, every[-1]))
    print("# p50 %.2f ms, p99 %.2f ms, most %.2f ms" % (statistics.median(every), p99, every[-1]))


def decisions(top, s):
    """A directory that the host renames is judged by its new name from then on: at once, whoever stands in it."""
    p = lambda name: os.path.join(top, name)
    os.mkdir(p("a"))
    write(p("a/f"), "text\n")
    s.ask("cd", "a")
    stale, before = 0, 0
    for _ in range(50):
        before += s.ask("open", "f") == "text" and s.ask("open", "/workspace/a/f") == "text"
        os.rename(p("a"), p("secret"))
        stale += s.ask("open", "f") == "text"
        stale += s.ask("open", "/workspace/a/f") == "text"
        stale += s.ask("open", "/workspace/secret/f") == "text"
        os.rename(p("secret"), p("a"))
        time.sleep(0.03)
    say("control: what is not denied opens, each time again", before == 50, "%d of 50" % before)
    say("a directory renamed by the host is judged by its new name at once", stale == 0, "%d of 150 opened" % stale)
    write(p("plain"), "text\n")
    ok = s.ask("open", "/workspace/plain") == "text"
    os.rename(p("plain"), p("a/.env"))
    say("a file, too", ok and s.ask("open", "/workspace/a/.env") != "text" and s.ask("open", "/workspace/plain") != "text")
    s.ask("cd", "")


def held(top, s, agentsh, sid):
    """A creation that waits for a person holds its directory's lock: what the host changes there must stop nothing else."""
    p = lambda name: os.path.join(top, name)
    for i in range(12):
        write(p("ask/old%d" % i), "x")
    s.ask("see", "list", "ask")
    for i in range(12):
        s.ask("see", "is", "ask/old%d" % i)
    with subprocess.Popen([agentsh, "exec", sid, "--", "touch", "/workspace/ask/new"], stderr=subprocess.DEVNULL) as waits:
        time.sleep(0.3)
        say("control: a creation waits", waits.poll() is None and not os.path.exists(p("ask/new")))
        for i in range(12):
            os.unlink(p("ask/old%d" % i))
        took = s.delay("size", "w", lambda: write(p("w"), "x", "a"))
        say("what the host changes elsewhere is seen meanwhile", took < LIMIT_MS, "%.1f ms" % took)
        asked = json.loads(subprocess.run([agentsh, "approve", "list"], stdout=subprocess.PIPE, check=True, text=True).stdout)
        subprocess.run([agentsh, "approve", "resolve", asked[0]["id"], "--deny"], stdout=subprocess.DEVNULL, check=False)
    time.sleep(0.1)
    say("and there, when nobody waits any more", s.ask("see", "is", "ask/old3") != "1")


if sys.argv[1] == "inside":
    inside(sys.argv[2])
else:
    session = Session(sys.argv[2], sys.argv[3])
    changes(sys.argv[1], session)
    decisions(sys.argv[1], session)
    held(sys.argv[1], session, *sys.argv[2:4])
    session.p.stdin.close()
    session.p.wait()
