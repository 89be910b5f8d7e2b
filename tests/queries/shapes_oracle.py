"""What `report shapes` answers, computed plainly: call by call, part by part."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
FLAGS = {
    "#": ("a key that the tool does not declare", 100),
    "C": ("control characters", 100),
    "D": ("a path that climbs (../)", 100),
    "I": ("invisible characters", 100),
    "M": ("chat or script markup", 100),
    "N": ("a null byte", 100),
    "O": ("orders to a model", 100),
    "Q": ("a piece of SQL", 100),
    "L": ("a long encoded run", 400),
    "S": ("a shell command", 400),
    "T": ("a template expression", 400),
    "U": ("a URL", 400),
}
OLD_FLAGS = {
    "control": "C",
    "traversal": "D",
    "invisible": "I",
    "long_run": "L",
    "markup": "M",
    "null_byte": "N",
    "instruction": "O",
    "sql": "Q",
    "shell": "S",
    "template": "T",
    "url": "U",
}
CLASSES = {
    "a": "small letters",
    "b": "brackets",
    "c": "colons, ! or ?",
    "d": "digits",
    "e": "an @",
    "f": "full-width or private characters",
    "g": "Greek or Cyrillic letters",
    "h": "letters of South Asia and others",
    "i": "hyphens or underscores",
    "j": "Chinese, Japanese or Korean letters",
    "k": "control characters",
    "l": "capital letters",
    "m": "signs like # % * + =",
    "n": "line breaks or tabs",
    "o": "emoji and the like",
    "p": "slashes",
    "q": "quotes",
    "r": "Hebrew or Arabic letters",
    "s": "signs of a shell (; | & $ `)",
    "t": "dots or commas",
    "u": "accented letters",
    "w": "blanks",
    "y": "typographic signs",
    "+": "a number that is not negative",
    "-": "a negative number",
}
TYPES = {
    "s": ("a text", "texts"),
    "n": ("a number", "numbers"),
    "b": ("a boolean", "booleans"),
    "z": ("null", "null"),
    "l": ("a list", "lists"),
    "o": ("an object", "objects"),
    "x": ("a value that cannot be read", "values that cannot be read"),
}
Reason = tuple[int, str, str, str, str]
"""Charge, argument, kind, letter, words."""


@dataclass
class Kind:
    """Calls that differ in nothing that is judged."""

    shape: str
    parts: dict[str, str]
    step: int
    calls: list[Row] = field(default_factory=list)
    before: list[Row] = field(default_factory=list)
    weight: int = 0


def shapes(
    rows: list[Row],
    since: int = 0,
    until: int = 2**63 - 1,
    session: str | None = None,
    min_calls: int = 20,
    min_before: int = 200,
    few: int = 3,
    ratio: float = 0.01,
    min_bits: float = 3,
) -> list[Row]:
    by_tool: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("method") == "tools/call" and row.get("kind") == "server" and row["start_unix_nano"] < until:
            by_tool[row.get("service_name") or "", row.get("tool") or ""].append(row)
    result: list[tuple[Any, Row]] = []
    for key, calls in by_tool.items():
        here = [row for row in calls if row["start_unix_nano"] >= since]
        before = len(calls) - len(here) >= min_before
        kinds = _kinds(calls, since)
        for kind in kinds:
            kind.weight = len(kind.before if before else kind.calls)
        judged = {}
        if sum(kind.weight for kind in kinds) >= min_calls:
            judged = _findings(kinds, before, few, ratio, min_bits, session)
        by_shape: dict[str, list[Row]] = defaultdict(list)
        for row in here:
            by_shape[row.get("args_shape") or ""].append(row)
        for shape, group in by_shape.items():
            if session is not None and all(row.get("session_id") != session for row in group):
                continue
            described = _measured(key, shape, group, len(here))
            found = judged.get(shape, {})
            for lead, (excess, newest, odd, odd_calls) in found.items():
                finding = {"odd": odd, "bits": excess / 100, "odd_calls": odd_calls}
                finding["odd_session_id"] = newest[19:] or None
                order = (0, -excess, [-ord(letter) for letter in newest], -len(group), key, shape, lead)
                result.append((order, described | finding))
            if not found:
                quiet = {"odd": None, "bits": None, "odd_calls": 0, "odd_session_id": None}
                result.append(((1, 0, [], -len(group), key, shape, ""), described | quiet))
    return [row for _, row in sorted(result, key=lambda entry: entry[0])]


def _measured(key: tuple[str, str], shape: str, group: list[Row], total: int) -> Row:
    sizes = [row["args_bytes"] for row in group if row.get("args_bytes") is not None]
    texts = [longest for longest in map(_longest, group) if longest is not None]
    return {
        "service_name": key[0] or None,
        "tool": key[1] or None,
        "args_shape": shape or None,
        "calls": len(group),
        "call_ratio": len(group) / total,
        "sessions": len({row["session_id"] for row in group if row.get("session_id") is not None}),
        "max_args_bytes": max(sizes, default=None),
        "max_longest": max(texts, default=None),
        "first_unix_nano": min(row["start_unix_nano"] for row in group),
        "last_unix_nano": max(row["start_unix_nano"] for row in group),
    }


def _features(row: Row) -> dict[str, Any]:
    try:
        return dict(json.loads(row.get("args_features") or "{}"))
    except ValueError:
        return {}


def _longest(row: Row) -> int | None:
    return _features(row).get("longest")


def _kinds(calls: list[Row], since: int) -> list[Kind]:
    """The size of a call counts as that of the largest with equal features."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in calls:
        groups[row.get("args_shape"), row.get("args_features")].append(row)
    kinds: dict[Any, Kind] = {}
    for (shape, _), group in groups.items():
        largest = max((row.get("args_bytes") or 0 for row in group), default=0)
        parts = _parts(group[0])
        step = largest.bit_length() if largest >= 1024 else 10
        one = kinds.setdefault((shape or "", str(parts), step), Kind(shape or "", parts, step))
        one.calls += [row for row in group if row["start_unix_nano"] >= since]
        one.before += [row for row in group if row["start_unix_nano"] < since]
    return list(kinds.values())


def _parts(row: Row) -> dict[str, str]:
    features = _features(row)
    undeclared = "#" if "#" in (row.get("args_shape") or "") else ""
    if "values" in features:
        return {"": f"s--{undeclared}", **features["values"]}
    longest = features.get("longest")
    size = "-" if longest is None else DIGITS[longest.bit_length()]
    return {"": f"s{size}-" + "".join(sorted(OLD_FLAGS[flag] for flag in features.get("flags", []))) + undeclared}


def _as_rare(counts: dict[Any, int]) -> dict[Any, int]:
    return {one: sum(n for n in counts.values() if n <= seen) for one, seen in counts.items()}


def _far(counts: dict[int, int]) -> dict[int, tuple[int, int, str]]:
    """Steps far from all common ones: how many are as rare, how far beyond two steps, and on which side."""
    total = sum(counts.values())
    near = {step: sum(counts.get(step + way, 0) for way in (-1, 0, 1)) for step in counts}
    common = [step for step in counts if near[step] * 100 >= total and near[step] > 0]
    found = {}
    for step in counts:
        below = max((one for one in common if one < step), default=None)
        above = min((one for one in common if one > step), default=None)
        away = (
            min(abs(step - one) for one in (below, above) if one is not None) if (below, above) != (None, None) else 0
        )
        if away >= 2 and near[step] * 100 < total + 100:
            rare = max(near[step], sum(counts[one] for one in counts if near[one] <= near[step]))
            found[step] = rare, away - 2, "<" if above is not None else ">"
    return found


def _charge(rare: int, total: int, before: bool, allowance: int, far: int = 0) -> int:
    if rare + before == 0:
        return 0
    bits = 100 * math.log2((total + before) / (rare + before))
    return math.floor(bits + 0.5) + 100 * far - allowance


def _letters(word: str) -> str:
    return word[2:] if word[0] == "n" else word[3:]


def _steps(word: str) -> dict[str, int]:
    found = {}
    if word[1:2] and word[1] in DIGITS:
        found["size"] = DIGITS.index(word[1])
    if word[0] != "n" and word[2:3] and word[2] in DIGITS:
        found["variety"] = DIGITS.index(word[2])
    return found


def _step_words(type_: str, kind: str, step: int) -> str:
    if kind == "variety" and type_ == "s":
        return "a text as varied as"
    if step == 0 and type_ != "n":
        return "nothing in it, as"
    low, high = (
        (4 ** (step + 1) if step else 0, 4 ** (step + 2) - 1) if type_ == "n" else (2 ** (step - 1), 2**step - 1)
    )
    unit = " characters" if kind == "variety" or type_ == "s" else {"l": " items", "o": " members"}.get(type_, "")
    return f"{'its longest text of ' if kind == 'variety' else ''}{low} to {high if step < 35 else 'any number'}{unit}"


class _Usual:
    """What is usual of one tool."""

    def __init__(self, kinds: Iterable[Kind], before: bool) -> None:
        self.kinds = list(kinds)
        self.before = before
        self.total = sum(kind.weight for kind in self.kinds)
        self.named = " earlier calls" if before else " calls"
        self.words: dict[str, Counter[str]] = defaultdict(Counter)
        for kind in self.kinds:
            for argument, word in kind.parts.items():
                self.words[argument][word] += kind.weight
        self.shapes = self._count(lambda kind: kind.shape)
        self.steps = self._count(lambda kind: kind.step)
        self.arguments = {name: sum(words.values()) for name, words in self.words.items() if name}

    def _count(self, what: Callable[[Kind], Any]) -> dict[Any, int]:
        counts: Counter[Any] = Counter()
        for kind in self.kinds:
            counts[what(kind)] += kind.weight
        return dict(counts)

    def reasons(self, kind: Kind) -> list[Reason]:
        found = []
        rare = _as_rare(self.shapes)[kind.shape]
        words = f"a shape seen in {self.shapes[kind.shape]} of {self.total}{self.named}"
        found.append((_charge(rare, self.total, self.before, 400), "", "shape", "", words))
        far = _far(self.steps).get(kind.step)
        if far is not None and kind.step > 10 and far[2] == ">":
            described = f"{2 ** (kind.step - 1)} to {2**kind.step - 1} bytes in {self.steps[kind.step]} of {self.total}"
            charge = _charge(far[0], self.total, self.before, 600, far[1])
            found.append((charge, "", "bytes", "", described + self.named))
        for argument, word in kind.parts.items():
            found += self._of_word(argument, word)
        return sorted((reason for reason in found if reason[0] > 0), key=lambda r: (-r[0], not r[1], *r[1:4]))

    def _of_word(self, argument: str, word: str) -> list[Reason]:
        words = self.words[argument]
        found: list[Reason] = []

        def add(
            rare: int, seen: int, total: int, allowance: int, kind: str, letter: str, described: str, far: int = 0
        ) -> None:
            described = f"{f'{argument}: ' if argument else ''}{described} in {seen} of {total}{self.named}"
            found.append((_charge(rare, total, self.before, allowance, far), argument, kind, letter, described))

        types = Counter[str]()
        for one, seen in words.items():
            types[one[0]] += seen
        type_, usual = word[0], min(types, key=lambda one: (-types[one], one))
        if type_ not in (usual, "z"):
            described = f"{TYPES[type_][0]} where most are {TYPES[usual][1]}"
            add(_as_rare(types)[type_], types[type_], sum(types.values()), 200, "type", "", described)
        if argument:
            rare = _as_rare(self.arguments)[argument]
            if rare * 16 < self.total:
                add(min(rare, self.total), self.arguments[argument], self.total, 400, "argument", "", "an argument")
        alike = {one: seen for one, seen in words.items() if one[0] == type_}
        for kind, step in _steps(word).items():
            counts = Counter[int]()
            for one, seen in alike.items():
                if kind in _steps(one):
                    counts[_steps(one)[kind]] += seen
            far = _far(counts).get(step)
            if far is not None:
                allowance = 300 if kind == "size" else 500
                described = _step_words(type_, kind, step)
                add(far[0], counts[step], sum(counts.values()), allowance, kind, far[2], described, far[1])
        classes, total = [], types[type_]
        for letter in dict.fromkeys(_letters(word)):
            if letter in FLAGS:
                seen = sum(seen for one, seen in words.items() if letter in _letters(one))
                if seen * 2 < sum(words.values()) + 2:
                    add(seen, seen, sum(words.values()), FLAGS[letter][1], "flag", letter, FLAGS[letter][0])
                continue
            counts_of = {
                other: sum(seen for one, seen in alike.items() if other in _letters(one))
                for other in CLASSES
                if any(other in _letters(one) for one in alike)
            }
            seen = counts_of[letter]
            if seen * 2 < total + 2:
                rare = min(_as_rare(counts_of)[letter], total)
                named = "a fraction" if (type_, letter) == ("n", "t") else CLASSES[letter]
                add(rare, seen, total, 300, "class", letter, named)
                classes.append(found.pop())
        return found + sorted(classes, key=lambda reason: (-reason[0], reason[3]))[:1]


def _findings(
    kinds: list[Kind], before: bool, few: int, ratio: float, min_bits: float, session: str | None
) -> dict[str, dict[str, tuple[int, str, str, int]]]:
    usual = _Usual(kinds, before)
    reasons = [usual.reasons(kind) for kind in kinds]
    scores = [sum(reason[0] for reason in found) for found in reasons]
    ordinary = 0
    for score in set(scores) - {0}:
        if (
            sum(kind.weight for kind, one in zip(kinds, scores, strict=True) if one >= score)
            > few + ratio * usual.total
        ):
            ordinary = max(ordinary, score)
    found: dict[tuple[str, str], list[tuple[Any, Kind, int, str]]] = defaultdict(list)
    for kind, why, score in zip(kinds, reasons, scores, strict=True):
        mine = session is None or any(row.get("session_id") == session for row in kind.calls)
        if kind.calls and why and score - ordinary >= 100 * min_bits and mine:
            newest = max(_stamp(row) for row in kind.calls)
            parts = ",".join(f'"{name}":"{word}"' for name, word in kind.parts.items())
            order = (-(score - ordinary), [-ord(letter) for letter in newest], parts, kind.step)
            lead = f"{why[0][1]} {why[0][2]} {why[0][3]}"
            found[kind.shape, lead].append((order, kind, score - ordinary, _sentence(why)))
    described: dict[str, dict[str, tuple[int, str, str, int]]] = defaultdict(dict)
    for (shape, lead), group in found.items():
        group.sort(key=lambda entry: entry[0])
        stamps = [_stamp(row) for _, kind, _, _ in group for row in kind.calls]
        described[shape][lead] = group[0][2], max(stamps), group[0][3], len(stamps)
    return described


def _stamp(row: Row) -> str:
    return f"{row['start_unix_nano']}{row.get('session_id') or ''}"


def _sentence(reasons: list[Reason]) -> str:
    described = [f"{words}, +{charge // 100} bits" for charge, _, _, _, words in reasons[:3]]
    more = [f"and {len(reasons) - 3} more"] if len(reasons) > 3 else []
    return "; ".join(described + more)
