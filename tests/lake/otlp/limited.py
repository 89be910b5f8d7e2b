"""The decoder in Python with a limit of its own on what spans repeat, so that small requests reach it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.request import Body, Checked


class LimitedPlain:
    def __init__(self, expanded_bytes: int) -> None:
        self._expanded_bytes = expanded_bytes

    def check(self, body: Body) -> Checked:
        return plain.check(body, self._expanded_bytes)

    def decode(self, bodies: Sequence[Body]) -> Any:
        return plain.decode(bodies, self._expanded_bytes)
