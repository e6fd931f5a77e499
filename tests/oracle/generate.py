# SPDX-License-Identifier: Apache-2.0
"""Random policies, biased so that most rules decide something."""
import re

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


class Rules:
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
