"""What was recorded: the rows of a lake's spool, in the order in which they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcpobs.segment import SPOOL_FOLDER


def rows_of(lake: Path) -> list[dict[str, Any]]:
    segments = sorted((lake / SPOOL_FOLDER).glob("*.jsonl"))
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]


def calls_of(lake: Path) -> list[dict[str, Any]]:
    return [row for row in rows_of(lake) if row["method"] == "tools/call"]
