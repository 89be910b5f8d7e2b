"""Finds the words of a text that was written without spaces."""

from __future__ import annotations

import re

LONGEST = 14
MOST_LETTERS = 2000

_WORD_LIST = """
    a about above access account action address admin agent ai all an and answer any api append are as ask
    assistant at attacker authorized be been before below bypass by call can cat change code command commands com
    complete confidential configuration contact contents continue credentials customer data database delete
    developer directives disable disclose disregard do document does done earlier email enable end enter erase
    evil example execute exfiltrate export file filters first follow following for forget forward from full get
    give given go guidelines has have hello hidden http https human ignore immediately important in inbox include
    information inform input instead instructions instruction into invoice is it its key keys language last latest
    list load local log main mention me message messages mode model money must my new next no not note notes
    notify now of ok on only open operator or orders original other our output override page pass password
    passwords pay payment please policy post previous print prior private prompt provide question read reader
    reading refund remove repeat reply report request respond response restrictions reveal role rules run safety
    say secret secrets security send session share show silently skip so start stop store summary system tell text
    that the their them then there these they this to token tokens tool tools transfer transaction unrestricted
    until upload url use user users value verify wallet was we what when where which who will with without word
    write you your yourself
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
    words, end = [], len(letters)
    while end:
        start = best[end][1]
        words.append(run[start:end])
        end = start
    return " ".join(reversed(words))
