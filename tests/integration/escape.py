# SPDX-License-Identifier: Apache-2.0
"""Tries what a sandboxed program must not be able to do; prints the names of what succeeded. escape.py DIRECTORY"""
import ctypes, os, signal, socket, sys

D = sys.argv[1]
L = ctypes.CDLL(None, use_errno=True)
NULL = None


def sys_call(*a):
    r = L.syscall(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    if r < 0:
        raise OSError(ctypes.get_errno(), "")
    return r


def in_child(f):
    """f in a child: what it changes of itself ends with it."""
    pid = os.fork()
    if pid == 0:
        try:
            f()
            os._exit(0)
        except Exception:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    if status:
        raise OSError("failed")


def other():
    """A process of our own to act on."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return pid


def with_other(f):
    pid = other()
    try:
        f(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def made(name, mode, f):
    path = os.path.join(D, name)
    f(path)
    if os.stat(path).st_mode & 0o6000 & mode != mode & 0o6000:
        raise OSError("bits are gone")


def create(path, mode):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, mode))


def chmod(path, mode):
    create(path, 0o755)
    os.chmod(path, mode)


tries = {
    "suid by open": lambda: made("s1", 0o4755, lambda p: create(p, 0o4755)),
    "sgid by open": lambda: made("s2", 0o2755, lambda p: create(p, 0o2755)),
    "suid by chmod": lambda: made("s3", 0o4755, lambda p: chmod(p, 0o4755)),
    "suid by mknod": lambda: made("s4", 0o4755, lambda p: os.mknod(p, 0o104755)),
    "device by mknod": lambda: os.mknod(os.path.join(D, "dev"), 0o020666, os.makedev(1, 3)),
    "ptrace": lambda: with_other(lambda p: sys_call(101, 16, p, 0, 0)),
    "seize": lambda: with_other(lambda p: sys_call(101, 0x4206, p, 0, 0)),
    "process_vm_readv": lambda: with_other(lambda p: sys_call(310, p, 0, 0, 0, 0, 0)),
    "pidfd_getfd": lambda: with_other(lambda p: sys_call(438, sys_call(434, p, 0), 0, 0)),
    "unshare user": lambda: in_child(lambda: sys_call(272, 0x10000000)),
    "unshare net": lambda: in_child(lambda: sys_call(272, 0x40000000)),
    "unshare mount": lambda: in_child(lambda: sys_call(272, 0x20000)),
    "setns": lambda: in_child(lambda: sys_call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
    "mount": lambda: in_child(lambda: (sys_call(272, 0x20000), sys_call(165, b"none", D.encode(), b"tmpfs", 0, NULL))),
    "mount by itself": lambda: sys_call(165, b"none", D.encode(), b"tmpfs", 0, NULL) or sys_call(166, D.encode(), 2),
    "open_tree": lambda: os.close(sys_call(428, -100, b"/", 1)),
    "fsopen": lambda: os.close(sys_call(430, b"tmpfs", 0)),
    "chroot": lambda: in_child(lambda: sys_call(161, D.encode())),
    "bpf": lambda: os.close(sys_call(321, 0, ctypes.create_string_buffer(b"\1\0\0\0\4\0\0\0\4\0\0\0\1\0\0\0" + bytes(112)), 128)),
    "io_uring": lambda: os.close(sys_call(425, 4, ctypes.create_string_buffer(256))),
    "userfaultfd": lambda: os.close(sys_call(323, 1)),
    "keyctl": lambda: sys_call(250, 0, -3, 1),
    "perf": lambda: os.close(sys_call(298, ctypes.create_string_buffer(b"\1\0\0\0\x70\0\0\0" + bytes(104)), 0, -1, -1, 0)),
    "name_to_handle": lambda: sys_call(303, -100, D.encode(), ctypes.create_string_buffer(b"\x80\0\0\0" + bytes(132)), ctypes.byref(ctypes.c_int()), 0),
    "sethostname": lambda: in_child(lambda: (sys_call(272, 0x4000000), sys_call(170, b"x", 1))),
    "proc sys write": lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
    "sysrq": lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)),
    "kcore": lambda: os.read(os.open("/proc/kcore", os.O_RDONLY), 1)[0],
    "root of pid 1": lambda: os.listdir("/proc/1/root"),
    "descriptors of pid 1": lambda: os.readlink("/proc/1/fd/1"),
    "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "a netfilter socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "a listener below 1024": lambda: socket.create_server(("127.0.0.1", 617)),
    "setuid 0 from nobody": lambda: in_child(lambda: (os.setresuid(65534, 65534, 0), os.setresuid(0, 0, 0))) if os.getuid() == 0 else 1 / 0,
    "i386 call": lambda: in_child(lambda: os.execv("/workspace/int80", ["int80"])) if os.path.exists("/workspace/int80") else in_child(
        lambda: os.execv(os.path.join(D, "int80"), ["int80"])),
}
for name, f in tries.items():
    try:
        f()
        print(name)
    except Exception:
        pass
