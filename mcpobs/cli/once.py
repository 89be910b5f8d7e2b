"""Refuses an option that takes one value and is given twice. Otherwise the last value would win silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from mcpobs.errors import UsageError


class Commands(typer.Typer):
    """Commands whose options are given once, unless they take several values."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - typer's own
        return super().command(name, **{"cls": _Once, **more})


class _Once(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the parser's context
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for parameter, times in Counter(given).items():
            if times > 1 and not parameter.multiple and not getattr(parameter, "is_flag", True):
                raise UsageError(f"{parameter.opts[0]} is given {times} times", "give it once: it takes one value")
        return super().parse_args(ctx, args)
