# SPDX-License-Identifier: Apache-2.0
"""The reference evaluator: the policy language read literally, slow and plain, to be compared with the real one.

A policy is the data of its YAML (one dictionary, or several in the order in which extends joins them); a question is a dictionary
with "kind". Policy().decide(question) gives (decision, rule name). Text is str; bytes that are no UTF-8 stand as surrogates.
"""
import ipaddress
import posixpath
import re

import commands
from commands import base
from globs import BadGlob, Glob, escape, has_glob

FILE_READS = {"open", "read", "stat", "list", "readlink", "access"}
FILE_OPS = sorted(FILE_READS) + ["write", "create", "mkdir", "chmod", "chown", "rename", "delete", "rmdir", "link", "symlink", "mknod"]
UNIX_OPS = ["connect", "bind", "listen", "sendto"]
RANK = {"deny": 4, "redirect": 3, "approve": 2, "audit": 1, "allow": 0, "soft_delete": 0}
SIGNALS = {name: n for n, name in enumerate(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM "
    "PROF WINCH IO PWR SYS".split(), 1)}
GROUPS = {"@all": range(1, 32), "@fatal": (9, 15, 3, 6), "@job": (19, 18, 20, 21, 22), "@reload": (1, 10, 12), "@ignore": (17, 23, 28)}
SECRETS = set("""AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN AWS_PROFILE GOOGLE_APPLICATION_CREDENTIALS GCP_SERVICE_ACCOUNT
AZURE_CLIENT_SECRET AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_SUBSCRIPTION_ID SSH_AUTH_SOCK SSH_AGENT_PID DOCKER_HOST DOCKER_TLS_VERIFY
KUBECONFIG GITHUB_TOKEN GH_TOKEN LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_DEBUG LD_DEBUG_OUTPUT LD_DYNAMIC_WEAK LD_HWCAP_MASK
LD_ORIGIN_PATH LD_PROFILE LD_PROFILE_OUTPUT LD_SHOW_AUXV LD_TRACE_LOADED_OBJECTS PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONUSERBASE
RUBYLIB RUBYOPT PERL5LIB PERL5OPT PERLLIB NODE_PATH NODE_OPTIONS BASH_ENV ENV SHELLOPTS BASHOPTS CDPATH GLOBIGNORE MAILPATH
PROMPT_COMMAND GIT_ASKPASS SSH_ASKPASS GIT_SSH_COMMAND OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY GOOGLE_API_KEY GITLAB_TOKEN
NPM_TOKEN NODE_AUTH_TOKEN PYPI_TOKEN HF_TOKEN SLACK_TOKEN SLACK_BOT_TOKEN STRIPE_API_KEY DIGITALOCEAN_TOKEN CLOUDFLARE_API_TOKEN
VAULT_TOKEN DATABASE_URL PGPASSWORD MYSQL_PWD REDISCLI_AUTH SSH_PRIVATE_KEY AZURE_OPENAI_API_KEY MISTRAL_API_KEY GROQ_API_KEY
DEEPSEEK_API_KEY XAI_API_KEY COHERE_API_KEY OPENROUTER_API_KEY GIT_EXTERNAL_DIFF GIT_SSH GIT_EXEC_PATH JAVA_TOOL_OPTIONS
_JAVA_OPTIONS JDK_JAVA_OPTIONS GCONV_PATH GLIBC_TUNABLES LOCPATH NLSPATH RESOLV_HOST_CONF HOSTALIASES""".split())
SECRET_STARTS = ("GIT_CONFIG_", "BASH_FUNC_", "MALLOC_")
NONE = (None, "none")


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def as_list(value):
    return value if isinstance(value, list) else [value]


def merge(documents):
    """What extends makes of several files: rules one file after the other, settings key by key, lists of settings united."""
    out = {}
    for d in documents:
        for key, value in d.items():
            if key in ("version", "name", "description", "extends"):
                out.setdefault(key, value)
            elif isinstance(value, list):
                out[key] = out.get(key, []) + value
            else:
                have = out.setdefault(key, {})
                for k, v in value.items():
                    if isinstance(v, list) and k in have:
                        have[k] = have[k] + [x for x in v if x not in have[k]]
                    elif k not in have:
                        have[k] = v
    return out


class Policy:
    def __init__(self, documents, variables=(), workspace="/workspace", synthesise=True):
        self.p = merge(documents)
        self.variables = dict(variables)
        self.variables["PROJECT_ROOT"] = workspace
        self.workspace = workspace
        self.cache = {}
        execs = self.rules("command_rules")
        self.restrictive = synthesise and any(self.word(r) in ("deny", "approve", "redirect") for r in execs)
        change = self.p.get("transparent_commands", {})
        self.wrappers = (commands.WRAPPERS | {raw(x).lower() for x in change.get("add", [])}) - {raw(x).lower() for x in change.get("remove", [])}

    # ---- pieces

    def rules(self, section):
        return self.p.get(section, [])

    @staticmethod
    def word(rule):
        return rule["decision"].lower()

    def expand(self, text, quote):
        """The text as a glob or literally (bytes); a variable's value never becomes a glob."""
        out, at = b"", 0
        for m in re.finditer(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}", text):
            value = self.variables.get(m[1], m[3])
            out += raw(text[at:m.start()]) + (escape(raw(value)) if quote else raw(value))
            at = m.end()
        return out + raw(text[at:])

    def glob(self, text, sep, fold=False, expand=True):
        key = (text, sep, fold)
        if key not in self.cache:
            self.cache[key] = Glob(self.expand(text, True) if expand else raw(text), sep, fold)
        return self.cache[key]

    def regex(self, pattern):
        """RE2's meaning of the generator's subset: the dot takes newlines, $ is the very end."""
        if pattern not in self.cache:
            self.cache[pattern] = re.compile(raw(pattern).replace(b"$", rb"\Z"), re.DOTALL)
        return self.cache[pattern]

    def names_program(self, entry, program):
        """Whether one entry of commands or processes names this program (bytes)."""
        if b"/" in self.expand(entry, False):
            if not has_glob(raw(re.sub(r"\$\{[^}]*\}", "", entry))):
                return self.expand(entry, False).lower() == program.lower()
            try:
                return self.glob(entry, "/").match(program)
            except BadGlob:
                return self.expand(entry, False).lower() == program.lower()
        name = base(program)
        if len(entry) > 5 and entry.lower().endswith(".real") and entry[-6] != "\\":
            entry = entry[:-5]    # as of the program's own name
        if has_glob(raw(re.sub(r"\$\{[^}]*\}", "", entry))):
            try:
                return self.glob(entry, None, True).match(name)
            except BadGlob:
                pass
        return self.expand(entry, False).lower() == name

    def asked_by(self, rule, q):
        entries = rule.get("processes")
        return entries is None or any(self.names_program(e, raw(b)) for e in entries for b in q.get("by", []))

    # ---- files

    def names_of(self, path):
        path = re.sub("^//", "/", posixpath.normpath(path))
        names = [path]
        for this, other in ((self.workspace, "/workspace"), ("/workspace", self.workspace)):
            if this != other and (path == this or path.startswith(this + "/")):
                names.append(other + path[len(this):])
        return [raw(n) for n in names]

    def file(self, q):
        names = self.names_of(q["path"])
        for r in self.rules("file_rules"):
            ops = r.get("operations") or ["*"]
            if ("*" in ops or q["op"] in ops) and self.asked_by(r, q) and any(self.glob(g, "/").match(n) for g in r["paths"] for n in names):
                return self.word(r), r["name"]
        return ("allow", "default-allow-reads") if q["op"] in FILE_READS else ("deny", "default-deny-files")

    # ---- network

    def host_matches(self, entry, host):
        return entry == "*" or self.glob(entry, ".", True).match(raw(host))

    def selects(self, r, q):
        """Whether the rule's domains, cidrs and ports take this host, address and port."""
        host, addr, deny = q.get("host"), q.get("addr"), self.word(r) == "deny"
        if not self.asked_by(r, q):
            return False
        if "domains" in r and (host is None or not any(self.host_matches(d, host) for d in r["domains"])):
            return False
        if "cidrs" in r:
            ip = ipaddress.ip_address(addr) if addr else None
            nets = [ipaddress.ip_network(c, strict=False) for c in r["cidrs"]]
            if ip is None or not any(ip.version == n.version and ip in n for n in nets):
                return False
        elif host is None and not deny:
            return False
        return "port" not in q or "ports" not in r or q["port"] in r["ports"]

    def declared(self, host):
        for s in self.rules("http_services"):
            hosts = [re.sub(r"^https://([^/:]*).*", r"\1", s["upstream"])] + s.get("aliases", [])
            if not s.get("allow_direct", False) and host in [h.lower() for h in hosts]:
                return True
        return False

    @staticmethod
    def host(q):
        q = dict(q)
        if q.get("host") is not None:
            q["host"] = q["host"].lower().rstrip(".") if q["host"].endswith(".") else q["host"].lower()
        return q

    def net(self, q):
        q = self.host(q)
        if self.declared(q.get("host")):
            return "deny", "http-service-direct"
        for r in self.rules("network_rules"):
            requests = "methods" in r or "paths" in r
            if self.selects(r, q) and not (requests and self.word(r) == "deny"):
                return self.word(r), r["name"]
        return "deny", "default-deny-network"

    def dns(self, q):
        q = self.host(q)
        if self.declared(q["host"]):
            return "deny", "http-service-direct"
        for r in self.rules("network_rules"):
            narrow = "ports" in r or "methods" in r or "paths" in r
            if self.selects(r, q) and not (narrow and self.word(r) == "deny"):
                return self.word(r), r["name"]
        return "deny", "default-deny-network"

    @staticmethod
    def bad_path(path):
        plain = re.sub("%2f", "/", re.sub("%2e", ".", path, flags=re.I), flags=re.I)
        return "//" in plain or any(s in (".", "..") for s in plain.split("/")) or "\0" in path or "%00" in path

    def takes_request(self, r, q, path):
        methods = [m.upper() for m in r.get("methods", ["*"])]
        if "*" not in methods and q["method"].upper() not in methods:
            return False
        return "paths" not in r or any(self.glob(g, "/", False, False).match(raw(path)) for g in r["paths"])

    def http(self, q):
        q = self.host(q)
        path = q["path"].split("?")[0]
        if self.declared(q.get("host")):
            return "deny", "http-service-direct"
        for r in self.rules("network_rules"):
            if not self.selects(r, q):
                continue
            if "paths" in r and self.bad_path(path) and self.takes_request({k: v for k, v in r.items() if k != "paths"}, q, path):
                return "deny", "http-bad-path"
            if self.takes_request(r, q, path):
                return self.word(r), r["name"]
        return "deny", "default-deny-network"

    def service(self, q):
        for s in self.rules("http_services"):
            if s["name"].lower() != q["name"].lower():
                continue
            path = q["path"].split("?")[0]
            if self.bad_path(path):
                return "deny", "http-bad-path"
            for r in s.get("rules", []):
                if self.takes_request(r, q, path):
                    return self.word(r), r["name"]
            end = s.get("default", "allow" if "secret" in s and not s.get("rules") else "deny")
            return end, "default-%s-service" % end
        raise KeyError(q["name"])

    # ---- commands

    def first(self, program, args, depth, q, rules=None):
        joined = b" ".join(args)
        for r in rules or self.rules("command_rules"):
            context = r.get("context", ["direct", "nested"])
            if isinstance(context, list):
                if ("direct" if depth == 0 else "nested") not in context:
                    continue
            elif depth < context.get("min_depth", 0) or (context.get("max_depth", -1) >= 0 and depth > context["max_depth"]):
                continue
            if "commands" in r and not any(self.names_program(c, program) for c in r["commands"]):
                continue
            if r.get("args_patterns") and not any(self.regex(a).search(joined) for a in r["args_patterns"]):
                continue
            if "sha256" in r:
                if q.get("ahead"):
                    continue
                known = q.get("sha256") if depth == q.get("depth", 0) else None
                if known is None and self.word(r) in ("allow", "audit", "soft_delete"):
                    continue
                if known is not None and known not in [h.lower() for h in as_list(r["sha256"])]:
                    continue
            if self.asked_by(r, q):
                return r
        return None

    def worst(self, depth, q):
        """The strictest rule that some command could meet, before the first that allows every command with any arguments."""
        found = []
        for r in self.rules("command_rules"):
            allows = self.word(r) in ("allow", "audit", "soft_delete")
            if allows and ("commands" in r or r.get("args_patterns") or "sha256" in r):
                continue
            if self.first(b"x", [], depth, {**q, "ahead": False, "sha256": None}, [{**r, "commands": ["x"], "args_patterns": []}]):
                found.append(r)
                if allows:
                    break
        return max(found, key=lambda r: RANK[self.word(r)]) if found else None

    def verdict(self, rule):
        return self.word(rule), rule["name"], rule

    def judge_one(self, given, file, args, depth, q):
        """The stricter of what the name given and the file get; None when neither matches a rule."""
        found = [self.first(p, args, depth, q) for p in (given, file) if p is not None]
        found = [r for r in found if r is not None]
        return max(found, key=lambda r: RANK[self.word(r)]) if found else None

    @staticmethod
    def alike(x, y):
        """Whether one name is the other with a version behind it, or both are shells'."""
        def plain(p):
            b = base(p).lower()
            return b[:-5] if b.endswith(b".real") else b
        x, y = sorted((plain(x), plain(y)), key=len)
        return (x and re.fullmatch(re.escape(x) + rb"[-.0-9]*", y)) or (x in commands.SHELLS and y in commands.SHELLS)

    def acting(self, words, zero, level, depth, script, q, alone):
        """What a loaded program's other name, --argv0, adds: its rules; where nothing else judges it, also that there is none."""
        last = words[0].rsplit(b"/", 1)[-1]    # in its own case: rules know none, the program may
        if zero is None or zero.rsplit(b"/", 1)[-1] == last:
            return
        zero = zero[1:] if zero.startswith(b"-") else zero
        if zero.rsplit(b"/", 1)[-1] == last:
            return
        own, *rest = self.chain([zero] + words[1:], None, level, depth, script, q)
        if own != "default-deny-commands":
            yield own
        elif alone and not self.alike(zero, words[0]) and base(zero) != b"exe":
            yield own
        yield from rest

    def chain(self, words, file, level, depth, script, q):
        """Rules, or names of made ones, that a command and those found by looking through it meet; None: no rule."""
        rule = self.judge_one(words[0], file, words[1:], depth, q)
        alone = level == 0 or (q.get("alone") and not q["ahead"])    # no exec of its own follows
        yield rule or ("default-deny-commands" if level and alone else None)
        if level == 0 and len(words) > 1 and re.match(rb"--coreutils-prog(-shebang)?=", words[1]):
            yield self.judge_one(words[1].partition(b"=")[2], None, words[1:], depth, q) or "default-deny-commands"
        q = {k: v for k, v in q.items() if k != "sha256"}    # of the first program's file alone
        for name in sorted({base(p) for p in (words[0], file) if p is not None}):
            found, in_script, odd = commands.inner(words, name, self.wrappers, script)
            if odd and self.restrictive:
                yield "shellc-wrapper-bypass"
            if commands.LOADER.fullmatch(name) and found and level < commands.DEPTH and not commands.load(words, name)[2]:
                yield self.worst(depth, q) or ("default-deny-commands" if alone else None)
            elif found and level < commands.DEPTH:
                # What a loader loads has no exec of its own that would be judged.
                ahead = {**q, "ahead": not commands.LOADER.fullmatch(name), "alone": alone}
                yield from self.chain(found, None, level + 1, depth, in_script, ahead)
                if commands.LOADER.fullmatch(name):
                    yield from self.acting(found, commands.load(words, name)[1], level + 1, depth, in_script, ahead, alone)
            elif found and in_script and self.restrictive:
                yield "shellc-depth-exceeded"

    def exec_rule(self, q):
        """(decision, rule name, the rule or None)."""
        best = None
        for rule in self.chain([raw(w) for w in q["argv"]], raw(q["file"]) if q.get("file") else None, 0, q.get("depth", 0), False, q):
            if best is None:
                best = self.verdict(rule) if rule else ("deny", "default-deny-commands", None)
            elif rule and RANK[best[0]] < (RANK["deny"] if isinstance(rule, str) else RANK[self.word(rule)]):
                best = ("deny", rule, None) if isinstance(rule, str) else self.verdict(rule)
        return best

    def exec(self, q):
        return self.exec_rule(q)[:2]

    # ---- the rest

    def unix(self, q):
        for r in self.rules("unix_socket_rules"):
            ops = r.get("operations") or ["*"]
            if ("*" in ops or q["op"] in ops) and self.asked_by(r, q) and any(self.glob(g, "/").match(raw(q["path"])) for g in r["paths"]):
                return self.word(r), r["name"]
        return "deny", "default-deny-unix"

    @staticmethod
    def signal_number(text):
        text = str(text).upper()
        return int(text) if text.isdigit() else SIGNALS[text[3:] if text.startswith("SIG") else text]

    def signal_set(self, rule):
        out = set()
        for s in rule.get("signals", list(range(1, 65))):
            out |= set(GROUPS[s.lower()]) if str(s).startswith("@") else {self.signal_number(s)}
        return out

    def signal(self, q):
        for r in self.rules("signal_rules"):
            target = r.get("target")
            kind = target.get("type") if isinstance(target, dict) else target
            if self.signal_number(q["signal"]) not in self.signal_set(r) or not self.asked_by(r, q):
                continue
            # Who the target is may not be known: then a rule that asks matches unless it lets the signal through.
            lets = self.word(r) in ("allow", "audit")
            if kind == "process":
                if "process" not in q:
                    if lets:
                        continue
                elif not self.glob(target["pattern"], None, True, False).match(raw(q["process"])):
                    continue
            elif kind == "pid_range":
                if "pid" not in q:
                    if lets:
                        continue
                elif not target["min"] <= q["pid"] <= target["max"]:
                    continue
            elif kind is not None and kind.lower() not in q["targets"]:
                continue
            return self.word(r), r["name"]
        return "deny", "default-deny-signal"

    def redirect(self, section, text):
        for r in self.rules(section):
            if self.regex(r["match"]).search(raw(text)):
                return "redirect", r["name"]
        return NONE

    def dns_redirect(self, q):
        return self.redirect("dns_redirects", self.host(q)["host"])

    def connect_redirect(self, q):
        return self.redirect("connect_redirects", "%s:%d" % (self.host(q)["host"], q["port"]))

    def env(self, q):
        name, own = q["name"], self.p.get("env_policy", {})
        allow, deny, why = own.get("allow"), own.get("deny"), ("env_policy.allow", "env_policy.deny")
        if "argv" in q:
            rule = self.exec_rule(q)[2] or {}
            if "env_allow" in rule:
                allow, why = rule["env_allow"], ("env_allow", why[1])
            if "env_deny" in rule:
                deny, why = rule["env_deny"], (why[0], "env_deny")
        match = lambda globs: any(self.glob(g, None, False, False).match(raw(name)) for g in globs)
        if name.startswith("AGENTSH_"):
            return "allow", "agentsh"
        if deny and match(deny):
            return "deny", why[1]
        if (name in SECRETS or name.startswith(SECRET_STARTS) or name.startswith("DYLD_")) and name not in (allow or []):
            return "deny", "built-in"
        if allow:
            return ("allow" if match(allow) else "deny"), why[0]
        return "allow", "default"

    def decide(self, q):
        return getattr(self, q["kind"].replace("-", "_"))(q)
