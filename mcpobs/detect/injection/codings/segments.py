"""Finds the words of a text that was written without spaces."""

from __future__ import annotations

import re

LONGEST = 14
MOST_LETTERS = 2000

_WORD_LIST = """
    a about above access account accounts action address admin after again against agent ai all always an and
    answer any api append archive are as ask asked assistant at attach attachment attacker auditors authorized
    bank be because been before being below both branch by bypass call came can cat change click code com come
    coming command commands complete confidential configuration confirm contact contents continue could
    credentials customer data database debug delete details developer directives disable disclose disregard do
    document does done each earlier email enable end enter environment erase eur euro even every everything evil
    example execute exfiltrate export file files filters first folder follow following for forget forgot forward
    from full get give given go good great guidelines has have hello her here hidden him how http https human if
    ignore immediately important in inbox include inform information input instead instruction instructions
    integrity into invoice invoices is it its just key keys know language last latest like line link list load
    local log longer look main make many may me mention message messages might mode model money more most much
    must my need needed never new next no not note notes notify now number of off ok old on once one only open
    operator or orders original other our output over override own page paragraph pass password passwords pay
    payment payments people person please policy post previous print prior private prompt provide put question
    read reader reading refund release remove repeat reply report request requested respond response restrictions
    reveal right role root rules run safety same say secret secrets security see seems send session share she
    shell should show silently since skip so some start still stop store such sudo summarising summarizing summary
    sure system take tell text than thank that the their them then there these they thing think this three time to
    token tokens told tool tools transaction transfer treat trusted under unrestricted until untrusted up upload
    url usd use user users value variable vendor verify very visit wallet want was way we website well what when
    where which while who why will with without word work world would write year years you your yourself
"""
WORDS = frozenset(_WORD_LIST.split())


def segmented(text: str) -> str:
    """Puts spaces between the words of every long run of letters. A run with no known words stays as it is."""
    return re.sub(r"[a-zA-Z]{10,}", lambda run: _words(run[0]), text[: MOST_LETTERS * 4])


def _words(run: str) -> str:
    """Returns the cheapest division of a run: a known word costs 1, an unknown letter 2."""
    letters = run[:MOST_LETTERS].lower()
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(letters) + 1):
        options = [(best[end - 1][0] + 2, end - 1)]
        for start in range(max(0, end - LONGEST), end):
            if letters[start:end] in WORDS:
                options.append((best[start][0] + 1, start))
        best.append(min(options))
    words: list[str] = []
    end = len(letters)
    unknown = ""
    while end:
        start = best[end][1]
        if letters[start:end] in WORDS:
            words += [unknown, run[start:end]] if unknown else [run[start:end]]
            unknown = ""
        else:
            unknown = run[start:end] + unknown
        end = start
    if unknown:
        words.append(unknown)
    return " ".join(reversed(words))
