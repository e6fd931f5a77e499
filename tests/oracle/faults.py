# SPDX-License-Identifier: Apache-2.0
"""Faults to put into the reference on purpose: the driver has to notice each of them, or it would not notice the same one in the evaluator."""
import re

import commands
import globs
import reference
from reference import Policy


def swap(owner, name, make):
    setattr(owner, name, make(getattr(owner, name)))


def star_crosses():
    swap(globs, "_takes", lambda old: lambda part, byte, sep: True if part == "*" else old(part, byte, sep))


def question_mark_crosses():
    swap(globs, "_takes", lambda old: lambda part, byte, sep: True if part == "?" else old(part, byte, sep))


def double_star_stays():
    swap(globs, "_takes", lambda old: lambda part, byte, sep: byte != sep if part == "**" else old(part, byte, sep))


def class_crosses():
    swap(globs, "_takes", lambda old: lambda part, byte, sep: old(part, byte, None if isinstance(part, tuple) else sep))


def class_ignores_not():
    swap(globs, "_takes", lambda old: lambda part, byte, sep: byte in part[0] if isinstance(part, tuple) else old(part, byte, sep))


def variables_are_globs():
    swap(reference, "escape", lambda old: lambda text: text)


def last_match():
    swap(Policy, "rules", lambda old: lambda self, section: old(self, section)[::-1])


def extended_first():
    swap(reference, "merge", lambda old: lambda documents: old(documents[::-1]))


def one_name_of_the_workspace():
    swap(Policy, "names_of", lambda old: lambda self, path: old(self, path)[:1])


def reads_end_in_deny():
    reference.FILE_READS.discard("readlink")


def raw_address_allowed():
    def make(old):
        return lambda self, r, q: old(self, r, {**q, "host": ""} if q.get("host") is None and "domains" not in r and "cidrs" not in r else q)
    swap(Policy, "selects", make)


def star_is_one_label():
    swap(Policy, "host_matches", lambda old: lambda self, entry, host: self.glob(entry, ".", True).match(host.encode()))


def denied_ports_decide_names():
    swap(Policy, "dns", lambda old: lambda self, q: self.net(q))


def given_name_wins():
    def make(old):
        def judge_one(self, given, file, args, depth, q):
            return self.first(given, args, depth, q) or (self.first(file, args, depth, q) if file else None)
        return judge_one
    swap(Policy, "judge_one", make)


def depth_three():
    commands.DEPTH = 3


def real_stays():
    swap(reference, "base", lambda old: lambda name: name.rsplit(b"/", 1)[-1].lower())


def names_have_case():
    swap(reference, "base", lambda old: lambda name: re.sub(rb"\.real$", b"", name.rsplit(b"/", 1)[-1]))


def arguments_anchored():
    class Anchored:
        def __init__(self, regex):
            self.search = regex.match
    swap(Policy, "regex", lambda old: lambda self, pattern: Anchored(old(self, pattern)))


def no_look_through():
    swap(commands, "inner", lambda old: lambda words, name, wrappers, script: (None, False, False))


def no_bypass():
    swap(commands, "inner", lambda old: lambda *a: old(*a)[:2] + (False,))


def anyone_asks():
    swap(Policy, "asked_by", lambda old: lambda self, rule, q: True)


def nobody_asks():
    swap(Policy, "asked_by", lambda old: lambda self, rule, q: "processes" not in rule)


def no_built_in_secrets():
    reference.SECRETS.clear()


def bad_paths_pass():
    Policy.bad_path = staticmethod(lambda path: False)


def methods_have_case():
    def make(old):
        return lambda self, r, q, path: old(self, r, q, path) and q["method"] in r.get("methods", [q["method"]]) + (["*"] and [q["method"]] * ("*" in r.get("methods", [])))
    swap(Policy, "takes_request", make)


def services_are_open():
    swap(Policy, "declared", lambda old: lambda self, host: False)


def fatal_lacks_abrt():
    reference.GROUPS["@fatal"] = (9, 15, 3)


def unix_end_allows():
    swap(Policy, "unix", lambda old: lambda self, q: ("allow",) + old(self, q)[1:] if old(self, q)[1] == "default-deny-unix" else old(self, q))


ALL = [star_crosses, question_mark_crosses, double_star_stays, class_crosses, class_ignores_not, variables_are_globs, last_match, extended_first,
       one_name_of_the_workspace, reads_end_in_deny, raw_address_allowed, star_is_one_label, denied_ports_decide_names, given_name_wins, depth_three, real_stays,
       names_have_case, arguments_anchored, no_look_through, no_bypass, anyone_asks, nobody_asks, no_built_in_secrets, bad_paths_pass, methods_have_case,
       services_are_open, fatal_lacks_abrt, unix_end_allows]
