# SPDX-License-Identifier: Apache-2.0
"""Random questions about a policy, most of them near an edge of one of its rules, and how they are written as cases."""
import posixpath
import re
import string

import commands
import globs
import reference
from generate import PIECES, ROOTS, LABELS, ADDRESSES, PORTS, PROGRAMS, PLACES, OPERANDS, METHODS, REQUESTS, SOCKETS, TARGETS, ENVS, Rules


class Generator(Rules):
    def flesh(self, flat, sep):
        """A text that a flat glob matches."""
        out = b""
        for part in flat:
            if isinstance(part, int):
                out += bytes([part])
            elif part != "**" and sep and self.chance(0.03 if part == "*" else 0.5 if isinstance(part, tuple) else 0.15):
                out += sep.encode()
            elif part == "?":
                out += self.d.choice([b"a", b"b", b"z", b".", b"~"])
            elif part == "*":
                out += self.d.choice([b"", b"a", b"src", b"x.key", b"B", b".env"] + ([] if sep == "." else [b"a.b"]))
            elif part == "**":
                out += self.d.choice([b"", b"a", b"a" + (sep or "").encode() + b"b", b"src" + (sep or "").encode() + b"x.key", b"/workspace/a/"[: 99 if sep == "/" else 0]])
            else:
                inside = sorted(part[0])
                out += bytes([self.d.choice(inside)]) if not part[1] else bytes([self.d.choice([c for c in b"abcxyz09AZ" if c not in part[0]] or [95])])
        return out

    def near(self, text):
        """The same text or a near miss."""
        k = self.d.randrange(14)
        if not text or k < 8:
            return text
        at = self.d.randrange(len(text))
        if k == 8:
            return text[:at] + text[at + 1:]
        if k == 9:
            return text[:at] + bytes([self.d.choice(b"abz./*[ A-")]) + text[at:]
        if k == 10:
            return text + self.d.choice([b"/x", b"x", b".real", b"/", b"/a/b"])
        if k == 11:
            return text.swapcase()
        if k == 12:
            return text[:at] + bytes([self.d.choice(b"\xff\xc3\x01\x7f'\"#\\$`~ ")]) + text[at + 1:]
        return text[:at]

    def hit(self, pools, sep):
        """A text near one of the globs (bytes), which are (glob, separator) ready made."""
        flats = self.d.choice(pools).flats
        return self.near(self.flesh(self.d.choice(flats), sep))

    def questions(self, policy, n):
        """n questions about a reference.Policy."""
        self.policy_now = policy
        kinds = [k for k in ("file", "net", "dns", "exec", "unix", "signal", "http", "service", "env", "dns-redirect", "connect-redirect") if k in self.have]
        weights = {"file": 4, "net": 3, "exec": 5, "http": 2, "unix": 2, "signal": 2}
        out = []
        for kind in self.d.choices(kinds, [weights.get(k, 1) for k in kinds], k=n):
            q = getattr(self, "ask_" + kind.replace("-", "_"))()
            if q is None:
                continue
            q["kind"] = kind
            if "by" in self.have and kind in ("file", "net", "dns", "exec", "unix", "signal", "http") and self.chance(0.4):
                q["by"] = [self.program() for _ in range(self.d.randint(1, 3))]
            out.append(q)
        return out

    def globs_of(self, section, key, sep, fold=False):
        p = self.policy_now
        return [p.glob(g, sep, fold) for r in p.rules(section) for g in r.get(key, [])]

    @staticmethod
    def text(b):
        return b.replace(b"\0", b"").replace(b"\n", b"").replace(b"\r", b"").decode("utf-8", "surrogateescape")

    def ask_file(self):
        pools = self.globs_of("file_rules", "paths", "/")
        path = self.hit(pools, "/") if pools and self.chance(0.85) else "/".join([self.d.choice(ROOTS)] + self.some(PIECES, 0, 4)).encode()
        if "slash" in self.have and self.chance(0.08):
            path = path.replace(b"/", self.d.choice([b"//", b"/./", b"/x/../"]), 1)
        path = self.text(path)
        if not path.startswith("/"):
            path = "/" + path
        if "slash" not in self.have:
            path = re.sub("^//", "/", posixpath.normpath(path))
        if "root" not in self.have and posixpath.normpath(path) in ("/", "//"):
            path = "/a"
        return {"op": self.d.choice(reference.FILE_OPS), "path": path}

    def some_host(self):
        pools = self.globs_of("network_rules", "domains", ".", True)
        host = self.hit(pools, ".") if pools and self.chance(0.8) else ".".join(self.some(LABELS, 1, 4)).encode()
        if "host-case" not in self.have:
            host = host.lower()
        host = "".join(c for c in host.decode("latin-1") if c in string.ascii_letters + string.digits + "-._")
        while ".." in host:
            host = host.replace("..", ".")
        host = host.strip(".") or "x.test"
        if re.fullmatch(r"[0-9.]+", host):
            host += "x"
        if "service" in self.have and self.policy_now.rules("http_services") and self.chance(0.1):
            s = self.d.choice(self.policy_now.rules("http_services"))
            host = self.d.choice([re.sub(r"^https://([^/:]*).*", r"\1", s["upstream"])] + s.get("aliases", []))
        return host

    def ask_net(self):
        q = {"port": self.d.choice(PORTS + [1])}
        k = self.d.randrange(10)
        if k < 8:
            q["host"] = self.some_host()
        if k >= 5:
            q["addr"] = self.d.choice(ADDRESSES)
        return q

    def ask_dns(self):
        return {"host": self.some_host()}

    def program(self):
        p = self.policy_now
        k = self.d.randrange(6)
        entries = [e for r in p.rules("command_rules") for e in r.get("commands", []) + r.get("processes", [])]
        if k < 3 and entries:
            entry = self.d.choice(entries)
            path = "/" in entry or entry.startswith("${")
            try:
                name = self.near(self.flesh(self.d.choice(p.glob(entry, "/" if path else None, False, path).flats), "/" if path else None))
            except globs.BadGlob:
                name = entry.encode()
            name = self.text(name)
        else:
            name = self.d.choice(PROGRAMS)
        if k == 5:
            name = self.d.choice(PLACES) + name.rsplit("/", 1)[-1]
        if self.chance(0.05):
            name += ".real"
        name = name.replace("=", "").replace(",", "")
        if "look-through" not in self.have and name.lower() != name and commands.base(name.encode("utf-8", "surrogateescape")) in commands.WRAPPERS:
            name = name.lower()
        return name if name.strip("/. ") and not name.endswith("/") and name not in ("->", "#") else "git"

    def words(self):
        out = self.some(OPERANDS, 0, 3)
        if self.samplers and self.chance(0.6):
            out.insert(self.d.randint(0, len(out)), self.text(self.near(self.d.choice(self.samplers)().encode())))
        out = [w for w in out if w != "->"]
        while "long-text" not in self.have and self.samplers and len(" ".join(out).encode("utf-8", "surrogateescape")) > 15:
            out.pop()
        return out

    def command(self, levels):
        """An argument vector; levels: how many programs run one another."""
        if levels == 0:
            program, words = self.program(), self.words()
            if commands.base(program.encode("utf-8", "surrogateescape")) in commands.WRAPPERS:
                words = [w for w in words if not w.startswith("-") and "=" not in w and self.levels]    # options behind assignments
            return [program] + words
        under = self.command(levels - 1)
        d = self.d
        if self.chance(0.45):
            flags = d.choice([["-c"], ["-c"], ["-ec"], ["-e", "-c"], ["-lc"], ["-euxc"], ["-e"]])
            if "synthesised" in self.have and self.chance(0.15):
                flags = d.choice([["-o", "pipefail", "-c"], ["-pc"], ["--norc", "-c"], ["--login", "--rcfile", "f", "-c"], ["-eo", "pipefail", "-c"], ["-oe", "x", "-c"],
                                  ["-O", "extglob", "-c"], ["+o", "x", "+e", "-c"], ["-abCefhmnuvxc"], ["+c"], ["-c", "-"], ["-norc", "-c"], ["--norc=", "-c"]])
            script = self.script(under)
            return [d.choice(["", "/bin/", ""]) + d.choice(["sh", "bash", "dash", "zsh", "ash"])] + flags + [script] + self.some(OPERANDS[:3], 0, 1)
        if self.chance(0.05):
            text = self.script(under)
            return ["env"] + d.choice([["-S", text], ["-iS" + text], ["--split-string=-u A " + text], ["-uA", "-S", text, "x"], ["-S", " "] + under, ["-S", "-S " + text]])
        head = d.choice([["env"], ["env", "A=1"], ["env", "-i"], ["env", "-a", "x", "-C", "/"], ["env", "-u", "X"], ["env", "-uX", "B=2"], ["env", "--", "A=1"], ["/usr/bin/env"], ["nice"],
                         ["nice", "-n", "5"], ["nice", "-5"], ["nice", "-n5"], ["nohup"], ["timeout", "5"], ["timeout", "-s", "KILL", "5s"],
                         ["timeout", "--signal=KILL", "-k", "3", "1m"], ["timeout", "--preserve-status", "5"], ["xargs"], ["xargs", "-0", "-n", "1"],
                         ["xargs", "-I", "{}"], ["xargs", "-n1", "-P", "4"], ["setsid"], ["setsid", "-w"], ["stdbuf", "-oL"], ["stdbuf", "-o", "L"], ["busybox"],
                         ["/bin/busybox"], ["sudo"], ["sudo", "-u", "root"], ["sudo", "-n", "--"], ["sudo", "A=1"], ["doas"], ["doas", "-u", "root"], ["time"],
                         ["time", "-p"], ["command"], ["command", "-v"], ["command", "-p"], ["exec"], ["exec", "-a", "x"], ["exec", "-cla", "x"], ["chroot", "/x"], ["ionice", "-c", "3"],
                         ["ionice", "-c3", "-n", "1"], ["taskset", "1"], ["taskset", "-c", "0"], ["watch"], ["watch", "-n", "1"], ["strace"],
                         ["/lib64/ld-linux-x86-64.so.2"], ["/lib64/ld-linux-x86-64.so.2", "--library-path", "/x"], ["ld.so", "--argv0", "y"], ["ld.so", "--new"], ["ld.so", "-d/p"], ["ld-musl-x.so.1", "--argv0=git", "--"], ["libc.so", "--list=x"], ["ld.so", "--inhibit-rpath", "a", "--argv0", "git"]])
        return head + under

    def script(self, argv):
        k = self.d.randrange(10)
        quoted = " ".join(w if re.fullmatch(r"[A-Za-z0-9_./=@:+,-]+", w) else "'" + w.replace("'", "") + "'" for w in argv)
        if k == 0:
            return quoted + self.d.choice([" | cat", "; true", " > x", " $X", " &"])
        if k == 1:
            return self.d.choice(["A=1 ", "A= B=2 ", "exec ", "command ", "nohup ", "time "]) + quoted
        if k == 2:
            return self.d.choice(["echo hi", "cd /", ":", "", "  ", "A=1", "'"])
        return quoted

    def ask_exec(self):
        q = {"argv": self.command(self.d.choice([0, 0, 0, 1, 1, 2, 3, 4, 5]) if self.levels else 0)}
        path = self.d.choice(PLACES[:5]) + self.program().rsplit("/", 1)[-1]
        runs_another = any(commands.base(p.encode("utf-8", "surrogateescape")) in commands.SHELLS | commands.WRAPPERS or "ld" in p for p in (path, q["argv"][0]))
        if self.chance(0.2) and ("both-names" in self.have or not runs_another):
            if path.startswith("/") and "=" not in q["argv"][0]:
                q["file"] = path
        if "depth" in self.have and self.chance(0.3):
            q["depth"] = self.d.randint(0, 3)
        if "sha256" in self.have and self.chance(0.2):
            q["sha256"] = self.digest().lower()
        return q

    def ask_unix(self):
        pools = self.globs_of("unix_socket_rules", "paths", "/")
        path = self.text(self.hit(pools, "/")) if pools and self.chance(0.8) else self.d.choice(SOCKETS)
        return {"op": self.d.choice(reference.UNIX_OPS), "path": path if path[:1] in ("/", "@") and len(path) > 1 else "/" + path}

    def ask_signal(self):
        q = {"signal": self.d.choice(["KILL", "SIGTERM", "hup", "9", "17", "64", "STOP", "USR1", "URG", "SIGSYS", "33", "abrt", "3", "TTOU", "SIGWINCH", "INT"]), "targets": self.few(TARGETS, 1, 3)}
        if self.chance(0.4):
            q["process"] = self.d.choice(["npm", "python3", "git", "NPM", "node"])
        if self.chance(0.4):
            q["pid"] = self.d.randint(1, 60)
        return q

    def ask_http(self):
        q = {"method": self.any_case(self.d.choice(METHODS)), "path": self.request(), "port": self.d.choice([80, 443, 443, 8080])}
        q["scheme"] = {80: "http", 443: "https"}.get(q["port"], "http")
        if self.chance(0.9):
            q["host"] = self.some_host()
        else:
            q["addr"] = self.d.choice(ADDRESSES)
        return q

    def request(self):
        path = self.d.choice(REQUESTS)
        if self.chance(0.3):
            path = self.text(self.near(path.encode()))
        if self.chance(0.15):
            path += self.d.choice(["?q=/admin", "/../admin", "/%2e%2e/x", "//", "/.", "/..x", "/%2f", "/"])
        path = path.replace("#", "")
        return path if path.startswith("/") else "/" + path

    def ask_service(self):
        services = self.policy_now.rules("http_services")
        if not services:
            return None
        path = self.request()
        if "service-path" not in self.have and reference.Policy.bad_path(path):
            path = "/v1"
        return {"name": self.any_case(self.d.choice(services)["name"]), "method": self.d.choice(METHODS), "path": path}

    def ask_env(self):
        q = {"name": self.d.choice(ENVS)}
        if self.chance(0.3):
            q["argv"] = [self.program()] + self.words()
        return q

    def ask_dns_redirect(self):
        return {"host": self.some_host()}

    def ask_connect_redirect(self):
        return {"host": self.some_host(), "port": self.d.choice(PORTS)}


def word(text):
    """One word of a case line, quoted as a POSIX shell reads it."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]+", text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def line(q):
    """The question as the left side of a case."""
    kind = q["kind"]
    out = ["by", ",".join(q["by"])] if q.get("by") else []
    out.append(kind)
    if kind in ("file", "unix"):
        out += [q["op"], q["path"]]
    elif kind == "net":
        addr = q.get("addr")
        where = "[%s]" % addr if addr and ":" in addr else addr
        out.append((q["host"] + "@" + where if addr else q["host"]) + ":%d" % q["port"] if "host" in q else "%s:%d" % (where, q["port"]))
    elif kind in ("dns", "dns-redirect"):
        out.append(q["host"])
    elif kind == "connect-redirect":
        out.append("%s:%d" % (q["host"], q["port"]))
    elif kind == "exec":
        out += ["depth=%d" % q["depth"]] if "depth" in q else []
        out += ["sha256=" + q["sha256"]] if "sha256" in q else []
        out += [q["argv"][0] + ("=" + q["file"] if "file" in q else "")] + q["argv"][1:]
    elif kind == "signal":
        out += [q["signal"], ",".join(q["targets"] + (["process=" + q["process"]] if "process" in q else []) + (["pid=%d" % q["pid"]] if "pid" in q else []))]
    elif kind == "http":
        host = q.get("host") or ("[%s]" % q["addr"] if ":" in q["addr"] else q["addr"])
        port = "" if (q["scheme"], q["port"]) in (("http", 80), ("https", 443)) else ":%d" % q["port"]
        out += [q["method"], "%s://%s%s%s" % (q["scheme"], host, port, q["path"])]
    elif kind == "service":
        out += [q["name"], q["method"], q["path"]]
    elif kind == "env":
        out += [q["name"]] + (["for"] + q["argv"] if "argv" in q else [])
    return " ".join(word(w) for w in out)
