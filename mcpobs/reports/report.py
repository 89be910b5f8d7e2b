"""A report: how it is asked, and how its answer is worded. Found by its name; most need no class of their own."""

from __future__ import annotations

from importlib import import_module

from mcpobs.errors import UsageError
from mcpobs.queries import catalog
from mcpobs.queries.header import Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer, Layout
from mcpobs.reports.chart import read_chart
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds import KINDS
from mcpobs.reports.request import Asked, Request
from mcpobs.reports.window import FOREVER, Window
from mcpobs.reports.wording import NOTHING, count

COST = "cost_microusd"
REPEATS = "repeats"
LEAST_REPEATS = 2
BY = "cost"
"""The report that takes --by."""


class Report:
    """A .sql file that is asked as it stands. Differences are overridden in `kinds/`, a file for each report."""

    layout: Layout = "rows"
    groups: tuple[str, ...] = ()
    """The values that --by may have."""
    answered_by: str | None = None
    """The report that answers its topic among all reports, if it does not itself."""
    rounds = False
    """Whether its numbers may be rounded by roll-ups, unless --exact is given."""

    def __init__(self, query: Query) -> None:
        self.query = query

    @classmethod
    def query_of(cls, name: str) -> Query:
        """The query of the report of that name. Raises UsageError if there is none."""
        return catalog.report(name)

    @property
    def name(self) -> str:
        return self.query.name

    @property
    def question(self) -> str:
        return self.query.question

    @property
    def topic(self) -> str:
        """The question that it answers among all reports."""
        return self.query.topic.question if self.query.topic is not None else self.question

    @property
    def command(self) -> str:
        """The command that asks for it."""
        return f"mcpobs report {self.name}"

    def check(self, request: Request) -> None:
        """Raises UsageError for an option that the report does not take."""
        if request.exact and not self.rounds:
            raise UsageError(
                "--exact is for percentiles: all else is exact", "mcpobs report latency --exact, or --p95 --exact"
            )
        if request.min_calls is not None and not self.takes_min_calls:
            raise UsageError(f"the report {self.name} takes no --min-calls", "leave it out")
        if request.min_repeats is not None:
            if not self.query.takes(REPEATS):
                raise UsageError(
                    f"the report {self.name} takes no --min-repeats", "mcpobs report loops --min-repeats 5"
                )
            if request.min_repeats < LEAST_REPEATS:
                raise UsageError(
                    f"--min-repeats {request.min_repeats} is too few",
                    f"a loop takes {LEAST_REPEATS} equal calls or more",
                )
        for option in ("code", "rule"):
            if getattr(request, option) is not None and not self.query.takes(option):
                raise UsageError(f"the report {self.name} takes no --{option}", f"mcpobs decisions --{option} …")
        if request.by is not None:
            self.check_by(request.by)
        if request.reprice and not self.has_costs:
            raise UsageError("--reprice is for reports with costs", "mcpobs report cost --reprice")

    def check_by(self, by: str) -> None:
        """Raises UsageError unless rows can be of that."""
        raise UsageError(f"--by is for the report {BY}", f"mcpobs report {BY} --by session")

    @property
    def takes_min_calls(self) -> bool:
        return self.query.takes("min_calls")

    @property
    def has_costs(self) -> bool:
        return any(column.name == COST for column in self.query.columns)

    @property
    def looks_back(self) -> bool:
        """Whether it looks at calls before its window."""
        return self.query.whole_history

    def bounds(self, window: Window, filters: Filters) -> tuple[int | None, int | None]:
        """From when to when the lake is read. The beginning of a session's id is looked up in the whole lake."""
        if filters.session is not None:
            return None, None
        since = None if self.looks_back or window.since == 0 else window.since
        if self.compares and window.before is not None:
            since = window.before
        return since, None if window.until == FOREVER else window.until

    @property
    def compares(self) -> bool:
        """Whether it holds the window against the one before."""
        return self.query.takes("before")

    def values(self, asked: Asked) -> dict[str, Value]:
        """The parameters of the query."""
        given: dict[str, Value] = {"since": asked.window.since, "until": asked.window.until, **asked.filters.params()}
        if asked.request.min_calls is not None and self.takes_min_calls:
            given["min_calls"] = asked.request.min_calls
        if asked.request.min_repeats is not None and self.query.takes(REPEATS):
            given[REPEATS] = asked.request.min_repeats
        if self.query.takes("now"):
            given["now"] = min(asked.now, asked.window.until)
        if asked.request.code is not None:
            given["code"] = asked.request.code
        if asked.request.rule is not None:
            given["rule"] = asked.request.rule
        if self.compares:
            given["before"] = asked.window.before
        return given

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        """The report on its own."""
        result = run(plan, self.query, self.values(asked), asked.request.rows)
        return self.answered(asked.window, result, self.sentence(result))

    def answered(self, window: Window, result: Result, sentence: str | None) -> Answer:
        return Answer(
            report=self.name,
            question=self.question,
            sentence=sentence,
            window=window,
            result=result,
            command=self.command,
            layout=self.layout,
            chart=read_chart(self.query),
        )

    def sentence(self, result: Result) -> str | None:
        """The sentence above its rows."""
        return None

    def finding(self, result: Result, calls: int) -> str:
        """The answer in a sentence, among those of other reports. `calls` counts all calls of the window."""
        return NOTHING if not result.rows else count(result.total, "row")


def find(name: str) -> Report:
    """A report. Raises UsageError, naming the nearest, if there is none."""
    own = KINDS.get(name)
    kind: type[Report] = Report if own is None else getattr(import_module(f"mcpobs.reports.kinds.{name}"), own)
    return kind(kind.query_of(name))


def listed() -> list[Report]:
    """The reports that have a .sql file, in the order in which a digest answers them."""
    queries = catalog.reports()
    placed = [query for query in queries if query.topic is not None]
    placed.sort(key=lambda query: query.topic.place if query.topic is not None else 0)
    return [find(query.name) for query in (*placed, *(query for query in queries if query.topic is None))]
