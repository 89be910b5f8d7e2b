"""What aiohttp and asyncio log: one line for each kind, without what came."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mcpobs.library_logs import replace_logs
from mcpobs.stderr import Once

NAMES = ("aiohttp", "asyncio")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    kept = [(logging.getLogger(name), [*logging.getLogger(name).handlers]) for name in NAMES]
    yield
    for logger, handlers in kept:
        logger.handlers[:], logger.propagate = handlers, True


def test_a_line_names_the_logger_and_the_class_of_the_error_once() -> None:
    lines: list[str] = []
    replace_logs(Once(lines.append))
    for _ in range(2):
        logging.getLogger("aiohttp.server").error("GET /secret", exc_info=ValueError("secret"))
        logging.getLogger("asyncio").warning("secret")
    assert lines == [
        "aiohttp.server logged an error (ValueError); further ones are not shown",
        "asyncio logged an error (warning); further ones are not shown",
    ]
