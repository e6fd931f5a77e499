# SPDX-License-Identifier: Apache-2.0
# A client that replaces a session's policy by the bare protocol, wrongly. reload.py RUN SESSION NEXT.mdb OTHER.mdb: prints "ok NAME" or
# "not ok NAME". reload.py RUN SESSION NEXT.mdb damage: brings it damaged in every way that its hash must show. reload.py RUN SESSION NEXT.mdb commit: prepares everywhere, waits for a line, commits; prints the answer.
import array, errno, hashlib, os, random, socket, struct, sys, time

run, session, next_file, other_file = sys.argv[1:5]
failed = 0
DAEMONS = ("execd", "fsd", "netd")
ATTACH, INFO, PREPARE, COMMIT, SETTLED, OK, ERR = 5, 35, 43, 44, 45, 50, 51
text = lambda t: struct.pack("<I", len(t)) + t.encode()


def say(good, name, got=""):
    global failed
    print(("ok " if good else "not ok ") + name + ("" if good else "  got: %s" % (got,)), flush=True)
    failed |= not good


def send(s, kind, body=b"", fd=None):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    s.sendmsg([struct.pack("<HHIII", kind, 0, 1, len(body), 0) + body], rights)


def answer(s):
    """0 for OK, else (errno, words); the body of an OK in answer.body"""
    try:
        b = s.recv(70000)
    except ConnectionResetError:
        b = b""
    if len(b) < 16:
        return (errno.ECONNRESET, "closed")
    kind = struct.unpack("<H", b[:2])[0]
    answer.body = b[16:]
    if kind == OK:
        return 0
    number, n = struct.unpack("<II", b[16:24])
    return (number, b[24:24 + n].decode())


def ask(s, kind, body=b"", fd=None):
    send(s, kind, body, fd)
    return answer(s)


def attach():
    socks = {}
    for d in DAEMONS:
        s = socks[d] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(40)
        s.connect("%s/%s.sock" % (run, d))
        assert ask(s, ATTACH, text(session)) == 0, d
    return socks


def close(socks):
    for s in socks.values():
        s.close()


def generation(socks):
    assert ask(socks["execd"], INFO) == 0
    return struct.unpack("<Q", answer.body[-8:])[0]


def memfd(b):
    fd = os.memfd_create("test", os.MFD_CLOEXEC)
    os.write(fd, b)
    return fd


def prepare(s, b, number, sha=None, fd=None):
    fd = memfd(b) if fd is None else fd
    r = ask(s, PREPARE, (sha or hashlib.sha256(b).digest()) + struct.pack("<Q", number) + text("test"), fd)
    os.close(fd)
    return r


def commit_body(b, number):
    return struct.pack("<Q", number) + hashlib.sha256(b).digest()


def commit(socks, b, number):
    return ask(socks["execd"], COMMIT, commit_body(b, number))


good = open(next_file, "rb").read()
if other_file == "commit":
    socks = attach()
    n = generation(socks) + 1
    for d in DAEMONS:
        assert prepare(socks[d], good, n) == 0, d
    print("prepared", flush=True)
    sys.stdin.readline()
    print(commit(socks, good, n), flush=True)
    sys.exit(0)

if other_file == "damage":
    page, sha = struct.unpack("<I", good[40:44])[0], hashlib.sha256(good).digest()
    random.seed(1)
    # What stands on the two first pages, each byte; a thousand others; the length.
    bytes_ = [p + i for p in (0, page) for i in range(160)] + random.sample(range(len(good)), min(1000, len(good)))
    for d in DAEMONS:
        socks = attach()
        n = generation(socks)
        bad = []
        for at in bytes_:
            turned = bytearray(good)
            turned[at] ^= random.randrange(1, 256)
            r = prepare(socks[d], bytes(turned), n + 1, sha)
            if r == 0 or r[0] != errno.EBADMSG:
                bad.append((at, r))
        say(not bad, "%s opens none with one of %d bytes changed" % (d, len(bytes_)), bad[:5])
        bad = []
        for size in list(range(0, len(good), page)) + [len(good) - 1, len(good) + page]:
            r = prepare(socks[d], (good + b"\0" * page)[:size], n + 1, sha)
            if r == 0 or r[0] != errno.EBADMSG:
                bad.append((size, r))
        say(not bad, d + " opens none that ends at another page", bad)
        r = commit(socks, good, n + 1)
        say(r != 0 and generation(socks) == n, d + ": the generation in force is the one before", r)
        close(socks)
    sys.exit(failed)

other = open(other_file, "rb").read()
socks = attach()
n = generation(socks)
for d in DAEMONS:
    bad = []
    for at in list(range(0, len(good), max(1, len(good) // 40))) + [len(good) - 1]:
        turned = bytearray(good)
        turned[at] ^= 1 << at % 8
        r = prepare(socks[d], bytes(turned), n + 1, hashlib.sha256(good).digest())
        if r == 0 or r[0] != errno.EBADMSG:
            bad.append((at, r))
    say(not bad, d + " opens no generation with a turned bit", bad)
    r = prepare(socks[d], good[:-4096], n + 1, hashlib.sha256(good).digest())
    say(r != 0 and r[0] == errno.EBADMSG, d + " opens none that is cut", r)
    r = prepare(socks[d], good[:100] + b"\0" * 8000, n + 1)
    say(r != 0, d + " opens none that is no generation, with a right hash", r)
    for number in (0, n, n + 2, 2 ** 63):
        r = prepare(socks[d], good, number)
        say(r != 0 and r[0] == errno.ESTALE, d + " takes no number but the next: %d" % (number - n), r)
r = commit(socks, good, n + 1)
say(r != 0 and r[0] == errno.EINVAL, "what was not prepared is not put in place", r)

say(prepare(socks["execd"], good, n + 1) == 0, "control: execd takes a good one")
r = commit(socks, good, n + 1)
say(r != 0 and "fsd" in r[1] or "netd" in r[1], "prepared in execd alone, it is refused", r)
for d in DAEMONS:
    prepare(socks[d], other if d == "netd" else good, n + 1)
r = commit(socks, good, n + 1)
say(r != 0 and "netd" in r[1], "and where netd holds another", r)
for d in DAEMONS:
    prepare(socks[d], good, n + 1)
r = commit(socks, other, n + 1)
say(r != 0 and r[0] == errno.EINVAL, "the hash that is committed is the prepared one's", r)

second = attach()
r = prepare(second["fsd"], other, n + 1)
say(r != 0 and r[0] == errno.EBUSY, "a second client waits for the first", r)
r = commit(second, good, n + 1)
say(r != 0 and r[0] == errno.EINVAL, "and cannot commit what the first prepared", r)
say(generation(second) == n, "nothing of this has changed anything", generation(second))
close(socks)
for d in DAEMONS:
    for _ in range(100):  # until the daemon has seen it
        r = prepare(second[d], good, n + 1)
        if r == 0 or r[0] != errno.EBUSY:
            break
        time.sleep(0.02)
    say(r == 0, d + ": the first gone, the second's turn", r)
# Bytes that change behind the hash: what was opened is a copy.
fd = memfd(good)
again = os.dup(fd)
say(prepare(second["fsd"], good, n + 1, fd=fd) == 0, "control: it may be brought again")
os.pwrite(again, b"\xff" * len(good), 0)
r = commit(second, good, n + 1)
say(r == 0, "control: prepared everywhere, it is put in place", r)
say(generation(second) == n + 1, "as the next generation", generation(second))
r = commit(second, good, n + 1)
say(r != 0, "once", r)
say(ask(second["fsd"], SETTLED) == 0, "and the kernel's look-ups by the last one end")
sys.exit(failed)
