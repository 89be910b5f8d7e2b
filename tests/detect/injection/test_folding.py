"""Folding a few characters by themselves, and finding runs without RE2: the same as the plain way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.detect.injection.codings import CODINGS
from mcpobs.detect.injection.decoding import _regex, _runs
from mcpobs.detect.injection.folding import FEW_FOREIGN, _folded, folded

MARKED = "éèàñőüßıłŁđøǺ각한ᄒ…“”–\u00a0\u200b\ufeffﬁ①ﷺ\ud800你данใ゛が\u0338\u0301\u0323\u0345;Ωab <\n"


@given(st.one_of(st.text(st.sampled_from(MARKED), max_size=20), st.text(st.characters(exclude_categories=()))))
@settings(max_examples=300, deadline=None)
def test_runs_are_folded_as_the_whole_is(text):
    few = "plain " * 20 + text
    assert folded(few) == _folded(few)


def test_many_characters_are_folded_at_once():
    text = "é – “x” " * FEW_FOREIGN
    assert folded(text) == _folded(text) == "e – “x” " * FEW_FOREIGN


PACKED = ["aGVsbG8gd29ybGQg", "ABCDEFGH234567", " ", "\n", "==", "-_/+", "é", "x" * 29, "1", "."]


@pytest.mark.parametrize("number", [n for n, coding in enumerate(CODINGS) if coding.begins])
@given(data=st.lists(st.sampled_from(PACKED), max_size=20).map(lambda pieces: "".join(pieces).encode()))
@settings(max_examples=200, deadline=None)
def test_runs_that_begin_with_so_many_bytes_are_those_that_re2_finds(number, data):
    assert list(_runs(number, data)) == [run.span() for run in _regex(number).finditer(data)]
