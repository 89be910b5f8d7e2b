"""Texts that are made to crash, to stall or to blow up the scanner."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.detect.injection import scan, threshold
from mcpobs.detect.injection.joined import MOST_CHARACTERS
from mcpobs.detect.injection.scanning import read

WORDS = "ignore |previous |instructions |send |password |to |system:|you are now |user:|<!--|-->|1gn0r3 "
CODED = r"%41|&#65;|\u0041|\x41|\ud83d|QUJD|414243|01000001 |65 |.- |a.|- |[|{|'|\|/|!|`"
UNSEEN = '\u200b\u202e\u202c\ud800\udfff\ufdfa\U000e0041\ufe0f\u0301оι你\x00\n\u2028"'
PIECES = ["vafgehpgvbaf ", "snoitcurtsni ", *WORDS.split("|"), *CODED.split("|"), *UNSEEN]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_mixture_of_pieces_makes_the_scanner_fail(text):
    scanned = scan([text, text[::-1]])
    assert all(0 <= hit.start <= hit.end <= len(text) for hit in scanned.hits)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_makes_the_scanner_fail(text):
    scanned = scan([text])
    assert math.isfinite(scanned.score)
    assert all(0 <= hit.start <= hit.end <= len(text) for hit in scanned.hits)


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_a_repeated_piece_is_scanned_in_bounded_layers(piece):
    text = piece * (60_000 // len(piece))
    _, readings = read(text)
    assert len(readings) < 1000
    assert sum(map(len, readings)) < 20 * len(text)


def test_brackets_and_deep_json_are_ordinary_text():
    scanned = scan(["[" * 100_000 + "]" * 100_000, json.dumps({"a": ["b"] * 10}) * 1000])
    assert scanned.score <= threshold(0.01)
    assert not scanned.truncated


def test_what_is_scanned_of_a_huge_result_is_bounded():
    _, readings = read("x" * 10)
    assert readings
    assert scan(["\u200b" * 3_000_000]).truncated
    assert scan(["a "] * (MOST_CHARACTERS // 2)).truncated
