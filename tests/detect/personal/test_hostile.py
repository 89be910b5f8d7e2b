"""Hostile texts: every recogniser, the scrubber and the masks end, soon and without an error."""

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.detect.personal import find, scrub
from mcpobs.detect.recorded import scrubbed
from mcpobs.protocol.masks import Finder, masked
from tests.detect.personal.hostile import PARTS, texts


@pytest.mark.parametrize("text", texts(), ids=range(len(PARTS)))
def test_a_hostile_text_is_read(text: str):
    found = find(text)
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert len(scrubbed(text)) <= len(text) + 1_000_000
    result = masked(json.dumps({"content": [{"type": "text", "text": text}]}).encode(), Finder(), b"k")
    json.loads(result.raw)


parts = st.lists(st.sampled_from(PARTS) | st.text(max_size=6), max_size=30).map("".join)


@settings(max_examples=200, deadline=None)
@given(text=parts, key=st.none() | parts)
def test_any_text_is_read_and_scrubbed_once(text: str, key: str | None):
    found = find(text, key=key)
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    scrub(text)
    raw = json.dumps({"content": [{"text": text}], "structuredContent": {key or "k": text}}).encode()
    once = masked(raw, Finder(), b"k").raw
    json.loads(once)
    assert masked(once, Finder(), b"k").raw == once


def test_random_bytes_are_no_error():
    source = random.Random(7)
    for _ in range(300):
        text = bytes(source.randrange(256) for _ in range(200)).decode("utf-8", "surrogateescape")
        assert all(0 <= each.start < each.end <= len(text) for each in find(text))
