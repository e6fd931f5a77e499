#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Performs acts, one JSON list on stdin, and prints what became of each: [errno or 0, data]. Runs inside a session, and outside on a mirror.

agent.py [ROOT]: paths below /workspace are taken below ROOT instead. Only what is listed here is done.
"""
import errno
import json
import os
import socket
import subprocess
import sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else "/workspace"


def place(path):
    return ROOT + path[len("/workspace"):] if path == "/workspace" or path.startswith("/workspace/") else path


def opened(path, flags, mode=0o644):
    fd = os.open(place(path), flags, mode)
    try:
        out = os.read(fd, 4096).decode("latin-1") if flags & 3 != os.O_WRONLY else ""
        if flags & 3 != os.O_RDONLY:
            os.write(fd, b"+")
        return out
    finally:
        os.close(fd)


def readable(path):
    if not os.access(path, os.R_OK):
        os.stat(path)    # says why, where it is not the permission
        raise PermissionError(errno.EACCES, "not readable")


def run(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return [done.returncode, done.stdout.decode("latin-1")]


def fetch(host, port, mark):
    with socket.create_connection((host, port), 5) as s:
        s.settimeout(5)
        s.sendall(mark.encode() if port == 7 else ("GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (mark, host)).encode())
        got = s.recv(1000)
    if not got:
        raise ConnectionResetError(errno.ECONNRESET, "closed without an answer")
    return "answered"


ACTS = {
    "read": lambda p: opened(p, os.O_RDONLY),
    "open-to-write": lambda p: os.close(os.open(place(p), os.O_WRONLY)),
    "write": lambda p: opened(p, os.O_WRONLY),
    "update": lambda p: opened(p, os.O_RDWR),
    "append": lambda p: opened(p, os.O_WRONLY | os.O_APPEND),
    "create": lambda p: opened(p, os.O_WRONLY | os.O_CREAT),
    "create-new": lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "overwrite": lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    "truncate": lambda p: os.truncate(place(p), 1),
    "mkdir": lambda p: os.mkdir(place(p), 0o755),
    "rmdir": lambda p: os.rmdir(place(p)),
    "unlink": lambda p: os.unlink(place(p)),
    "symlink": lambda p: os.symlink("nowhere", place(p)),
    "readlink": lambda p: os.readlink(place(p)),
    "mkfifo": lambda p: os.mkfifo(place(p), 0o644),
    "chmod": lambda p, mode: os.chmod(place(p), mode),
    "chown": lambda p: os.chown(place(p), os.getuid(), os.getgid()),
    "utime": lambda p: os.utime(place(p), (1000000000, 1000000000)),
    "lstat": lambda p: os.lstat(place(p)).st_mode,
    "access": lambda p: readable(place(p)),
    "list": lambda p: sorted(os.listdir(place(p))),
    "rename": lambda p, q: os.rename(place(p), place(q)),
    "link": lambda p, q: os.link(place(p), place(q)),
    "exec": run,
    "lookup": lambda host: len(socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)) > 0,
    "connect": fetch,
}


LOOKS = {"read", "lstat", "access", "list", "readlink"}


def perform(act):
    # Outside, on the mirror: whatever is asked for, nothing but the mirror is touched.
    if ROOT != "/workspace" and act[0] not in LOOKS and not all(str(p).startswith("/workspace/") for p in act[1:] if not isinstance(p, int)):
        raise RuntimeError("not on the host: %s" % act)
    try:
        return [0, ACTS[act[0]](*act[1:])]
    except socket.gaierror as e:
        return [-1, e.strerror]
    except subprocess.TimeoutExpired:
        return [errno.ETIMEDOUT, "no end"]
    except OSError as e:
        return [e.errno or errno.ETIMEDOUT, str(e)]


if __name__ == "__main__":
    os.umask(0o022)
    json.dump([perform(a) for a in json.load(sys.stdin)], sys.stdout)
