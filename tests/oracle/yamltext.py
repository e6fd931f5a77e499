# SPDX-License-Identifier: Apache-2.0
"""Data to YAML text, in as many of YAML's styles as the dice choose: block and flow, three ways to write a string."""
import re

PLAIN = re.compile(r"[A-Za-z/_.0-9][A-Za-z0-9_/.@-]*")




def scalar(dice, value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    kinds = ["double"]
    if "\n" not in value and value.isprintable():
        kinds.append("single")
        if PLAIN.fullmatch(value):
            kinds += ["plain", "plain"]
    kind = dice.choice(kinds)
    if kind == "plain":
        return value
    if kind == "single":
        return "'" + value.replace("'", "''") + "'"
    out = ""
    for c in value:
        if c in '"\\':
            out += "\\" + c
        elif c == "\n":
            out += "\\n"
        elif c == "\t":
            out += "\\t"
        elif ord(c) < 32 or c == "\x7f":
            out += "\\x%02x" % ord(c)
        elif ord(c) > 126 and dice.random() < 0.3:
            out += "\\u%04x" % ord(c) if ord(c) < 65536 else "\\U%08x" % ord(c)
        else:
            out += c
    return '"' + out + '"'


def flow(dice, value):
    if isinstance(value, dict):
        return "{" + ", ".join("%s: %s" % (scalar(dice, k), flow(dice, v)) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(dice, v) for v in value) + "]"
    return scalar(dice, value)


def block(dice, value, indent):
    """Lines of a map or list, each already indented."""
    pad, lines = " " * indent, []
    if isinstance(value, dict):
        for k, v in value.items():
            head = pad + scalar(dice, k) + ":"
            if isinstance(v, (dict, list)) and v and dice.random() < 0.4:
                lines.append(head + dice.choice(["", "  # note"]))
                lines += block(dice, v, indent + 2)
            else:
                lines.append(head + " " + flow(dice, v))
        return lines
    for v in value:
        if isinstance(v, dict) and v and dice.random() < 0.6:
            inner = block(dice, v, indent + 2)
            lines.append(pad + "- " + inner[0].lstrip(" "))
            lines += inner[1:]
        else:
            lines.append(pad + "- " + flow(dice, v))
    return lines


def document(dice, data):
    lines = []
    for k, v in data.items():
        if isinstance(v, (dict, list)) and v:
            lines.append(k + ":")
            lines += block(dice, v, dice.choice([0, 2]) if isinstance(v, list) else 2)
        else:
            lines.append(k + ": " + flow(dice, v))
    return "\n".join(lines) + "\n"
