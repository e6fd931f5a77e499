# SPDX-License-Identifier: Apache-2.0
"""Globs of the policy language, matched the plain way: groups are multiplied out, then a set of positions walks over the text.

Bytes throughout. The parts of one flat glob: an int (that byte), "?" "*" "**", or (frozenset of bytes, negated).
"""


class BadGlob(ValueError):
    pass


def _class(g, i):
    """Behind "[": the part and the index behind "]"."""
    negated = i < len(g) and g[i] == ord("!")
    i += negated
    members = []
    while i < len(g) and (g[i] != ord("]")):
        if g[i] == ord("\\"):
            i += 1
            if i >= len(g):
                raise BadGlob("a backslash at the end")
        low = g[i]
        if i + 2 < len(g) and g[i + 1] == ord("-") and g[i + 2] != ord("]"):
            high = g[i + 2]
            i += 2
            if high == ord("\\"):
                i += 1
                if i >= len(g):
                    raise BadGlob("a backslash at the end")
                high = g[i]
            if high < low:
                raise BadGlob("a range that falls")
            members += range(low, high + 1)
        else:
            members.append(low)
        i += 1
    if i >= len(g):
        raise BadGlob("[ is not closed")
    if not members:
        raise BadGlob("an empty class")
    return (frozenset(members), negated), i + 1


def _sequence(g, i, depth):
    """Alternatives of one group's piece, or of the whole: a list of flat globs and where it ended."""
    done, flats = [], [[]]
    while i < len(g):
        c = chr(g[i])
        if depth and c in ",}":
            done += flats
            if c == "}":
                return done, i + 1
            flats = [[]]
            i += 1
            continue
        if c == "{":
            inner, i = _sequence(g, i + 1, depth + 1)
            flats = [a + b for a in flats for b in inner]
            continue
        if c == "[":
            part, i = _class(g, i + 1)
        elif c == "*":
            part = "**" if g[i:i + 2] == b"**" else "*"
            i += len(part)
        elif c == "?":
            part, i = "?", i + 1
        elif c == "\\":
            if i + 1 >= len(g):
                raise BadGlob("a backslash at the end")
            part, i = g[i + 1], i + 2
        else:
            part, i = g[i], i + 1
        for f in flats:
            f.append(part)
        flats = [list(f) for f in flats]
    if depth:
        raise BadGlob("{ is not closed")
    return done + flats, i


def flatten(glob):
    """The flat globs that a glob (bytes) stands for."""
    return _sequence(glob, 0, 0)[0]


def escape(text):
    """A glob that matches just these bytes."""
    return b"".join(b"\\" + bytes([c]) if chr(c) in "*?[]{},\\!-" else bytes([c]) for c in text)


def _takes(part, byte, sep):
    if isinstance(part, int):
        return part == byte
    if part == "?" or part == "*":
        return byte != sep
    if part == "**":
        return True
    return byte != sep and (byte in part[0]) != part[1]


def _rest(flat, at):
    """Positions that are reached without a byte: stars may match nothing."""
    found = {at}
    while at < len(flat) and flat[at] in ("*", "**"):
        at += 1
        found.add(at)
    return found


def flat_match(flat, text, sep):
    n = 0
    while n < len(flat) and isinstance(flat[n], int):    # the head, quickly: most pairs differ there
        if n >= len(text) or text[n] != flat[n]:
            return False
        n += 1
    here = _rest(flat, n)
    for byte in text[n:]:
        there = set()
        for at in here:
            if at < len(flat) and _takes(flat[at], byte, sep):
                there |= _rest(flat, at if flat[at] in ("*", "**") else at + 1)
        here = there
        if not here:
            return False
    return len(flat) in here


class Glob:
    """A compiled glob; sep: the separating byte or None; fold: without regard to ASCII case."""

    def __init__(self, glob, sep, fold=False):
        self.sep = ord(sep) if sep else None
        self.fold = fold
        self.flats = flatten(glob.lower() if fold else glob)

    def match(self, text):
        if self.fold:
            text = text.lower()
        return any(flat_match(f, text, self.sep) for f in self.flats)


def has_glob(entry):
    return any(c in b"*?[{\\" for c in entry)
