"""Takes the volatile parts out of a value: what changes from call to call and says nothing, such as a request id.

Two arguments or two results whose texts are equal afterwards differ in nothing that matters to a reader. Masked are

- in arguments: members that are named as a nonce, a counter of attempts, a time or a cursor; moments; UUIDs, unless the
  member names a thing (`order_id`);
- in results: members that are named as an id of the request, a time that something took, a moment or a cursor; the same
  in prose (`request id: 7f3a`, `took 12 ms`); moments. A time that is left is news.

Looked at are the first and the last bytes of a long result; the rest counts as it is. Arguments are walked as a value,
which takes 1 µs for most; a result is searched as text, also in JSON within its strings, which takes 50 µs a KiB:
`facts` asks for it only if a question is asked again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from mcpobs.protocol.canonical import canonical

HEAD: Final = 1_024
TAIL: Final = 256
MAX_MEMBERS: Final = 64
MAX_DEPTH: Final = 3
MAX_TEXT: Final = 512
"""Characters of an argument's text that are searched."""
MASK: Final = "\x00"

# fmt: off
_IDS = {
    "requestid", "reqid", "rid", "xrequestid", "traceid", "spanid", "correlationid", "invocationid", "callid",
    "toolcallid", "clientrequestid", "idempotencykey", "nonce",
}
_MOMENTS = {
    "ts", "time", "timestamp", "now", "servertime", "currenttime", "generatedat", "servedat", "fetchedat", "checkedat",
    "asof", "requestedat", "queriedat", "retrievedat", "sentat",
}
_CURSORS = {
    "cursor", "nextcursor", "prevcursor", "pagetoken", "nextpagetoken", "continuation", "continuationtoken", "page",
    "pagenumber", "pageno", "offset", "skip", "start", "after", "startcursor", "endcursor", "next", "nextpage",
    "nextoffset",
}
_COUNTERS = {"attempt", "attempts", "attemptno", "attemptnumber", "retry", "retries", "retrycount"}
_ASKED: Final = frozenset(_IDS | _MOMENTS | _CURSORS | _COUNTERS | {
    "", "t", "salt", "random", "rand", "rnd", "cachebuster", "cachebust", "cb", "nocache", "try", "tries", "tryno",
    "counter", "count", "n", "i", "k", "iteration", "iter", "seq", "sequence", "seqno", "round", "turn", "run", "poll",
    "tick", "callno", "callnumber",
})
_ANSWERED: Final = frozenset(_IDS | _MOMENTS | _CURSORS | _COUNTERS | {
    "elapsed", "elapsedms", "elapseds", "elapsedseconds", "elapsedtime", "took", "tookms", "duration", "durationms",
    "durations", "durationseconds", "latency", "latencyms", "timems", "timetaken", "timetakenms", "responsetime",
    "responsetimems", "processingtime", "processingtimems", "executiontime", "executiontimems", "querytime",
    "querytimems", "runtime", "runtimems", "uptime", "uptimes", "uptimeseconds",
})
_THINGS = ("id", "ids", "key", "ref", "hash", "sha", "uuid", "guid")
# fmt: on

_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|(?<![0-9:])[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?![0-9:])"
    r"|(?<![0-9.])1[5-9][0-9]{8}(?:[0-9]{3}|[0-9]{6}|[0-9]{9})?(?:\.[0-9]{1,9})?(?![0-9])"
)
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_NUMBERED = (
    r"\b(?:[Rr]equest|REQUEST|[Rr]eq|[Rr]id|RID|[Tt]race|[Cc]orrelation|[Nn]once|[Aa]ttempt|[Tt]ry|[Rr]etry|[Ii]teration)"
    r"(?:[ _-]?[Ii][Dd])?[ :=#_-]{1,3}\(?(?=[a-zA-Z_-]{0,36}[0-9])[0-9a-zA-Z_-]{1,64}"
)
_IN_ARGUMENTS: Final = re.compile(f"{_MOMENT}|{_UUID}|{_NUMBERED}")
_MEMBER: Final = re.compile(rb'"([A-Za-z_-]{1,24})(\\?)": ?(?:\2"[^"\\]{0,256}\2"|-?[0-9][0-9.eE+-]{0,30})')
_NUMBERED_RESULT: Final = re.compile(_NUMBERED.encode())
_WORDS: Final = (b"eq", b"id", b"ID", b"race", b"tion", b"once", b"ttempt", b"try")
"""A part of each word of _NUMBERED."""
_NUMBER: Final = re.compile(
    rb"[0-9][0-9]*+(?:"
    rb"-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    rb"|:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    rb"|(?:\.[0-9]{1,9})?+(?: ?(?:ms|\xc2\xb5s|us|ns|s|secs?|seconds?|msecs?|milliseconds?)\b"
    rb"(?! (?:left|remaining|to go|until)))?"
    rb")"
)
"""A number, which is a moment or a time with its unit or neither. Begins with digits, which the engine finds fast."""
_LEFT: Final = re.compile(rb"\b(?:eta|left|remaining)[ :=]{1,3}$", re.IGNORECASE)
_DIGIT: Final = re.compile("[0-9]")
_EPOCHS: Final = ((1.5e9, 2e9), (1.5e12, 2e12), (1.5e15, 2e15), (1.5e18, 2e18))


def arguments(value: object) -> bytes | None:
    """The canonical JSON of arguments without its volatile parts; None if it has none."""
    if not isinstance(value, dict):
        return None
    masked = _of_members(value, MAX_DEPTH)
    return None if masked is value else canonical(masked)[0]


def result(text: bytes) -> bytes | None:
    """The canonical JSON of a result without its volatile parts; None if it has none, or if it is nothing else: what a
    clock says is new each time."""
    if len(text) <= HEAD + TAIL:
        masked = _searched(text)
    else:
        masked = _searched(text[:HEAD]) + text[HEAD:-TAIL] + _searched(text[-TAIL:])
    return None if masked == text else masked


def _of_members(value: dict[str, object], depth: int) -> dict[str, object]:
    """The same object if nothing in it is volatile."""
    if len(value) > MAX_MEMBERS:
        return value
    found: dict[str, object] = {}
    for name, below in value.items():
        kind = type(below)
        if kind is str:
            if _meaning(name) == "volatile":
                found[name] = MASK
            elif _meaning(name) == "other" and (masked := _of_text(below)) is not below:  # type: ignore[arg-type]
                found[name] = masked
        elif kind is int or kind is float:
            if _meaning(name) == "volatile" or _is_moment(below):  # type: ignore[arg-type]
                found[name] = MASK
        elif kind is dict and depth and (members := _of_members(below, depth - 1)) is not below:  # type: ignore[arg-type]
            found[name] = members
    return {**value, **found} if found else value


def _of_text(text: str) -> str:
    if len(text) > MAX_TEXT or _DIGIT.search(text) is None:
        return text
    masked = _IN_ARGUMENTS.sub(MASK, text)
    return text if masked == text else masked


def _is_moment(number: float) -> bool:
    return number > 1.5e9 and any(low <= number <= high for low, high in _EPOCHS)


@lru_cache(maxsize=1_024)
def _meaning(name: str) -> Literal["volatile", "thing", "other"]:
    if len(name) > 24:
        return "other"
    plain = name.replace("_", "").replace("-", "").lower()
    if plain in _ASKED:
        return "volatile"
    return "thing" if plain.endswith(_THINGS) else "other"


def _searched(text: bytes) -> bytes:
    text = _NUMBER.sub(_mask_number, _MEMBER.sub(_mask_member, text))
    return _NUMBERED_RESULT.sub(b"\x00", text) if any(word in text for word in _WORDS) else text


def _mask_member(match: re.Match[bytes]) -> bytes:
    plain = match[1].translate(None, b"_-").decode().lower()
    return b'"' + match[1] + b'":\x00' if plain in _ANSWERED else match[0]


def _mask_number(match: re.Match[bytes]) -> bytes:
    number = match[0]
    if number.isdigit():
        return b"\x00" if len(number) in (10, 13, 16, 19) and b"15" <= number[:2] <= b"19" else number
    if number[-1:].isdigit() and b":" not in number:
        return number
    before = match.string[max(0, match.start() - 14) : match.start()]
    return number if _LEFT.search(before) else b"\x00"
