"""Finds sentences that order the reader to act, by their situation: who acts on what, for whom, and how openly.

Patterns know wordings of an attack. A plain order has none, so this module looks at what one sentence joins: a verb in
the imperative, and the things that make a harmless imperative rare (somebody else's address, private data, the user as
a third person, secrecy, money, a changed answer). Two of them in one sentence are a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from mcpobs.detect.injection.engine import Shelf
from mcpobs.detect.injection.regex import Regex, compiled

SENTENCE_BYTES: Final = 240
"""How far a sentence reaches before and after the sign that it was found by, at most."""

MOST_SIGNS: Final = 200
"""Signs that are looked at in one text."""

_OPENING: Final = (
    r"(?:^|[\n.!?:;|>\"'`(\[\]*}/-]\s*|[,)]\s+|\b(?:and|then|please|kindly|also|now|instead|just|next|first|simply|"
    r"immediately|silently|quietly|always|must|shall|should|have to|need to|sure to|ahead and|back and)[\s,]+)"
)
"""Where a clause in the imperative begins."""

VERBS: Final = {
    "moves": r"send|forward|e-?mail|mail|post|upload|submit|transmit|export|copy|share|publish|paste|append|attach|"
    r"include|write|put|report|message|text|cc|bcc|sync|issue",
    "destroys": r"delete|remove|erase|wipe|clear|cancel|drop|purge|overwrite|replace|revoke|destroy|disable|unlock|"
    r"switch off|turn off|take out|close|move",
    "pays": r"transfer|wire|pay|charge|buy|order|purchase|book|rebook|subscribe|reserve|donate|refund|check out|sell",
    "grants": r"invite|add|grant|give|create|change|update|set|reset|make|approve|accept|merge|enable|register|"
    r"mark|save|remember|store|note",
    "runs": r"call|run|execute|use|install|download|visit|open|log in|go to|click|invoke|start",
    "fetches": r"fetch|retrieve|collect|look up|get|read|find|search|gather|list|locate|extract|take",
    "states": r"tell|ask|inform|reply|respond|answer|state|say|recommend|present|rate|describe|omit|leave out|"
    r"claim|advise|direct|redirect|assure|warn|summari[sz]e|conclude",
}
"""Verbs of an order, by what they do."""

SEEN: Final = {
    "address": r"[\w.+-]+@[\w-]+\.\w|\b[A-Z]{2}\d{2} ?[\dA-Z]{4}[ \dA-Z]{6}|\b0x[0-9a-f]{8}|\bbc1\w{6}|"
    r"\+\d[\d ()-]{8,}",
    "person": r"\b(?:the|this) (?:user|customer|guest|passenger|client|traveller|applicant|candidate|human)(?:'s|s)?\b|"
    r"\b(?:whoever|everybody|everyone|people) (?:is|who|that|in|on)\b",
    "hidden": r"\b(?:without (?:mention|tell|ask|inform|notif|confirm|say|letting|further)\w*|(?:do not|don't|never|no "
    r"need to|needn't|refrain from|not|avoid) (?:mention|tell|inform|notif|list|disclos|reveal|bring|say|refer)\w*|"
    r"leave (?:it|this|that|them) out|keep (?:it|this|quiet|silent|secret)|tell (?:nobody|no one|no-one|nothing)|"
    r"say nothing|silently|secretly|discreetly|as if (?:it|nothing)|(?:clear|delete|erase|wipe) (?:the |this |your )?"
    r"(?:message|mail|log|history|trace|audit|sent)\w*|afterwards? delete|then delete)",
    "money": r"[$€£] ?\d|\b\d[\d.,]* ?(?:eur|usd|gbp|dollars?|euros?|pounds|btc|eth)\b|\b(?:gift cards?|card on file|"
    r"saved card|company card|main account|wallet|premium plan)\b",
}
"""What makes a sentence worth a look: seldom in harmless imperatives. One of these has to be there."""

ABOUT: Final = {
    "link": r"https?://|\bwww\.",
    "private": r"\b(?:passwords?|passphrase|credentials?|tokens?|api[ _-]?keys?|secrets?|keys|\.env|ssh|contacts?|"
    r"address book|inbox|mailbox|e-?mails|messages|history|conversation|dialogue|documents|records|invoices|saved|"
    r"confidential|private|personal|passports?|card numbers?|(?:credit )?cards|medical|payroll|payslips?|insurance|"
    r"customers?'? (?:table|list|data|names)|names|phone numbers?|codes?|environment|source code|database|backups?|"
    r"calendar|wifi|notes)\b",
    "shaped": r"\b(?:summary|answer|reply|response|review|stars|as (?:the best|safe|proven|excellent)|above all|"
    r"regardless|whatever|any question|only with|in capital)\b",
    "tool": r"\b[a-z]+_[a-z_]+\b|\b(?:tool|function|endpoint|curl|sudo|chmod)\b",
    "timed": r"\b(?:before (?:you|reply|answer|proceed|continu|present|show)\w*|prior to|instead|immediately|"
    r"right away|at once|stop all|from now|all (?:later|future)|"
    r"when(?:ever)? (?:summ|answer|edit|present|read|repl|process)\w*|"
    r"anyway|if you (?:read|are|see))\b",
    "access": r"\b(?:admin\w*|owner|permissions?|full access|two.factor|2fa|firewall|virus|confirmation|approval|"
    r"public|recovery|front door|cameras?|alarm|audit)\b",
}
"""What else an order is about."""

REPORTED: Final = "reported"
_REPORTED: Final = (
    r"\b(?:asks|asked|tells|told|instructs|instructed|orders|ordered|wants?|wanted|tricks?|tricked|causes?|caused|"
    r"requires?|required|urges|urged|makes|made|lets|allows?|allowed|persuades?|claims|claimed) "
    r"(?:you|us|me|him|her|them|users?|people|staff|employees|customers|victims?|(?:the|an?|our|my|its|their) \w+) to\b"
)
"""A sentence that reports an order of somebody else gives none."""

_STOPS: Final = (b"\n", b". ", b"! ", b"? ")


class Order(NamedTuple):
    """A rule, and the sentence that it holds for."""

    rule: str
    start: int
    end: int


def orders(data: bytes) -> Iterator[Order]:
    """Yields each rule with the first sentence of a text in UTF-8 that it holds for. Linear in the text."""
    named: set[str] = set()
    for start, end in _sentences(data):
        for rule in _rules(_joined(data[start:end])):
            if rule not in named:
                named.add(rule)
                yield Order(rule, start, end)


def _rules(joined: frozenset[str]) -> Iterator[str]:
    """Yields the rules of what one sentence joins. A second rule of a sign stands for more evidence of it."""
    verbs, signs = joined & VERBS.keys(), joined & SEEN.keys()
    if not verbs or REPORTED in joined:
        return
    if signs and len(joined) >= 3:
        yield from (f"orders-{sign}" for sign in sorted(signs))
        if "private" in joined:
            yield "orders-private"
    if signs and len(joined) >= 4:
        yield from (f"orders-{sign}-more" for sign in sorted(signs))
    if signs and len(joined) >= 5:
        yield "orders-most"
    if "link" in joined and len(joined) >= 4:
        yield "orders-link"
    if len(joined) - len(verbs) >= 3:
        yield "orders-things"
    if len(verbs) >= 2 and len(joined) - len(verbs) >= 2:
        yield "orders-chain"


def _sentences(data: bytes) -> Iterator[tuple[int, int]]:
    end = 0
    for count, match in enumerate(_signs().finditer(data)):
        at = match.span()[0]
        if at >= end:
            start, end = _sentence(data, at)
            yield start, end
        if count == MOST_SIGNS:
            return


def _sentence(data: bytes, at: int) -> tuple[int, int]:
    low, high = max(0, at - SENTENCE_BYTES), at + SENTENCE_BYTES
    starts = [found + len(stop) for stop in _STOPS if (found := data.rfind(stop, low, at)) >= 0]
    ends = [found + 1 for stop in _STOPS if (found := data.find(stop, at, high)) >= 0]
    return max(starts, default=low), min(ends, default=min(high, len(data)))


@cache
def _signs() -> Regex:
    return compiled("|".join([*SEEN.values(), *(ABOUT[name] for name in ("link", "timed", "access"))]))


@cache
def _shelf() -> tuple[Shelf, dict[str, str]]:
    named = {f"{_OPENING}(?:{verbs})\\b": name for name, verbs in VERBS.items()}
    named.update({regex: name for name, regex in {**SEEN, **ABOUT, REPORTED: _REPORTED}.items()})
    return Shelf(list(named)), named


def _joined(sentence: bytes) -> frozenset[str]:
    shelf, named = _shelf()
    return frozenset(named[regex] for regex in shelf.matched(sentence))
