"""What models take, by genai-prices, and that our sum of it is theirs."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from mcpobs.prices import models
from mcpobs.prices.book import Book
from mcpobs.prices.rule import Rule
from tests.queries.recorded import Row, ask, call, in_memory

genai_prices = pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")

MODELS = ["claude-sonnet-4-5", "gpt-4o", "gemini-2.5-pro"]
BOOK = Book({"search": Rule(model="gpt-4o"), "fetch": Rule(call_microusd=5, model="no-such-model")})


def _called(number: int, model: str, input_: int, read: int, write: int, output: int) -> Row:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": input_,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_creation.input_tokens": write,
        "gen_ai.usage.output_tokens": output,
    }
    text = json.dumps(attributes, separators=(",", ":"))
    return call(number, method=None, tool=None, outcome=None, kind="client", attributes=text)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("input_", [0, 1, 1000, 199_999, 200_000, 200_001, 900_000])
def test_a_model_call_costs_what_genai_prices_says_to_the_micro_dollar(model: str, input_: int) -> None:
    read, write = input_ // 3, input_ // 7 if model.startswith("claude") else 0
    usage = genai_prices.Usage(input_tokens=input_, cache_read_tokens=read, cache_write_tokens=write, output_tokens=777)
    exact = genai_prices.calc_price(usage, model).total_price * 1_000_000
    (found,) = ask(in_memory([_called(1, model, input_, read, write, 777)]), "cost")
    assert found["model"] == model
    assert found["llm_microusd"] == int(Decimal(exact).quantize(Decimal(1), ROUND_HALF_UP))


def test_a_model_that_nobody_knows_has_tokens_and_no_cost() -> None:
    (found,) = ask(in_memory([_called(1, "no-such-model", 10, 0, 0, 5)]), "cost")
    assert (found["llm_calls"], found["llm_tokens"], found["llm_microusd"]) == (1, 15, None)


def test_a_books_models_are_asked_once_and_kept(tmp_path: Path) -> None:
    said: list[str] = []
    book = models.resolved(BOOK, tmp_path, said.append)
    found = book.of(None, "search")
    assert found is not None
    assert found.microusd_per_mtok == models.tiers("gpt-4o", None)[0].input
    assert len(said) == 1
    assert said[0].startswith("no price of the model 'no-such-model': genai-prices does not know it\nhint: ")
    kept = json.loads((tmp_path / "model-prices.json").read_text())
    assert kept["microusd_per_mtok"] == {"gpt-4o": found.microusd_per_mtok}
    kept["microusd_per_mtok"]["gpt-4o"] = 7
    (tmp_path / "model-prices.json").write_text(json.dumps(kept))
    again = models.resolved(Book({"search": Rule(model="gpt-4o")}), tmp_path, said.append).of(None, "search")
    assert again is not None
    assert again.microusd_per_mtok == 7  # nobody was asked
    kept["version"] = "0"
    (tmp_path / "model-prices.json").write_text(json.dumps(kept))
    assert models.resolved(BOOK, tmp_path, said.append) == book


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": "0.2.3", "microusd_per_mtok": 7}'])
def test_a_damaged_cache_is_asked_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / "model-prices.json").write_text(text)
    found = models.resolved(Book({"search": Rule(model="gpt-4o")}), tmp_path, lambda _: None).of(None, "search")
    assert found is not None
    assert found.microusd_per_mtok == models.tiers("gpt-4o", None)[0].input


def test_a_book_without_models_asks_nobody(tmp_path: Path) -> None:
    book = Book.a_call({"search": 1})
    assert models.resolved(book, tmp_path / "nowhere", print) is book
