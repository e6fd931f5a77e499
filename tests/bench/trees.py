# SPDX-License-Identifier: Apache-2.0
"""Rows about files: the native file system, bindfs over it and a session's workspace, in turn over the same files."""
import os, shutil, subprocess, tarfile, time

MIB = 256
DIRS, EACH = 400, 50      # the tree: 20,000 files
SMALL = 4000              # files of the archive
DONE = "rc=$?; [ $rc -le 1 ]"


class Sides:
    """Where each side sees the folder that all measure in, and how it runs a program there."""

    def __init__(self, b, s):
        self.b = b
        self.peer = os.path.join(b.DIR, "bindfs")
        os.mkdir(self.peer)
        self.mount()
        self.places = {"native": b.HOST, "peer": os.path.join(self.peer, "bench"), "ours": b.IN}
        self.session = s

    def mount(self):
        self.b.run(["bindfs", self.b.WS, self.peer])

    def remount(self):
        self.b.run(["umount", self.peer])
        self.mount()

    def run(self, side, prog, *argv):
        """prog of the bench's own, with argv in which @ stands for the side's folder."""
        at = self.places[side]
        argv = [at + "/" + prog] + [a.replace("@", at) for a in argv]
        return self.session.exec(*argv) if side == "ours" else self.b.run(argv)

    def shell(self, side, runs, text):
        """Milliseconds of a shell's text: that is native's spawn of it, not that of agentsh exec."""
        return self.b.value(self.run(side, "spawn", str(runs), "/bin/sh", "-c", "cd @ && " + text)) / 1e6

    def each(self, rounds, f):
        """f(side) of each side, in turn: native, ours, peer."""
        return self.b.turns(rounds, *[lambda i, side=side: f(side) for side in ("native", "ours", "peer")])

    def row(self, name, unit, rounds, f, kind="ratio", aim=None, better="lower"):
        native, ours, peer = self.each(rounds, f)
        self.b.add(name, unit, native, ours, kind, aim, better, peer)

    def calls(self, name, rounds, argv, kind="ratio", aim=None):
        self.row(name, "1/s", rounds, lambda side: self.b.value(self.run(side, "fs", *argv), "per_s"), kind, aim, "higher")


def small_calls(t):
    b = t.b

    def fresh(side):
        # Memory that a virtual machine's host took back costs ten times as much to write to: one round that does not count has it
        # ready, and nothing is left that a writer would be made to wait for.
        t.run("native", "fs", "write", "@/ready", str(MIB))
        os.unlink(b.host("ready"))
        os.sync()
        rate = b.value(t.run(side, "fs", "write", "@/big", str(MIB)), "per_s") / 1e6
        os.unlink(b.host("big"))
        return rate

    t.row("sequential write, %d MiB" % MIB, "MB/s", 3, fresh, "ratio", 0.95, "higher")
    t.run("native", "fs", "write", "@/warm", str(MIB))
    for side in ("ours", "peer"):
        t.run(side, "fs", "read", "@/warm")
    t.row("sequential read, %d MiB, warm" % MIB, "MB/s", 5, lambda side: b.value(t.run(side, "fs", "read", "@/warm"), "per_s") / 1e6,
          "ratio", 0.95, "higher")
    t.calls("random read, 4 KiB", 5, ("pread", "@/warm", "50000"), "ratio", 0.9)
    t.calls("random write, 4 KiB", 5, ("pwrite", "@/warm", "20000"), "ratio", 0.9)
    os.unlink(b.host("warm"))
    t.calls("stat, warm", 7, ("stat", "@/small", "200000"), "ratio", 0.9)
    t.calls("open+close", 7, ("open", "@/small", "5000"), "peer", 3)
    os.mkdir(b.host("made"))
    t.calls("create+unlink", 5, ("create", "@/made", "500"), "peer", 3)
    os.mkdir(b.host("names"))
    for i in range(1000):
        with open(b.host("names/n%04d" % i), "w", encoding="ascii"):
            pass
    t.calls("readdir of 1,000 names", 7, ("list", "@/names", "50"), "peer", 3)


def make_tree(b):
    """A git repository of files of 0.4 to 8 KiB, two folders deep, and an archive of some of it."""
    top = b.host("tree")
    for d in range(DIRS):
        at = os.path.join(top, "p%d" % (d // 20), "d%d" % d)
        os.makedirs(at)
        for f in range(EACH):
            with open(os.path.join(at, "f%d.c" % f), "w", encoding="ascii") as out:
                out.write("int f_%d_%d(int x) { return x; }\n" % (d, f) * (10 + (d * 7 + f * 13) % 190))
    for argv in (["init", "-q"], ["add", "-A"], ["-c", "user.name=b", "-c", "user.email=b@bench.test", "commit", "-qm", "all"]):
        b.run(["git", "-c", "gc.auto=0", *argv], cwd=top)
    with tarfile.open(b.host("some.tar"), "w") as tar:
        for d in range(SMALL // EACH):
            tar.add(os.path.join(top, "p%d" % (d // 20), "d%d" % d), "some/d%d" % d)
    os.sync()
    time.sleep(1.1)  # git reads anew what is as young as its index
    b.run(["git", "status", "--porcelain"], cwd=top)


def first(t):
    """A session, and a bindfs, that have seen nothing yet."""
    b, others = t.b, t.session
    t.session = None
    native, ours, peer = [], [], []
    for _ in range(3):
        native.append(t.shell("native", 1, "du -s tree >/dev/null"))
        t.remount()
        peer.append(t.shell("peer", 1, "du -s tree >/dev/null"))
        t.session = b.Session()
        ours.append(t.shell("ours", 1, "du -s tree >/dev/null"))
        t.session.end()
    t.session = others
    b.add("du of %d files, first touch" % (DIRS * EACH), "ms", native, ours, "peer", 1 / 3, "lower", peer)


def readers(t):
    for name, runs, rounds, text, aim in (
            ("git status", 3, 5, "git -C tree --no-optional-locks status --porcelain >/dev/null", 1.1),
            ("find", 3, 5, "find tree -type f >/dev/null", 1.1),
            ("ls -lR", 1, 3, "ls -lR tree >/dev/null", 1.1),
            ("du", 2, 3, "du -s tree >/dev/null", 1.1),
            ("grep -r", 1, 3, "grep -r no_such_text tree >/dev/null; " + DONE, 2.5),
            ("git grep", 1, 3, "git -C tree grep --threads 1 -q no_such_text; " + DONE, 3)):
        t.row("%s, %d files" % (name, DIRS * EACH), "ms", rounds, lambda side, runs=runs, text=text: t.shell(side, runs, text), "ratio", aim)


def writers(t):
    gone = {"native": [], "ours": [], "peer": []}

    def untar(side):
        os.sync()
        took = t.shell(side, 1, "mkdir out && tar -C out -xf some.tar")
        os.sync()
        gone[side].append(t.shell(side, 1, "rm -rf out"))
        return took

    t.row("untar, %d files" % SMALL, "ms", 3, untar, "ratio", 1.25)
    t.b.add("rm -rf of them (ours: kept)", "ms", gone["native"], gone["ours"], "ratio", 2, "lower", gone["peer"])


def make(t):
    b = t.b
    src = b.host("src")
    os.mkdir(src)
    shutil.copytree(os.path.join(b.TOP, "common"), os.path.join(src, "common"))
    with open(os.path.join(src, "Makefile"), "w", encoding="ascii") as f:
        f.write("all: $(patsubst common/%.c,$(O)/%.o,$(wildcard common/*.c))\n$(O)/%.o: common/%.c\n"
                "\t@mkdir -p $(@D)\n\t@gcc -std=gnu17 -D_GNU_SOURCE -I. -O1 -MMD -c -o $@ $<\n")
    t.row("make -j2 of %d C files" % len([n for n in os.listdir(os.path.join(src, "common")) if n.endswith(".c")]), "ms", 3,
          lambda side: t.shell(side, 1, "rm -rf o; make -s -C src -j2 O=../o >/dev/null"), "ratio", 1.05)


def measure(b, s):
    t = Sides(b, s)
    try:
        small_calls(t)
        make_tree(b)
        first(t)
        readers(t)
        writers(t)
        make(t)
    finally:
        subprocess.run(["umount", t.peer], check=False)
