"""Defines a result of `mcpobs doctor`: one line, and a hint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
"""`warn`: works but could be better, or does not exist yet; `fail`: does not work."""


@dataclass(frozen=True, slots=True)
class Check:
    about: str
    state: State
    line: str
    hint: str | None = None
