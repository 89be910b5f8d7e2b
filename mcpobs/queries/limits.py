"""How much a user's SQL may take: time, memory, temporary files. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mcpobs.errors import UsageError

TIMEOUT_S: Final = 60.0
MEMORY_BYTES: Final = 2 << 30
LEAST_MEMORY_BYTES: Final = 256 << 20
SPILL_BYTES: Final = 8 << 30
"""Of temporary files: what a sort or a join writes that does not fit into memory."""

NARROW: Final = "narrow the query with where, or select fewer columns"
"""The hint of a query that needs too much memory."""

MAX_SQL: Final = 1_000_000
"""Characters of a statement."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one query. `timeout_s` is None if there is no limit."""

    timeout_s: float | None = TIMEOUT_S
    memory_bytes: int = MEMORY_BYTES
    spill_bytes: int = SPILL_BYTES
    threads: int | None = None
    """Threads of the engine; None for one a core."""
    nice: int = 0


_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"K": 10, "M": 20, "G": 30, "T": 40}


def seconds(text: str) -> float | None:
    """The seconds of `--timeout`: 30, 0.5, 10m, 1h; None for 0, which is no limit."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh]?)", text.strip(), re.ASCII)
    if match is None:
        raise UsageError(f"--timeout {text!r} is no time", "write seconds, or 10m or 1h; 0 is no limit")
    return float(match[1]) * _SECONDS[match[2]] or None


def size(text: str) -> int:
    """The bytes of `--memory`: 512MB, 2GB, 1.5GiB. A unit is a power of 1,024."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMGT])i?B?", text.strip(), re.ASCII | re.IGNORECASE)
    if match is None:
        raise UsageError(f"--memory {text!r} is no size", "write e.g. 512MB or 4GB")
    found = int(float(match[1]) * (1 << _BYTES[match[2].upper()]))
    if found < LEAST_MEMORY_BYTES:
        raise UsageError(f"--memory {text} is too little", f"the least is {size_of(LEAST_MEMORY_BYTES)}")
    return min(found, 1 << 50)


def size_of(count: int) -> str:
    """A number of bytes, in words."""
    return f"{count / (1 << 30):g} GB" if count >= 1 << 30 else f"{count >> 20:,} MB"
