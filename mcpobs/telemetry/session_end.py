"""Defines the end of a session as an item for the metrics. Separate from them, because they import the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SessionEnd(NamedTuple):
    """Duration of a session, with attributes by the conventions' names."""

    duration_s: float
    attributes: Mapping[str, str]
