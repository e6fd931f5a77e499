#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""garbage.py RUN_DIR SESSION: on each daemon's socket, what no client would send; prints "ok NAME" / "not ok NAME".

A bad frame costs its sender the connection (or gets a refusal); after each, another client is answered at once, and the daemon keeps no
descriptor of it.
"""
import array, os, resource, socket, struct, sys, time

RUN, SESSION = sys.argv[1], sys.argv[2]
failed = 0


def say(good, name):
    global failed
    print(("ok " if good else "not ok ") + name, flush=True)
    failed |= not good


def connect(daemon):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    for _ in range(1000):
        try:
            s.connect("%s/%s.sock" % (RUN, daemon))
            break
        except BlockingIOError:  # its queue is full
            time.sleep(0.01)
    return s


def frame(kind, body=b"", flags=0, length=None, zero=0):
    return struct.pack("<HHIII", kind, flags, 1, len(body) if length is None else length, zero) + body


def text(b):
    return struct.pack("<I", len(b)) + b


def kind_of(answer):
    return struct.unpack("<H", answer[:2])[0] if len(answer) >= 16 else 0


def alive(daemon):
    """Another client: its version question is answered within the socket's timeout."""
    try:
        s = connect(daemon)
        s.send(frame(1))
        good = kind_of(s.recv(70000)) == 50
        s.close()
        return good
    except OSError as e:
        print("  %s: %s" % (daemon, e))
        return False


def closed(s):
    """The daemon closed: at once, or after a refusal (51). Anything else that is answered is wrong."""
    try:
        while True:
            b = s.recv(70000)
            if not b:
                return True
            if kind_of(b) != 51:
                return False
    except (ConnectionResetError, BrokenPipeError):
        return True
    except socket.timeout:
        return False
    finally:
        s.close()


def send(s, b, fds=()):
    try:
        if fds:
            s.sendmsg([b], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        else:
            s.send(b)
        return True
    except OSError:
        return False


NULL = os.open("/dev/null", os.O_RDWR)
BAD = [
    ("one byte", b"x", 0), ("half a header", b"\1\0\0\0", 0), ("a header less one", frame(1)[:15], 0), ("noise", b"garbage" * 100, 0),
    ("a long message", b"\1" * 70000, 0), ("a very long message", b"\0" * 180000, 0), ("an unknown type", frame(999), 0), ("type 0", frame(0), 0),
    ("a length too small", frame(4, text(b"abc"), length=3), 0), ("a length too large", frame(4, text(b"abc"), length=60000), 0),
    ("a length of 4 GiB", frame(1, length=0xffffffff), 0), ("unknown flags", frame(1, flags=0x8000), 0), ("the zero is not", frame(1, zero=1), 0),
    ("an answer as question", frame(50), 0), ("a worker's message", frame(61, text(b"x")), 0), ("the parent's message", frame(60, b"\0" * 12), 1),
    ("a body too long", frame(4, text(b"a" * 200)), 0), ("a string past its end", frame(4, struct.pack("<I", 100) + b"ab"), 0),
    ("a string with NUL", frame(5, text(b"a\0b")), 0), ("bytes behind the string", frame(5, text(b"ab") + b"x"), 0),
    ("an id that climbs", frame(4, text(b"../../etc")), 0), ("an id that is unknown", frame(5, text(b"session-none")), 0),
    ("the wrong first message", frame(36), 0), ("a descriptor too many", frame(1), 1), ("a descriptor missing", frame(10, b"\0" * 32), 0),
    ("five descriptors", frame(10, b"\0" * 32), 5), ("200 descriptors", frame(10, b"\0" * 32), 200), ("descriptors and noise", b"zzz", 30),
]


def descriptors(daemon):
    """Open descriptors of the daemon's parent, found by who listens."""
    s = connect(daemon)
    pid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    s.close()
    return pid


def count(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def parent_socket(daemon):
    pid = descriptors(daemon)
    alive(daemon)
    before = count(pid)
    for name, b, n in BAD:
        s = connect(daemon)
        send(s, b, [NULL] * n)
        say(closed(s) and alive(daemon), "%s: %s costs its sender the connection" % (daemon, name))
    for _ in range(50):
        if count(pid) <= before:
            break
        time.sleep(0.05)
    say(count(pid) <= before, "%s: no descriptor stays behind" % daemon)


def session_socket(daemon):
    """The same inside a session: bad frames of an attached client."""
    good = True
    for name, b, n in BAD:
        s = connect(daemon)
        s.send(frame(5, text(SESSION)))
        if kind_of(s.recv(70000)) != 50:
            say(False, "%s: a client attaches after %s" % (daemon, name))
            return
        s.settimeout(0.3)
        send(s, b, [NULL] * n)
        closed(s)
        s.close()
        other = connect(daemon)
        other.send(frame(5, text(SESSION)))
        ok = kind_of(other.recv(70000)) == 50
        other.send(frame(36))
        ok = ok and kind_of(other.recv(70000)) == 50
        other.close()
        if not ok:
            print("  after " + name)
        good = good and ok
    say(good, "%s: a session outlives what an attached client sends" % daemon)


def silent(daemon):
    held = []
    for i in range(1000):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.setblocking(False)
        try:
            s.connect("%s/%s.sock" % (RUN, daemon))
        except BlockingIOError:
            time.sleep(0.002)
            try:
                s.connect("%s/%s.sock" % (RUN, daemon))
            except OSError:
                pass
        held.append(s)
    start = time.monotonic()
    good = all(alive(daemon) for _ in range(20))
    took = time.monotonic() - start
    say(good and took < 10, "%s: 1000 connections that say nothing keep nobody out (20 answers in %.2f s)" % (daemon, took))
    for s in held:
        s.close()


def refused(s, wait):
    """An error within so many seconds; anything else, or silence, is none."""
    s.settimeout(wait)
    try:
        return kind_of(s.recv(70000)) == 51
    except OSError:
        return False


def opened(daemon, uid, n):
    """As that user: n sessions that are opened and say nothing more, and how many of them are refused."""
    held = []
    os.seteuid(uid)
    for _ in range(n):
        s = connect(daemon)
        s.send(frame(4, text(b"")))
        held.append(s)
    os.seteuid(0)
    return held, sum(refused(s, 0.01) for s in held)


def sessions():
    return set(os.listdir(os.path.join(os.path.dirname(RUN), "data", "sessions")))


def unfinished():
    """Set-ups that stop after their first message: of one user they leave room, and they end by themselves, without a trace."""
    for d in ("execd", "fsd", "netd"):
        os.chmod("%s/%s.sock" % (RUN, d), 0o666)
    before = sessions()
    start = time.monotonic()
    held, no = opened("fsd", 12345, 256)
    if no < 64:
        time.sleep(3)
        no += sum(refused(s, 0.01) for s in held)
    say(no == 64, "one user gets three quarters of the places (%d of 256 refused)" % no)
    others, no = opened("fsd", 12346, 56)
    say(no == 56 - (256 - 16 - 192 - 1), "the last 16 are root's (%d of 56 refused)" % no)
    root, no = opened("fsd", 0, 1)
    say(no == 0, "which has them")
    for d in ("execd", "netd"):
        root += opened(d, 0, 1)[0]
    say(sessions() > before, "control: the sessions were begun")
    for s in root:
        s.settimeout(60)
        while kind_of(s.recv(70000)) not in (51, 0):
            pass
    took = time.monotonic() - start
    say(took < 59, "a set-up that stops is ended")
    for _ in range(600):
        if sessions() == before:
            break
        time.sleep(0.1)
    say(sessions() == before, "and leaves no directory")
    say(opened("fsd", 12345, 1)[1] == 0, "and its place is free")
    for s in held + others + root:
        s.close()


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
SESSION = SESSION.encode()
for d in ("execd", "fsd", "netd"):
    parent_socket(d)
    session_socket(d)
    silent(d)
unfinished()
sys.exit(failed)
