# SPDX-License-Identifier: Apache-2.0
"""What a command line runs besides itself: shells with -c and programs that start another one. Words are bytes."""
import re

SHELLS = set(b"sh bash dash ash mksh ksh zsh".split())
WRAPPERS = set(b"env nice nohup timeout xargs setsid stdbuf busybox sudo doas time command exec chroot ionice taskset watch".split())
LOADER = re.compile(rb"ld(-.*)?\.so(\.[0-9]+)*|ld-.*\.so(\..*)?")
DEPTH = 4
# Options with a value of their own: short letters, long names; then how many words stand before the command.
GRAMMAR = {
    b"env": (b"uCS", [b"unset", b"chdir", b"split-string"], 0),
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
LOADER_VALUES = [b"library-path", b"preload", b"audit", b"argv0", b"inhibit-rpath", b"glibc-hwcaps-prepend", b"glibc-hwcaps-mask"]
SAFE_SHELL = b"eufxlivBHs"
ASSIGNMENT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*=")


def base(name):
    name = name.rsplit(b"/", 1)[-1].lower()
    return name[:-5] if name.endswith(b".real") and len(name) > 5 else name


def options(words, short, long):
    """Index of the first operand, and the options seen: one byte each, or the long name."""
    i, seen = 1, []
    while i < len(words) and words[i].startswith(b"-") and words[i] != b"-":
        word = words[i]
        i += 1
        if word == b"--":
            break
        if word.startswith(b"--"):
            name = word[2:].split(b"=")[0]
            seen.append(name)
            if name in long and b"=" not in word:
                i += 1
            continue
        for k in range(1, len(word)):
            seen.append(word[k:k + 1])
            if word[k:k + 1] in [bytes([c]) for c in short]:
                if k + 1 == len(word):
                    i += 1
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


def shell_script(words):
    """The script of a shell's -c or None, and whether an option before it is not known to be harmless."""
    i, odd, script = 1, False, False
    while i < len(words) and words[i][:1] in (b"-", b"+") and len(words[i]) > 1:
        word = words[i]
        i += 1
        if word == b"--":
            break
        if word.startswith(b"--") or word.startswith(b"+"):
            odd = True
            continue
        for k in range(1, len(word)):
            c = word[k:k + 1]
            if c == b"c":
                script = True
            elif c in (b"o", b"O"):
                odd = True
                if k + 1 == len(word):
                    i += 1
            elif c not in [bytes([x]) for x in SAFE_SHELL]:
                odd = True
    return (words[i], odd) if script and i < len(words) else (None, False)


def inner(words, name, wrappers, in_script):
    """(words of the command that a program of this base name runs with these words or None, they are a script's, the script hides it)."""
    if name in SHELLS:
        script, odd = shell_script(words)
        found = simple_words(script) if script is not None else None
        while found and ASSIGNMENT.match(found[0]):
            found = found[1:]
        return found or None, True, odd
    if LOADER.fullmatch(name):
        return words[options(words, b"", LOADER_VALUES)[0]:] or None, in_script, False
    if name not in wrappers:
        return None, in_script, False
    short, long, before = GRAMMAR.get(name, (b"", [], 0))
    i, seen = options(words, short, long)
    if name == b"nice" and len(words) > 1 and re.fullmatch(rb"-[0-9]+", words[1]):
        seen = []
    odd = in_script and ((name == b"exec" and b"a" in seen) or
                         (name == b"env" and any(s in seen for s in (b"i", b"u", b"S", b"unset", b"ignore-environment", b"split-string"))))
    if (name == b"command" and (b"v" in seen or b"V" in seen)) or (name in (b"ionice", b"taskset") and b"p" in seen):
        return None, in_script, odd
    rest = words[i + before:]
    if name == b"env":
        for k, word in enumerate(words[1:i], 1):
            if word.startswith(b"-S") or word.startswith(b"--split-string"):
                text = word[2:] if word.startswith(b"-S") else word.partition(b"=")[2]
                rest = (text or words[k + 1]).split() + rest
                break
    if name == b"watch" and not any(s in seen for s in (b"x", b"exec")):
        return simple_words(b" ".join(rest)), in_script, odd    # it gives its words to sh -c
    while name in (b"env", b"sudo") and rest and (ASSIGNMENT.match(rest[0]) or (name == b"env" and b"=" in rest[0])):
        rest = rest[1:]
    return rest or None, in_script, odd
