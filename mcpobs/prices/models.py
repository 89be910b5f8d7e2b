"""Looks up the token prices of models in genai-prices (the extra `prices`). Never imports it into an observed process:
with its pydantic and HTTP client that takes 250 ms. A separate process reads it, and the prices are cached in the
configuration folder until another version is installed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcpobs import interpreter, safefile
from mcpobs.prices.book import Book

PACKAGE: Final = "genai-prices"
EXTRA: Final = "prices"
_CACHE: Final = "model-prices.json"
_CACHE_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 20
_MOST: Final = 10**9


class Tier(NamedTuple):
    """Prices of a model in micro-dollars per million tokens, for requests with more than `above` tokens of input."""

    above: int
    input: int
    cache_read: int
    cache_write: int
    output: int


def resolved(book: Book, folder: Path, warn: Callable[[str], None], env: Mapping[str, str] = os.environ) -> Book:
    """Returns the book with the prices of its models. Warns of a model without a price; its tokens stay unpriced."""
    wanted = book.models
    if not wanted:
        return book
    found = _kept(folder, wanted)
    missing = [model for model in wanted if model not in found]
    if missing:
        why = "genai-prices does not know it"
        try:
            found |= _asked(missing, env)
            _keep(folder, found)
        except LookupError as error:
            why = str(error)
        for model in missing:
            if found.get(model) is None:
                warn(f"no price of the model {model!r}: {why}\nhint: {_hint()}")
    return book.with_models(found.get)


def tiers(model: str, provider: str | None) -> list[Tier]:
    """Returns the prices of a model, the lowest tier first; none if the model is unknown. Imports genai-prices."""
    from genai_prices import Usage, calc_price

    for known in dict.fromkeys((provider, None)):
        with suppress(LookupError, ValueError):
            return _tiers(calc_price(Usage(input_tokens=0), model, provider_id=known).model_price)
    return []


def installed() -> bool:
    """Returns whether genai-prices is installed; does not import it."""
    from importlib.util import find_spec

    return find_spec("genai_prices") is not None


def _tiers(price: object) -> list[Tier]:
    """Converts a ModelPrice: each of its fields is absent, a Decimal of dollars, or a Decimal with tiers above it."""
    input_, output = getattr(price, "input_mtok", None), getattr(price, "output_mtok", None)
    if input_ is None:  # not by tokens, or by unknown names: better no price than a wrong one
        return []
    read, write = getattr(price, "cache_read_mtok", None), getattr(price, "cache_write_mtok", None)
    # Tokens without their own price count as input.
    fields = (input_, read if read is not None else input_, write if write is not None else input_, output)
    starts = {0} | {tier.start for field in fields for tier in getattr(field, "tiers", ())}
    return [Tier(above, *(_microusd(field, above) for field in fields)) for above in sorted(starts)]


def _microusd(field: object, above: int) -> int:
    if field is None:
        return 0
    dollars: Any = getattr(field, "base", field)
    for tier in getattr(field, "tiers", ()):
        if tier.start <= above and above > 0:
            dollars = tier.price
    micro: int = round(dollars * 1_000_000)
    return min(_MOST, max(0, micro))


def _kept(folder: Path, wanted: Iterable[str]) -> dict[str, int | None]:
    """Returns the cached prices of the installed version."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads(safefile.read_trusted(folder / _CACHE, _CACHE_BYTES))
        if kept["version"] == _version():
            known = kept["microusd_per_mtok"]
            return {
                model: known[model] for model in wanted if type(known.get(model)) is int and 0 <= known[model] <= _MOST
            }
    return {}


def _keep(folder: Path, found: Mapping[str, int | None]) -> None:
    known = {model: price for model, price in found.items() if price is not None}
    text = json.dumps({"version": _version(), "microusd_per_mtok": known}, indent=1, sort_keys=True) + "\n"
    with suppress(OSError):  # then the next run looks it up again
        safefile.create(folder / _CACHE, text.encode())


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def _hint() -> str:
    from mcpobs.installed.commands import add_extra  # reads metadata, only for this warning

    in_place = "write per_million_tokens = 3.00 in place of model"
    if installed():
        return f"{in_place}, or name a model that genai-prices knows"
    return f"{in_place}, or {add_extra(EXTRA)}"


def _asked(models: Sequence[str], env: Mapping[str, str]) -> dict[str, int | None]:
    """Returns the input prices of models, read in a separate process. Raises LookupError with the reason."""
    if not installed():
        raise LookupError(f"{PACKAGE} is not installed")
    import subprocess

    try:
        answer = subprocess.run(
            interpreter.command("mcpobs.prices.models", *models),
            env=interpreter.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            timeout=_TIMEOUT_S,
            check=True,
        )
        prices = json.loads(answer.stdout)
        return {model: prices[model] for model in models}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise LookupError(f"{PACKAGE} fails: {type(error).__name__}") from None


def _input_price(model: str) -> int | None:
    """Returns the input price of a model or of provider/model."""
    found = tiers(model, None)
    if not found and "/" in model:
        provider, _, name = model.partition("/")
        found = tiers(name, provider)
    return found[0].input if found else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps({model: _input_price(model) for model in sys.argv[1:]}))
