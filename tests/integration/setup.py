# SPDX-License-Identifier: Apache-2.0
# Between a client and the daemons: passes frames on, but for the one that it is told to change. setup.py DIRECTORY REAL-DIRECTORY
# file PATH: SET_FILE names PATH; workspace PATH: execd's SET_WORKSPACE and its mount name PATH.
import array, os, socket, struct, sys, threading

ours, real, what, path = sys.argv[1:5]
word = lambda t: struct.pack("<I", len(t)) + t.encode()

def change(daemon, data):
    kind, flags, number, _, zero = struct.unpack("<HHIII", data[:16])
    body = data[16:]
    if daemon != "execd": return data
    if what == "file" and kind == 17: body = word(path) + word("nameserver 198.18.0.1\n")
    elif what == "workspace" and kind == 11: body = word(path) + word("default")
    elif what == "workspace" and kind == 13 and body[4:] == os.environ["WORKSPACE"].encode(): body = word(path)
    return struct.pack("<HHIII", kind, flags, number, len(body), zero) + body

def receive(a):
    try: return a.recvmsg(70000, socket.CMSG_SPACE(16))
    except ConnectionResetError: return a.recvmsg(70000, socket.CMSG_SPACE(16)) # last words wait behind the reset

def pump(a, b, daemon):
    ends = (b,) if daemon else (a, b) # what the daemon still has to say reaches the client, though it takes no more
    try:
        while True:
            data, anc, _, _ = receive(a)
            if not data: break
            fds = array.array("i", b"".join(c[:4] for _, _, c in anc))
            b.sendmsg([change(daemon, data) if daemon else data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
            for fd in fds: os.close(fd)
    except OSError: pass
    for s in ends:
        try: s.shutdown(socket.SHUT_WR if daemon else socket.SHUT_RDWR)
        except OSError: pass

def serve(listener, daemon):
    while True:
        client, _ = listener.accept()
        up = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        up.connect("%s/%s.sock" % (real, daemon))
        threading.Thread(target=pump, args=(client, up, daemon), daemon=True).start()
        threading.Thread(target=pump, args=(up, client, None), daemon=True).start()

for daemon in ("execd", "fsd", "netd"):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind("%s/%s.sock" % (ours, daemon))
    listener.listen(50)
    threading.Thread(target=serve, args=(listener, daemon)).start()
