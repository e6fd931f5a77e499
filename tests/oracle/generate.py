# SPDX-License-Identifier: Apache-2.0
"""Random policies and random questions about them, biased so that most rules decide something and most questions lie near an edge."""
import posixpath
import re
import string

import commands
import globs
import reference

FILE_WORDS = ["allow", "deny", "approve", "redirect", "audit", "soft_delete"]
NET_WORDS = ["allow", "allow", "deny", "approve", "audit"]
EXEC_WORDS = ["allow", "allow", "deny", "deny", "approve", "redirect", "audit", "soft_delete"]
PIECES = ["a", "b", "src", ".env", ".git", "x.key", "node_modules", "id_rsa", "ü", "we ird", "A", "lib.so", "tmp", "etc", "a.b", "#n", "~"]
ROOTS = ["/workspace", "/workspace", "/etc", "/usr", "/home", "/tmp", "/a"]
LABELS = ["api", "cdn", "example", "evil", "www", "a", "b1", "x-y", "localhost", "test", "com", "org", "io"]
ADDRESSES = ["10.0.0.1", "10.0.0.255", "10.1.2.3", "192.168.1.7", "127.0.0.1", "203.0.113.9", "203.0.113.130", "8.8.8.8", "::1", "fc00::7",
             "2001:db8::10", "2001:db8:ffff::1", "fe80::1"]
NETS = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1", "192.168.0.0/16", "127.0.0.0/8", "203.0.113.0/25", "203.0.113.9/32", "0.0.0.0/0", "::/0",
        "::1/128", "fc00::/7", "2001:db8::/32", "2001:db8::10", "8.8.8.8/31"]
PORTS = [22, 53, 80, 443, 8080, 65535]
PROGRAMS = ["git", "npm", "rm", "ls", "python3", "curl", "make", "reboot", "Git", "g++", "mkfs.ext4", "tool", "true", "null", "cat"]
PLACES = ["/usr/bin/", "/bin/", "/opt/App/", "/workspace/bin/", "/usr/local/bin/", "./", "bin/"]
VARIABLES = {"ORACLE_DIR": "/workspace/proj", "ORACLE_ODD": "/workspace/o*d[d]{x,y}?", "ORACLE_HOST": "Api.Example.com", "ORACLE_BIN": "/opt/App",
             "ORACLE_WORD": "git"}
OPERANDS = ["push", "-f", "--force", "origin", "main", "a b", "", "-rf", "/", "x=1", "it's", "~/x", "*", "$HOME", "a|b", "é", "--", "commit"]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]
REQUESTS = ["/", "/v1", "/v1/models", "/v1/x/y", "/a.b", "/admin", "/v1/admin/x"]
SOCKETS = ["/run/docker.sock", "/run/user/1000/bus", "/tmp/.X11-unix/X0", "@/tmp/dbus-x", "@hidden", "/workspace/s.sock", "/run/a/b"]
TARGETS = ["self", "children", "descendants", "siblings", "session", "parent", "external", "system", "user"]
ENVS = ["HOME", "PATH", "AWS_PROFILE", "LD_PRELOAD", "GITHUB_TOKEN", "MY_TOKEN", "FOO", "FOO_BAR", "GIT_CONFIG_COUNT", "BASH_FUNC_x%%", "AGENTSH_X",
        "NODE_OPTIONS", "foo", "TMPDIR", "MALLOC_ARENA_MAX", "OPENAI_API_KEY", "DYLD_LIBRARY_PATH", "A"]
KINDS = {"file", "net", "dns", "exec", "unix", "signal", "http", "service", "env", "dns-redirect", "connect-redirect"}
# What a build may lack or be known to do otherwise; run --without names them.
ALL = KINDS | {
    "by", "depth", "sha256", "extends", "workspace", "transparent", "command-variables",
    "synthesised",     # shellc-* rules
    "host-case",       # hosts of cases in any case
    "slash",           # file paths of cases that are not clean
    "root",            # the path "/" itself
    "look-through",    # programs that run others
    "both-names",      # looking through by the name given and by the file
    "long-text",       # regexes on 16 bytes and more
    "middle",          # programs in the middle of a chain that no rule speaks of
    "inner-depth",     # context where programs run others
    "soft-digest",     # sha256 on soft_delete rules
    "service-path",    # paths with dots of requests to services
}


class Generator:
    def __init__(self, dice, features):
        self.d = dice
        self.have = features

    # ---- dice

    def chance(self, p):
        return self.d.random() < p

    def some(self, pool, low, high):
        return [self.d.choice(pool) for _ in range(self.d.randint(low, high))]

    def few(self, pool, low, high):
        return self.d.sample(pool, min(len(pool), self.d.randint(low, high)))

    def any_case(self, text):
        return self.d.choice([text, text, text, text.upper(), text.capitalize()])

    # ---- globs

    def glob_name(self, pool):
        """One component of a glob."""
        word = self.d.choice(pool)
        k = self.d.randrange(14)
        if k < 5:
            return self.quote(word)
        if k == 5:
            return "*"
        if k == 6:
            return "*" + self.quote(word[-2:])
        if k == 7:
            return self.quote(word[:1]) + "*"
        at = self.d.randrange(len(word))
        if k == 8:
            return self.quote(word[:at]) + "?" + self.quote(word[at + 1:])
        if k == 9:
            return "{" + ",".join(self.quote(w) for w in self.few(pool, 1, 3)) + "}"
        if k == 10:
            return self.quote(word[:at]) + "[" + self.d.choice(["a-c", "ab", "!a", "!b-y", "A-Z", "a-z"]) + "]" + self.quote(word[at + 1:])
        if k == 11:
            return "{" + self.quote(word) + ",{" + self.quote(self.d.choice(pool)) + ",*" + self.quote(word[-1:]) + "}}"
        if k == 12:
            return "**" + self.quote(word[-1:])
        return self.quote(word) + "{," + self.d.choice([".bak", "?", "*"]) + "}"

    @staticmethod
    def quote(word):
        return "".join("\\" + c if c in "*?[]{}\\" else c for c in word)

    def path_glob(self):
        k = self.d.randrange(12)
        if k == 0:
            return self.d.choice(["**", "/**", "**/.env", "**/*.key", "/workspace/**", "/*", "/workspace"])
        if k == 1:
            return "${ORACLE_DIR}" + self.d.choice(["", "/**", "/*", "/src/*"])
        if k == 2:
            return self.d.choice(["${ORACLE_ODD}/*", "${ORACLE_UNSET:-/workspace/f*}/a", "${PROJECT_ROOT}/**", "${PROJECT_ROOT}/.git/*", "${ORACLE_ODD}"])
        parts = [self.d.choice([self.d.choice(ROOTS), self.d.choice(ROOTS), "**", "/*"])]
        for _ in range(self.d.randint(0, 3)):
            parts.append("**" if self.chance(0.15) else self.glob_name(PIECES))
        return "/".join(parts)

    def host_glob(self):
        k = self.d.randrange(10)
        name = ".".join(self.some(LABELS, 1, 3))
        if k < 3:
            return self.any_case(name)
        if k < 5:
            return self.d.choice(["*.", "**.", "**"]) + name
        if k == 5:
            return self.d.choice(["*", "**", "*.*", "${ORACLE_HOST}", "${ORACLE_NONE:-cdn.test}", "?*"])
        return ".".join(self.glob_name(LABELS) for _ in range(self.d.randint(1, 3)))

    def program_entry(self):
        while True:
            entry = self.any_program_entry()
            if "command-variables" in self.have or "${" not in entry:
                return entry

    def any_program_entry(self):
        k = self.d.randrange(12)
        if k < 5:
            return self.any_case(self.d.choice(PROGRAMS))
        if k == 5:
            return self.d.choice(["*", "[", "g*", "mkfs*", "{rm,ls}", "*t", "[a-g]*", "p?thon3", "[!g]*", "sh", "bash", "env", "busybox"])
        if k == 6:
            return self.glob_name([p for p in PROGRAMS if len(p) > 1])
        if k < 9:
            return self.d.choice(PLACES[:5]) + self.d.choice(PROGRAMS)
        if k == 9:
            return self.d.choice(["/usr/**", "/opt/*/git", "/usr/bin/*", "${ORACLE_BIN}/*", "${ORACLE_BIN}/git", "${ORACLE_WORD}", "**/curl",
                                  "/usr/bin/[a-g]*", "/opt/app/GIT"])
        return self.d.choice(PLACES[:5]) + self.glob_name(PROGRAMS)

    # ---- regexes: the text of one and a sampler

    def regex(self, depth=0, repeat=True):
        """repeat: a repetition may stand here; none within another, which would take Python's matcher for ever."""
        d = self.d
        k = d.randrange(13 if depth < 3 else 5)
        if k in (5, 6) and not repeat:
            k = 8
        if k < 3:
            word = d.choice(["push", "force", "-f", "a", "main", "x", "rm", "=", " ", "or"])
            return re.sub(r"([.*+?()\[\]{}|^$\\])", r"\\\1", word), lambda: word
        if k == 3:
            return d.choice([r"\s", "[ ]"]), lambda: " "
        if k == 4:
            return d.choice([(r"\d", lambda: d.choice("0123456789")), (r"\w", lambda: d.choice("az_9")), (".", lambda: d.choice("a -")),
                             ("[a-c]", lambda: d.choice("abc")), ("[^f]", lambda: d.choice("ag ")), (r"\S", lambda: d.choice("f-"))])
        if k == 5:
            text, make = self.regex(depth + 1, False)
            return "(" + text + ")" + d.choice(["*", "?"]), lambda: "".join(make() for _ in range(d.randint(0, 1)))
        if k == 6:
            text, make = self.regex(depth + 1, False)
            return "(?:" + text + ")" + d.choice(["+", "{1,2}", "+?"]), lambda: "".join(make() for _ in range(d.randint(1, 2)))
        if k == 7:
            one, two = self.regex(depth + 1, repeat), self.regex(depth + 1, repeat)
            return "(" + one[0] + "|" + two[0] + ")", lambda: d.choice([one, two])[1]()
        parts = [self.regex(depth + 1, repeat) for _ in range(2)]
        return "".join(p[0] for p in parts), lambda: "".join(p[1]() for p in parts)

    def pattern(self):
        """A whole regex; its sampler is kept for the questions."""
        text, make = self.regex()
        k = self.d.randrange(8)
        if k == 0:
            text = "^(?:" + text + ")"
        elif k == 1:
            text = "(?:" + text + ")$"
        elif k == 2:
            text = "(^|\\s)(?:" + text + ")(\\s|$)"
        elif k == 3:
            text = "(?i)" + text
        elif k == 4:
            text = "\\b(?:" + text + ")"
        self.samplers.append(make)
        return text

    # ---- rules

    def rule(self, prefix, words):
        self.count += 1
        rule = {"name": "%s%d" % (prefix, self.count), "decision": self.any_case(self.d.choice(words))}
        if "by" in self.have and self.chance(0.15):
            rule["processes"] = [self.program_entry() for _ in range(self.d.randint(1, 2))]
        if self.chance(0.1):
            rule["message"] = "no {{.Path}}: use 'this' \"instead\""
        return rule

    def file_rule(self):
        r = self.rule("f", FILE_WORDS)
        r["paths"] = [self.path_glob() for _ in range(self.d.randint(1, 3))]
        k = self.d.randrange(6)
        if k < 3:
            r["operations"] = self.few(reference.FILE_OPS, 1, 8)
        elif k == 3:
            r["operations"] = ["*"]
        if r["decision"].lower() == "redirect":
            r["redirect_to"] = "/workspace/elsewhere"
        return r

    def net_rule(self):
        r = self.rule("n", NET_WORDS)
        if self.chance(0.7):
            r["domains"] = [self.host_glob() for _ in range(self.d.randint(1, 3))]
        if self.chance(0.4):
            r["ports"] = self.few(PORTS, 1, 3)
        if self.chance(0.3):
            r["cidrs"] = self.few(NETS, 1, 3)
        if "http" in self.have:
            if self.chance(0.2):
                r["methods"] = [self.any_case(m) for m in self.few(METHODS, 1, 3)] if self.chance(0.9) else ["*"]
            if self.chance(0.2):
                r["paths"] = [self.request_glob() for _ in range(self.d.randint(1, 2))]
        return r

    def request_glob(self):
        return self.d.choice(["/**", "/v1/*", "/v1/**", "/*", "/", "/admin", "**/admin/**", "/v[0-9]/models", "/{v1,a.b}", "/v1/{x,models}**"])

    def exec_rule(self):
        r = self.rule("c", EXEC_WORDS)
        if self.chance(0.85):
            r["commands"] = [self.program_entry() for _ in range(self.d.randint(1, 4))]
        if self.regexes and self.chance(0.3):
            r["args_patterns"] = [self.pattern() for _ in range(self.d.randint(1, 2))]
        if r["decision"].lower() == "redirect":
            r["redirect_to"] = {"command": "echo", "args": ["no", "{{.Args}}"]}
        if "depth" in self.have and (not self.levels or "inner-depth" in self.have) and self.chance(0.2):
            r["context"] = self.d.choice([["direct"], ["nested"], ["direct", "nested"], {"min_depth": 1}, {"max_depth": 0}, {"min_depth": 1, "max_depth": 2},
                                          {"min_depth": 2, "max_depth": -1}])
        if "sha256" in self.have and ("soft-digest" in self.have or r["decision"].lower() != "soft_delete") and self.chance(0.1):
            r["sha256"] = self.d.choice([self.digest(), [self.digest(), self.digest()]])
        if "env" in self.have and self.chance(0.15):
            r[self.d.choice(["env_allow", "env_deny"])] = [self.env_glob() for _ in range(self.d.randint(1, 2))]
        return r

    def digest(self):
        return self.d.choice(["0123456789abcdef" * 4, "a" * 64, "B" * 64, "c0" * 32])

    def env_glob(self):
        return self.d.choice(ENVS + ["*", "*_TOKEN", "FOO*", "LD_*", "[A-M]*", "{HOME,FOO}", "?OO"])

    def unix_rule(self):
        r = self.rule("u", ["allow", "deny", "approve", "audit"])
        r["paths"] = [self.d.choice([self.d.choice(SOCKETS), "/run/*", "/run/**", "@*", "@/tmp/*", "@**", "/tmp/.X11-unix/X[0-9]", "${ORACLE_DIR}/*.sock", "**"])
                      for _ in range(self.d.randint(1, 2))]
        if self.chance(0.5):
            r["operations"] = self.few(reference.UNIX_OPS, 1, 3)
        return r

    def signal_rule(self):
        r = self.rule("s", ["allow", "deny", "audit", "approve", "redirect", "absorb"])
        if self.chance(0.8):
            r["signals"] = [self.signal_word() for _ in range(self.d.randint(1, 3))]
        k = self.d.randrange(6)
        if k < 2:
            r["target"] = self.d.choice(TARGETS)
        elif k == 2:
            r["target"] = {"type": self.any_case(self.d.choice(TARGETS))}
        elif k == 3:
            r["target"] = {"type": "process", "pattern": self.d.choice(["npm", "*", "n*", "PYTHON?", "{git,rm}"])}
        elif k == 4:
            low = self.d.randint(1, 40)
            r["target"] = {"type": "pid_range", "min": low, "max": low + self.d.randint(0, 20)}
        if r["decision"].lower() == "redirect":
            r["redirect_to"] = "TERM"
        if self.chance(0.2):
            r["fallback"] = self.d.choice(["allow", "deny", "audit"])
        return r

    def signal_word(self):
        k = self.d.randrange(5)
        if k == 0:
            return self.d.choice(list(reference.GROUPS))
        if k == 1:
            return str(self.d.randint(1, 64))
        name = self.d.choice(["KILL", "TERM", "HUP", "CHLD", "STOP", "USR1", "WINCH", "SYS"])
        return self.any_case(self.d.choice([name, "SIG" + name]))

    def service(self):
        self.count += 1
        host = "svc%d.test" % self.count
        s = {"name": "Svc%d" % self.count, "upstream": "https://" + host + self.d.choice(["", "/base", ":8443"])}
        if self.chance(0.3):
            s["aliases"] = ["alias%d.test" % self.count]
        if self.chance(0.3):
            s["allow_direct"] = self.chance(0.5)
        if self.chance(0.4):
            s["default"] = self.d.choice(["allow", "deny"])
        rules = []
        for _ in range(self.d.randint(0, 3)):
            r = self.rule("v", ["allow", "deny", "approve", "audit"])
            r.pop("processes", None)
            if self.chance(0.7):
                r["methods"] = self.few(METHODS, 1, 3)
            if self.chance(0.7):
                r["paths"] = [self.request_glob()]
            rules.append(r)
        if rules:
            s["rules"] = rules
        return s

    def policy(self):
        """Documents, in the order of extends: the first is the policy itself."""
        self.count, self.samplers = 0, []
        # Texts of 16 bytes and more meet faults of the regex library: without "long-text" a policy has either regexes or programs in programs.
        self.regexes = "long-text" in self.have or self.chance(0.4)
        self.levels = "look-through" in self.have and ("long-text" in self.have or not self.regexes)
        docs = [self.document() for _ in range(self.d.choice([1, 1, 2, 3]) if "extends" in self.have else 1)]
        if self.levels and "middle" not in self.have:
            docs[-1].setdefault("command_rules", []).append({"name": "c0", "decision": self.d.choice(["allow", "audit", "deny"])})
        return docs

    def document(self):
        p = {"version": 1, "name": "oracle"}
        for kind, section, make in (("file", "file_rules", self.file_rule), ("net", "network_rules", self.net_rule), ("exec", "command_rules", self.exec_rule),
                                    ("unix", "unix_socket_rules", self.unix_rule), ("signal", "signal_rules", self.signal_rule)):
            if kind in self.have and self.chance(0.95):
                p[section] = [make() for _ in range(self.d.randint(1, 7))]
        if "service" in self.have and self.chance(0.4):
            p["http_services"] = [self.service() for _ in range(self.d.randint(1, 2))]
        if "dns-redirect" in self.have and self.chance(0.4):
            p["dns_redirects"] = [{"name": "d%d" % i, "match": self.host_regex(), "resolve_to": "10.0.0.%d" % (i + 1)} for i in range(self.d.randint(1, 3))]
            self.unique(p["dns_redirects"], "d")
        if "connect-redirect" in self.have and self.chance(0.4):
            p["connect_redirects"] = [{"name": "x", "match": self.host_regex().rstrip("$") + self.d.choice(["", ":443$", ":.*"]), "redirect_to": "mirror.test:443"}
                                      for _ in range(self.d.randint(1, 3))]
            self.unique(p["connect_redirects"], "k")
        if "env" in self.have and self.chance(0.6):
            p["env_policy"] = {k: [self.env_glob() for _ in range(self.d.randint(1, 3))] for k in self.few(["allow", "deny"], 0, 2)}
            if not p["env_policy"]:
                del p["env_policy"]
        if "transparent" in self.have and self.chance(0.2):
            p["transparent_commands"] = {k: [w] for k, w in (("add", "strace"), ("remove", self.d.choice(["xargs", "env", "sudo"]))) if self.chance(0.6)}
            if not p["transparent_commands"]:
                del p["transparent_commands"]
        return p

    def unique(self, rules, prefix):
        for r in rules:
            self.count += 1
            r["name"] = prefix + str(self.count)

    def host_regex(self):
        return self.d.choice([r"^api\.", r"example", r"\.com$", r"^(www|cdn)\.", r"^[^.]+$", r"evil\.(com|org)", "x-y", r"."])

    # ---- questions

    def flesh(self, flat, sep):
        """A text that a flat glob matches."""
        out = b""
        for part in flat:
            if isinstance(part, int):
                out += bytes([part])
            elif part != "**" and sep and self.chance(0.03 if part == "*" else 0.15):
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
                flags = d.choice([["-o", "pipefail", "-c"], ["-pc"], ["--norc", "-c"]])
            script = self.script(under)
            return [d.choice(["", "/bin/", ""]) + d.choice(["sh", "bash", "dash", "zsh", "ash"])] + flags + [script] + self.some(OPERANDS[:3], 0, 1)
        head = d.choice([["env"], ["env", "A=1"], ["env", "-i"], ["env", "-u", "X"], ["env", "-uX", "B=2"], ["env", "--", "A=1"], ["/usr/bin/env"], ["nice"],
                         ["nice", "-n", "5"], ["nice", "-5"], ["nice", "-n5"], ["nohup"], ["timeout", "5"], ["timeout", "-s", "KILL", "5s"],
                         ["timeout", "--signal=KILL", "-k", "3", "1m"], ["timeout", "--preserve-status", "5"], ["xargs"], ["xargs", "-0", "-n", "1"],
                         ["xargs", "-I", "{}"], ["xargs", "-n1", "-P", "4"], ["setsid"], ["setsid", "-w"], ["stdbuf", "-oL"], ["stdbuf", "-o", "L"], ["busybox"],
                         ["/bin/busybox"], ["sudo"], ["sudo", "-u", "root"], ["sudo", "-n", "--"], ["sudo", "A=1"], ["doas"], ["doas", "-u", "root"], ["time"],
                         ["time", "-p"], ["command"], ["command", "-v"], ["command", "-p"], ["exec"], ["exec", "-a", "x"], ["chroot", "/x"], ["ionice", "-c", "3"],
                         ["ionice", "-c3", "-n", "1"], ["taskset", "1"], ["taskset", "-c", "0"], ["watch"], ["watch", "-n", "1"], ["strace"],
                         ["/lib64/ld-linux-x86-64.so.2"], ["/lib64/ld-linux-x86-64.so.2", "--library-path", "/x"], ["ld.so", "--argv0", "y"]])
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
