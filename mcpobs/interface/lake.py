"""A lake, opened for questions in Python. Never writes to it, and holds nothing open between two questions."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from mcpobs.folders import lake_folder
from mcpobs.interface.table import Table
from mcpobs.lake.reader import open_reading
from mcpobs.queries.limits import MEMORY_BYTES, TIMEOUT_S, Limits
from mcpobs.queries.process import Began, Done, Opened, Process, Question, Rows
from mcpobs.queries.run import Result
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.report import listed
from mcpobs.reports.request import OVERVIEW, Request
from mcpobs.reports.warnings import of_damage


def open_lake(path: str | os.PathLike[str] | None = None) -> Lake:
    """Opens the lake in a folder; without one that of `MCPOBS_LAKE`, of config.toml or of the default place.

    Raises LakeError if there is none.
    """
    lake = lake_folder(None if path is None else os.fspath(path))
    with open_reading(lake, since_unix_nano=0, until_unix_nano=0):
        pass
    return Lake(lake)


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake of recorded calls. Each question reads what is recorded by then."""

    path: Path

    def reports(self) -> dict[str, str]:
        """Returns the names of all reports with the question that each answers."""
        return {report.name: report.question for report in listed()}

    def report(
        self,
        name: str = OVERVIEW,
        *,
        since: str | None = None,
        until: str | None = None,
        tool: str | None = None,
        session: str | None = None,
        server: str | None = None,
        run: str | None = None,
        by: str | None = None,
        code: str | None = None,
        rule: str | None = None,
        min_calls: int | None = None,
        limit: int | None = None,
        reprice: bool = False,
        exact: bool = False,
    ) -> Table:
        """Asks a report; the options are those of `mcpobs report`. `limit` is the most rows, None for all.

        Times are texts: `2h`, `7d`, or an ISO date or time. Raises UsageError for a wrong name or option, with the
        nearest one that exists, and LakeError if the lake cannot be read.
        """
        request = Request(
            report=name,
            since=since,
            until=until,
            filters=Filters(tool, session, server),
            rows=limit,
            min_calls=min_calls,
            by=by,
            code=code,
            rule=rule,
            reprice=reprice,
            exact=exact,
            run=run,
        )
        return _table(ask(self.path, request, time.time_ns()), limit)

    def sql(
        self,
        text: str,
        *,
        limit: int | None = None,
        timeout_s: float | None = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> Table:
        """Runs one SELECT as `mcpobs query` does: in a process of its own that sees nothing but the lake's views.

        Times with a zone come as ISO 8601 text in UTC. Raises UsageError if the SQL is not allowed, does not work, or
        takes more time or memory than it may.
        """
        found = Result((), [], 0)
        damage = Opened([], 0)
        with Process() as process:
            for event in process.ask(Question(self.path, text, limit), Limits(timeout_s, memory_bytes)):
                match event:
                    case Opened():
                        damage = event
                    case Began():
                        found = Result(event.columns, [], 0)
                    case Rows():
                        found.rows.extend(event.rows)
                    case Done():
                        found = Result(found.columns, found.rows, event.total)
                        damage = Opened(event.damaged_files or damage.damaged_files, damage.damaged_lines)
        return Table(found, warnings=tuple(remark.text for remark in of_damage(damage)))


def _table(answer: Answer, limit: int | None = None) -> Table:
    return Table(
        replace(answer.result, rows=answer.result.rows[:limit]),
        question=answer.question,
        sentence=answer.sentence,
        warnings=tuple(remark.text for remark in answer.warnings),
        note=None if answer.empty is None else answer.empty.text,
        parts={part.report: _table(part, limit) for part in answer.parts},
        answer=answer,
    )
