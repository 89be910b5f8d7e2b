"""The planned hour as data: sessions with their calls, faults of tools, prices, and planted problems."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bench.planted_hour.workspace import Workspace


class Tool(NamedTuple):
    server: str
    name: str


@dataclass(eq=False)
class Call:
    """A call; `planted` names the problem that it is part of. `at` and `answer` are known after the run."""

    tool: str
    arguments: dict[str, Any]
    planted: str | None = None
    at: float = 0.0
    answer: str = "not made"


@dataclass(eq=False)
class Session:
    """The connection of an agent with one server. `pause_s` is the usual time between two calls."""

    server: str
    agent: str
    starts_s: float
    pause_s: float
    calls: list[Call]


@dataclass(frozen=True)
class Fault:
    """What a tool does from a second of the hour on, instead of answering at once."""

    tool: Tool
    kind: Literal["swallow", "delay"]
    from_s: float
    delay_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Problem:
    name: str
    tool: Tool
    detail: str


@dataclass
class Hour:
    seconds: float
    workspace: Workspace
    sessions: list[Session]
    faults: list[Fault] = field(default_factory=list)
    prices_usd: dict[str, float] = field(default_factory=dict)
    taken: set[Tool] = field(default_factory=set)
    """Tools that a problem has: the next problem takes another tool."""
    began: float = 0.0

    def of(self, server: str, after_s: float = 0.0, before_s: float = float("inf")) -> list[Session]:
        return [each for each in self.sessions if each.server == server and after_s <= each.starts_s < before_s]
