"""Computes the cost of one tool's calls from the parts of its price. Reads no result and does no I/O.

The same arithmetic is in `queries/views/repriced_calls.sql`, which prices past calls; a test compares both. Integers
throughout, halves rounded up, no product above 10**18.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from mcpobs.semconv import Outcome

Path = tuple[str | int, ...]
"""The path of a value in a result: member names and list indexes. Unless it begins with `_meta`, it starts in the
tool's answer (structured content, else its only text if that is JSON)."""

META: Final = "_meta"
MICRO: Final = 1_000_000
MOST_MICROUSD: Final = 10**12  # a million dollars: the highest price or maximum
MOST_UNITS_MILLI: Final = 10**12
MOST_TOKENS: Final = 10**9
MOST_MICROUSD_PER_MTOK: Final = 10**9  # a thousand dollars; the most expensive model of 2026 charges 600 for output
BYTES_A_TOKEN: Final = 4  # the usual estimate; no tokenizer runs in the call path

CHARGED: Final[frozenset[Outcome | None]] = frozenset(
    {"ok", "tool_error", "server_error", "timeout", "unfinished", "cancelled", "task"}
)
"""Outcomes for which the tool ran, as far as known: the price of a call is due whether or not it succeeded."""

ANSWERED: Final[frozenset[Outcome | None]] = frozenset({"ok", "tool_error"})
"""Outcomes with a result, which may report a cost and which the model reads."""


class Measured(NamedTuple):
    """Values that a result reports at the book's paths; None if there is no valid value."""

    units_milli: int | None = None
    reported_microusd: int | None = None
    tokens: int | None = None


NOTHING: Final = Measured()


class Charge(NamedTuple):
    """The cost of a call. `source` names the parts that were counted; a `?` after a part means that its value was
    missing."""

    microusd: int | None
    source: str


@dataclass(frozen=True)
class Rule:
    """The price of a tool: the sum of its parts. A part is None if the price does not have it.

    `model` is a model whose input price must be looked up; `microusd_per_mtok` is that price.
    """

    call_microusd: int | None = None
    unit_nanousd: int | None = None  # billionths, because a unit may cost less than a millionth
    units: Path = ()
    max_units_milli: int = MOST_UNITS_MILLI
    reported: Path | None = None
    reported_in: str = "usd"
    max_reported_microusd: int = 0
    microusd_per_mtok: int | None = None
    model: str | None = None
    tokens: Path | None = None
    max_tokens: int = MOST_TOKENS
    _fixed: dict[Outcome | None, Charge] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = CHARGED if self.is_fixed else CHARGED - ANSWERED
        self._fixed.update(dict.fromkeys(plain, Charge(self.call_microusd or 0, "price")))

    @cached_property
    def is_fixed(self) -> bool:
        return self.unit_nanousd is None and self.reported is None and not self.counts_tokens

    def has_facts(self, outcome: Outcome | None) -> bool:
        """Returns whether the cost depends on more than the outcome of the call."""
        return not self.is_fixed and outcome in ANSWERED

    @property
    def counts_tokens(self) -> bool:
        return self.microusd_per_mtok is not None or self.model is not None

    @cached_property
    def looks(self) -> bool:
        """Whether the rule reads anything in a result."""
        return self.unit_nanousd is not None or self.reported is not None or self.tokens is not None

    @cached_property
    def paths(self) -> str | None:
        """The paths that it reads, in the form of `cost_paths`; None if there are none."""
        import orjson  # a report reads prices but no paths

        found = {name: list(path) for name, path in self.places.items()}
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode() if found else None

    @cached_property
    def looks_in_answer(self) -> bool:
        """Whether it reads anything outside `_meta`."""
        return any(path[:1] != (META,) for path in self.places.values())

    @cached_property
    def places(self) -> dict[str, Path]:
        """Returns the paths that it reads, by their names in `cost_paths`."""
        found: dict[str, Path] = {}
        if self.unit_nanousd is not None:
            found["units"] = self.units
        if self.reported is not None:
            found[f"reported_{self.reported_in}"] = self.reported
        if self.tokens is not None:
            found["tokens"] = self.tokens
        return found

    def charge(self, outcome: Outcome | None, result_bytes: int | None, measured: Measured | None) -> Charge | None:
        """Returns the cost of a call with this outcome; None if it costs nothing because the tool never ran."""
        fixed = self._fixed.get(outcome)
        if fixed is not None or outcome not in CHARGED:
            return fixed
        return self._sum(outcome, result_bytes, measured or NOTHING)

    def tokens_of(self, result_bytes: int | None, measured: Measured | None) -> int | None:
        """Returns the tokens of a result: as it reports them, else estimated from its size."""
        if measured is not None and measured.tokens is not None:
            return measured.tokens
        return None if result_bytes is None else min(-(-result_bytes // BYTES_A_TOKEN), MOST_TOKENS)

    def _sum(self, outcome: Outcome | None, result_bytes: int | None, measured: Measured) -> Charge:
        total, known, source = self.call_microusd or 0, False, ""
        if self.call_microusd is not None:
            known, source = True, "+price"
        if self.unit_nanousd is not None and outcome == "ok":
            units = measured.units_milli
            if units is None:
                source += "+units?"
            else:
                total += _micro(min(units, self.max_units_milli) * self.unit_nanousd)
                known, source = True, source + "+units"
        if self.reported is not None:
            reported = measured.reported_microusd
            if reported is None:
                source += "+reported?"
            else:
                total += min(reported, self.max_reported_microusd)
                known, source = True, source + "+reported"
        if self.microusd_per_mtok is not None or self.model is not None:
            tokens = self.tokens_of(result_bytes, measured)
            if tokens is None or self.microusd_per_mtok is None:
                source += "+tokens?"
            else:
                total += _micro(min(tokens, self.max_tokens) * self.microusd_per_mtok)
                known, source = True, source + "+tokens"
        if not source:
            return Charge(0, "price")
        return Charge(total if known else None, source[1:])


def _micro(millionths: int) -> int:
    return (millionths + MICRO // 2) // MICRO
