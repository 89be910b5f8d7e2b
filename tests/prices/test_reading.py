"""The book of prices as config.toml has it: what is read of it, and what is refused with the key's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.prices.book import Book
from mcpobs.prices.rule import Rule
from mcpobs.settings import load_config


def book(folder: Path, text: str) -> Book:
    (folder / "config.toml").write_text(text)
    return load_config(folder, {}).prices


def test_dollars_a_call_are_micro_dollars_to_the_last_digit(tmp_path: Path) -> None:
    found = book(tmp_path, '[prices]\nsearch = 0.002\n"*" = 0.000001\nread = 0\nbuy = 12\nodd = 0.1234565\n')
    assert {tool: rule.call_microusd for tool, rule in found.tools.items()} == {
        "search": 2000,
        "*": 1,
        "read": 0,
        "buy": 12_000_000,
        "odd": 123_457,  # a half is rounded up
    }


def test_a_tool_that_is_not_named_has_the_price_of_the_star(tmp_path: Path) -> None:
    found = book(tmp_path, '[prices]\nsearch = 0.002\n"*" = 0.0005\n')
    assert found.of("files", "search") == Rule(call_microusd=2000)
    assert found.of(None, "other") == Rule(call_microusd=500)
    assert book(tmp_path, "[prices]\nsearch = 1").of("files", "other") is None


def test_a_server_has_prices_of_its_own_and_they_are_asked_first(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        """
        [prices]
        search = 0.002
        read = 0.003
        [servers.web.prices]
        search = 0.01
        [servers."my disk".prices]
        "*" = 0
        """,
    )
    assert found.of("web", "search") == Rule(call_microusd=10_000)
    assert found.of("web", "read") == Rule(call_microusd=3000)
    assert found.of("my disk", "search") == Rule(call_microusd=0)
    assert found.of("other", "search") == Rule(call_microusd=2000)
    assert len(found) == 4


def test_a_price_of_many_parts_is_read_whole(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        """
        [prices.ocr]
        per_call = 0.001
        per_unit = 0.0000015
        units = "pages.0.n"
        max_units = 500
        reported = ["_meta", "example.com/cost"]
        reported_in = "microusd"
        max_reported = 5.00
        per_million_tokens = 2.5
        tokens = "structuredContent.usage.tokens"
        max_tokens = 50_000
        """,
    )
    assert found.of(None, "ocr") == Rule(
        call_microusd=1000,
        unit_nanousd=1500,
        units=("pages", 0, "n"),
        max_units_milli=500_000,
        reported=("_meta", "example.com/cost"),
        reported_in="microusd",
        max_reported_microusd=5_000_000,
        microusd_per_mtok=2_500_000,
        tokens=("usage", "tokens"),
        max_tokens=50_000,
    )


def test_a_path_of_a_dot_is_the_answer_itself(tmp_path: Path) -> None:
    found = book(tmp_path, '[prices.list]\nper_unit = 1\nunits = "."\nmax_units = 9').of(None, "list")
    assert found is not None
    assert found.units == ()


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[prices]\nsearch = -1", "[prices] search", "not US dollars a call: -1"),
        ("[prices]\nsearch = nan", "[prices] search", "not US dollars a call: NaN"),
        ("[prices]\nsearch = inf", "[prices] search", "not US dollars a call: Infinity"),
        ("[prices]\nsearch = true", "[prices] search", "not US dollars a call: True"),
        ("[prices]\nsearch = '1'", "[prices] search", "not US dollars a call: '1'"),
        ("[prices]\nsearch = 1e6", "[prices] search", "not US dollars a call"),
        ("[prices]\n'a b' = 0.0000001", '[prices] "a b"', "too small to be counted"),
        ("[prices.x]", "[prices.x]", "is empty"),
        ("[prices.x]\nper_cal = 1", "[prices.x]", "unknown key 'per_cal'"),
        ("[prices.x]\nper_call = []", "[prices.x] per_call", "not US dollars a call"),
        ("[prices.x]\nper_unit = 1", "[prices.x]", "has per_unit and no units"),
        ("[prices.x]\nunits = 'a'", "[prices.x]", "has units and no per_unit"),
        ("[prices.x]\nunits = 'a'\nper_unit = 1", "[prices.x]", "has units and no max_units"),
        ("[prices.x]\nunits = '$.a'\nper_unit = 1\nmax_units = 1", "[prices.x] units", "begins with $"),
        ("[prices.x]\nunits = 'a..b'\nper_unit = 1\nmax_units = 1", "[prices.x] units", "not a path into a result"),
        ("[prices.x]\nunits = 7\nper_unit = 1\nmax_units = 1", "[prices.x] units", "not a path into a result: 7"),
        ("[prices.x]\nunits = [-1]\nper_unit = 1\nmax_units = 1", "[prices.x] units", "counts from the end"),
        ("[prices.x]\nunits = 'a'\nper_unit = 1\nmax_units = 0", "[prices.x] max_units", "is not a number up to"),
        ("[prices.x]\nunits = 'a'\nper_unit = 2\nmax_units = 900_000", "[prices.x] max_units", "more than a million"),
        ("[prices.x]\nreported = 'a'", "[prices.x]", "has reported and no max_reported"),
        ("[prices.x]\nreported = 'a'\nmax_reported = 'b'", "[prices.x] max_reported", "not US dollars"),
        ("[prices.x]\nreported = 'a'\nmax_reported = 1\nreported_in = 'eur'", "[prices.x] reported_in", "is 'eur'"),
        ("[prices.x]\nmax_reported = 1", "[prices.x]", "has max_reported and no reported"),
        ("[prices.x]\ntokens = 'a'\nmax_tokens = 1", "[prices.x]", "has tokens and no price for them"),
        ("[prices.x]\ntokens = 'a'\nper_million_tokens = 1", "[prices.x]", "has tokens and no max_tokens"),
        ("[prices.x]\nmodel = 'a'\nper_million_tokens = 1", "[prices.x]", "has per_million_tokens and model"),
        ("[prices.x]\nmodel = ''", "[prices.x] model", "must be a model's name"),
        ("[prices.x]\nper_million_tokens = 1001", "[prices.x] per_million_tokens", "not US dollars a million tokens"),
        ("[servers]\nweb = 1", "[servers.web]", "must be a table"),
        ("[servers.web]\nprice = 1", "[servers.web]", "unknown key 'price'"),
        ("[servers.web]\nprices = 1", "[servers.web] prices", "must be a table"),
        ("[servers.web.prices]\nx = -1", "[servers.web.prices] x", "not US dollars a call"),
        ("[servers.web.prices.x]\nper_call = -1", "[servers.web.prices.x] per_call", "not US dollars a call"),
    ],
)
def test_a_wrong_entry_is_one_line_with_its_place_and_what_to_write(
    text: str, place: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        book(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'config.toml'}: {place}")
    assert why in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
