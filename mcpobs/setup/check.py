"""What `mcpobs doctor` finds: one line each, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
"""`warn` works and could be better, or is not there yet; `fail` does not work."""


@dataclass(frozen=True, slots=True)
class Check:
    about: str
    state: State
    line: str
    hint: str | None = None
