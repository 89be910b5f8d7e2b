"""Keeps the texts of calls out of logs: sqlglot quotes a text in a warning if it cannot read a part of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local


class Quiet(logging.Filter):
    """Drops what sqlglot logs in a thread while that thread judges a call. A server's own use of it logs on."""

    def __init__(self) -> None:
        super().__init__()
        self._here = local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self._here, "judges", False)

    @contextmanager
    def judging(self) -> Iterator[None]:
        self._here.judges = True
        try:
            yield
        finally:
            self._here.judges = False


QUIET = Quiet()
logging.getLogger("sqlglot").addFilter(QUIET)
