"""Completes words of the command line with names: of reports, and of the tools, servers and sessions in the lake.

A Tab must never fail nor wait: whatever goes wrong completes nothing, and names come from a limited look at the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpobs.queries.plan import Plan

MOST = 200
"""Names that a Tab offers."""


def reports(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda: [*_reports(), "all"])


def described_names(incomplete: str) -> list[str]:
    """Tables and reports."""

    def names() -> list[str]:
        from mcpobs.queries.fence import RELATIONS

        return list(dict.fromkeys([*RELATIONS, *_reports(), "report"]))

    return _beginning(incomplete, names)


def formats(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda: ["table", "json", "csv", "markdown"])


def groups(incomplete: str) -> list[str]:
    """The values of --by."""

    def names() -> Iterable[str]:
        from mcpobs.reports.kinds.cost import Cost

        return Cost.groups

    return _beginning(incomplete, names)


def codes(incomplete: str) -> list[str]:
    def names() -> list[str]:
        from mcpobs.policy.codes import Code

        return [code.value for code in Code]

    return _beginning(incomplete, names)


def zones(incomplete: str) -> list[str]:
    def names() -> list[str]:
        from zoneinfo import available_timezones

        return ["utc", "local", *sorted(available_timezones())]

    return _beginning(incomplete, names)


def tools(incomplete: str) -> list[str]:
    return _of_lake("tool", incomplete)


def servers(incomplete: str) -> list[str]:
    return _of_lake("server", incomplete)


def sessions(incomplete: str) -> list[str]:
    def names(plan: Plan) -> list[str]:
        from mcpobs.reports.filters import sessions_from

        return sessions_from(plan, incomplete, MOST)

    return _asked(names, incomplete)


def rules(incomplete: str) -> list[str]:
    """The rules and limits that decided a call of the lake."""
    return _of_lake("rule", incomplete)


def _reports() -> list[str]:
    from mcpobs.queries import catalog

    return [query.name for query in catalog.reports()]


def _of_lake(word: str, incomplete: str) -> list[str]:
    def names(plan: Plan) -> list[str]:
        from mcpobs.reports.filters import known

        return known(plan, word)

    return _asked(names, incomplete)


def _asked(ask: Callable[[Plan], list[str]], incomplete: str) -> list[str]:
    """Names of the lake that a command reads without --lake."""

    def names() -> list[str]:
        from mcpobs.folders import lake_folder
        from mcpobs.lake.reader import open_reading
        from mcpobs.queries.run import plan_of

        with open_reading(lake_folder(None)) as reading:
            return ask(plan_of(reading))

    return _beginning(incomplete, names)


def _beginning(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """The names that begin so; none if they cannot be had. A name with a blank or an escape is no word of a shell."""
    try:
        return [name for name in names() if name.startswith(incomplete) and _is_word(name)][:MOST]
    except Exception:
        return []


def _is_word(name: str) -> bool:
    return name.isprintable() and not any(char.isspace() or char in "\"'`$\\;&|<>()*?!" for char in name)
