"""The request for a report: its name, its window, its filters and its own options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mcpobs.lake.engine import Connection
from mcpobs.reports.early import HashName
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import EVERYTHING, Window

OVERVIEW = "overview"
"""The report that is asked for if none is named."""


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the command line and serve take it. Times are texts: 2h, 7d, or an ISO date or time.

    `rows` is the most rows of a report that may be long, None for all. With `activity` the answer has the calls over
    time too. `run` is the label of the only traffic that is looked at.
    """

    report: str = OVERVIEW
    since: str | None = None
    until: str | None = None
    filters: Filters = field(default_factory=Filters)
    rows: int | None = None
    min_calls: int | None = None
    min_repeats: int | None = None
    by: str | None = None
    code: str | None = None
    rule: str | None = None
    reprice: bool = False
    exact: bool = False
    activity: bool = False
    run: str | None = None


class Progress(Protocol):
    """Hears how far an answer is."""

    def step(self, doing: str) -> None: ...
    def follow(self, connection: Connection) -> None: ...


class Unheard:
    """Nobody wants to know how far it is."""

    def step(self, doing: str) -> None: ...

    def follow(self, connection: Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its window and its filters resolved. `now` is in unix nanoseconds."""

    request: Request
    window: Window
    filters: Filters
    now: int
    step: Callable[[str], None] = lambda doing: None
    hash_name: Callable[[], HashName | None] = lambda: None
    """Makes the function that hashes names of arguments as the lake's fronts do; None without the lake's key."""

    @property
    def chosen(self) -> Window | None:
        """The window, if the request names one."""
        return None if self.window == EVERYTHING else self.window
