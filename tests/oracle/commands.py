# SPDX-License-Identifier: Apache-2.0
"""What a command line runs besides itself: shells with -c and programs that start another one. Words are bytes."""
import re
import shlex

SHELLS = set(b"sh bash dash ash mksh ksh zsh".split())
WRAPPERS = set(b"env nice nohup timeout xargs setsid stdbuf busybox sudo doas time command exec chroot ionice taskset watch".split())
MUSL = re.compile(rb"ld-musl.*|libc\.so|libc\.musl-.*")
LOADER = re.compile(rb"ld(-.*)?\.so(\.[0-9]+)*|ld-.*\.so(\..*)?|" + MUSL.pattern)
DEPTH = 4
# Options with a value of their own: short letters, long names; then how many words stand before the command.
GRAMMAR = {
    b"env": (b"uCSa", [b"unset", b"chdir", b"split-string", b"argv0"], 0),
    b"nice": (b"n", [b"adjustment"], 0),
    b"nohup": (b"", [], 0),
    b"timeout": (b"sk", [b"signal", b"kill-after"], 1),
    b"xargs": (b"InPLsdaE", [b"replace", b"max-args", b"max-procs", b"max-lines", b"max-chars", b"delimiter", b"arg-file"], 0),
    b"setsid": (b"", [], 0),
    b"stdbuf": (b"ioe", [b"input", b"output", b"error"], 0),
    b"busybox": (b"", [], 0),
    b"sudo": (b"ughpCrtUTDR", [b"user", b"group", b"host", b"prompt", b"chdir", b"role", b"type"], 0),
    b"doas": (b"uC", [], 0),
    b"time": (b"fo", [b"format", b"output"], 0),
    b"command": (b"", [], 0),
    b"exec": (b"a", [], 0),
    b"chroot": (b"", [], 1),
    b"ionice": (b"cnp", [b"class", b"classdata", b"pid"], 0),
    b"taskset": (b"p", [b"pid"], 1),
    b"watch": (b"n", [b"interval"], 0),
}
LOADER_PLAIN = [b"list", b"verify", b"inhibit-cache", b"list-tunables", b"list-diagnostics", b"help", b"version"]
LOADER_VALUES = [b"library-path", b"preload", b"audit", b"argv0", b"inhibit-rpath", b"glibc-hwcaps-prepend", b"glibc-hwcaps-mask"]
SET_LETTERS = b"abCefhmnuvx"    # of POSIX's set
SAFE_SHELL = {b"zsh": b"eufxlivBHs"}
SAFE_LONG = {b"--" + n for n in b"norc noprofile posix login noediting restricted verbose rcfile init-file".split()}
SPLIT = (b"S", b"split-string")
ASSIGNMENT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*=")


def base(name):
    name = name.rsplit(b"/", 1)[-1].lower()
    return name[:-5] if name.endswith(b".real") and len(name) > 5 else name


def options(words, short, long, last=()):
    """Index of the first operand, and the options seen, one byte each or the long name, with their values. It ends behind one of last."""
    i, seen = 1, {}
    while i < len(words) and words[i].startswith(b"-") and words[i] != b"-" and not any(name in seen for name in last):
        word = words[i]
        i += 1
        if word == b"--":
            break
        if word.startswith(b"--"):
            name, equals, value = word[2:].partition(b"=")
            if name in long and not equals:
                value = words[i] if i < len(words) else None
                i += 1
            seen[name] = value
            continue
        for k in range(1, len(word)):
            name, value = word[k:k + 1], word[k + 1:]
            if name not in [bytes([c]) for c in short]:
                seen[name] = b""
                continue
            if not value:
                value = words[i] if i < len(words) else None
                i += 1
            seen[name] = value
            break
    return i, seen


def simple_words(script):
    """A script's words when it is one plain command, else None (more than that, or nothing)."""
    words, word, i = [], None, 0
    while i < len(script):
        c = script[i:i + 1]
        if c in b" \t":
            if word is not None:
                words.append(word)
            word = None
            i += 1
        elif c in b"'\"":
            end = script.find(c, i + 1)
            if end < 0 or (c == b'"' and any(x in b"$`\\!" for x in script[i + 1:end])):
                return None
            word = (word or b"") + script[i + 1:end]
            i = end + 1
        elif c == b"\\" and script[i + 1:i + 2] != b"\n":    # at the very end it stands for itself
            word = (word or b"") + (script[i + 1:i + 2] or c)
            i += 2
        elif script[i:i + 2] == b"{}":
            word = (word or b"") + b"{}"
            i += 2
        elif c in b"|&;<>()$`\\*?[]{}~#!%\n^":
            return None
        else:
            word = (word or b"") + c
            i += 1
    if word is not None:
        words.append(word)
    return words or None


def shell_script(words, shell):
    """The script of a shell's -c or None, and whether an option before it is not known to be harmless."""
    i, odd, script = 1, False, False
    gnu, korn = shell in (b"bash", b"sh"), shell in (b"zsh", b"ksh", b"mksh")
    while i < len(words) and words[i][:1] in (b"-", b"+"):
        word = words[i]
        i += 1
        if word in (b"--", b"-"):
            break
        if word == b"+":
            i -= 1
            break
        full = word if word.startswith(b"--") else b"-" + word if word.startswith(b"-") else b""
        if gnu and full in SAFE_LONG:
            odd = odd or full != word
            i += full in (b"--rcfile", b"--init-file")
            continue
        if word.startswith(b"--"):
            odd = True
            continue
        for k in range(1, len(word)):
            c = word[k:k + 1]
            if c == b"c":
                script = True
                odd = odd or word.startswith(b"+")
            elif c == b"o" or (c == b"O" and gnu):
                if korn and k + 1 < len(word):    # the rest is the name
                    odd = True
                    break
                i += 1
            elif c not in SAFE_SHELL.get(shell, SET_LETTERS + b"ilBHs"):
                odd = True
    return (words[i], odd) if script and i < len(words) else (None, False)


def load(words, name):
    """What a dynamic loader loads: (its words or None, the last value of --argv0 or None, whether the words are surely its)."""
    i, zero, musl = 1, None, MUSL.fullmatch(name)
    while i < len(words) and words[i].startswith(b"--"):
        option, equals, value = words[i][2:].partition(b"=") if musl else (words[i][2:], b"", b"")
        if musl and words[i] == b"--":
            i += 1
            break
        if option in LOADER_VALUES and (equals or i + 1 < len(words)):
            i += 0 if equals else 1
            value = value if equals else words[i]
            zero = value if option == b"argv0" else zero
        elif option not in LOADER_PLAIN or equals:
            return words[i:], None, False
        i += 1
    return words[i:] or None, zero, True


def inner(words, name, wrappers, in_script):
    """(words of the command that a program of this base name runs with these words or None, they are a script's, the script hides it)."""
    if name in SHELLS:
        script, odd = shell_script(words, name)
        found = simple_words(script) if script is not None else None
        while found and ASSIGNMENT.match(found[0]):
            found = found[1:]
        return found or None, True, odd
    if LOADER.fullmatch(name):
        return load(words, name)[0], in_script, False
    if name not in wrappers:
        return None, in_script, False
    short, long, before = GRAMMAR.get(name, (b"", [], 0))
    i, seen = options(words, short, long, SPLIT if name == b"env" else ())
    if name == b"nice" and len(words) > 1 and re.fullmatch(rb"-[0-9]+", words[1]):
        seen = {}
    odd = False
    if (name == b"command" and (b"v" in seen or b"V" in seen)) or (name in (b"ionice", b"taskset") and b"p" in seen):
        return None, in_script, odd
    rest = words[i + before:]
    texts = [seen[k] for k in SPLIT if seen.get(k) is not None]
    if texts and name == b"env":    # its words stand in its place; with another such text among them it is not understood
        plain = re.sub(rb"'[^']*'", b"", texts[0])
        try:
            new = None if re.search(rb"[\\\n\v\f\r]", texts[0]) or re.search(rb"[#$]", plain) else shlex.split(texts[0].decode("latin-1"))
        except ValueError:
            new = None
        new = None if new is None else words[:1] + [w.encode("latin-1") for w in new] + rest
        if new is None or any(options(new, short, long, SPLIT)[1].get(k) is not None for k in SPLIT):
            return None, in_script, in_script
        return inner(new, name, wrappers, in_script)
    if name == b"watch" and not any(s in seen for s in (b"x", b"exec")):
        return simple_words(b" ".join(rest)), in_script, odd    # it gives its words to sh -c
    while name in (b"env", b"sudo") and rest and (ASSIGNMENT.match(rest[0]) or (name == b"env" and b"=" in rest[0])):
        rest = rest[1:]
    return rest or None, in_script, odd
