"""Models a limits file: numbers that bound sessions and tools, each with its evidence. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = 1
ANY_TOOL = "*"
"""The entry of `tools` whose numbers apply to each tool without its own number."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for a number. All fields are optional: a person may write the bare number.

    `observed_max`, `mean`, `p50` and `p95` are in the number's own unit and over `n` normal sessions (for latency:
    over `n` calls). `would_have_cut` counts all past sessions, the excluded ones too. `next_1000_cut` is a 90 %
    prediction interval for 1,000 further normal sessions (`baseline/evidence.py`).
    """

    factor: float | None = None
    rule: str | None = None
    observed_max: float | None = None
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    n: int | None = None
    would_have_cut: int | None = None
    next_1000_cut: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest allowed value, and its evidence."""

    value: float
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class ArgumentLimits:
    """Limits of arguments. `shapes` None allows any shape; an empty list allows none."""

    max_bytes: Limit | None = None
    shapes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """The limits of one tool. None means no limit here."""

    calls_per_session: Limit | None = None
    latency_ms: Limit | None = None
    arguments: ArgumentLimits = ArgumentLimits()
    result_max_bytes: Limit | None = None

    def backed_by(self, other: ToolLimits) -> ToolLimits:
        """Returns these limits, with the other's in place of missing ones."""
        return ToolLimits(
            calls_per_session=self.calls_per_session or other.calls_per_session,
            latency_ms=self.latency_ms or other.latency_ms,
            arguments=ArgumentLimits(
                max_bytes=self.arguments.max_bytes or other.arguments.max_bytes,
                shapes=other.arguments.shapes if self.arguments.shapes is None else self.arguments.shapes,
            ),
            result_max_bytes=self.result_max_bytes or other.result_max_bytes,
        )


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one session over all tools. A session is a pair (enforcement_key, session_id)."""

    calls: Limit | None = None
    cost_usd: Limit | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A session that the baseline left out, and the reason."""

    session: str
    why: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The traffic that the numbers come from. `sessions` and `calls` count all of it, the excluded sessions too.

    `first` and `last` are the UTC days (ISO 8601) of the first and the last call; in the file: `from` and `to`.
    `more_excluded` counts excluded sessions that the list does not name.
    """

    first: str
    last: str
    sessions: int
    calls: int
    server: str | None = None
    excluded: tuple[Excluded, ...] = ()
    more_excluded: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A limits file."""

    baseline: Baseline | None = None
    session: SessionLimits = SessionLimits()
    tools: Mapping[str, ToolLimits] = field(default_factory=dict)

    def of(self, tool: str) -> ToolLimits:
        """Returns the limits of a tool: its own, else those of `*`. Names are matched exactly."""
        return self.tools.get(tool, ToolLimits()).backed_by(self.tools.get(ANY_TOOL, ToolLimits()))

    def lists(self, tool: str) -> bool:
        """Returns False for a tool that the baseline never saw. A file written by hand need not list every tool."""
        return self.baseline is None or tool in self.tools
