"""The end of a session, as it is handed to the metrics. Apart from them, for they import the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SessionEnd(NamedTuple):
    """How long a session lasted, with attributes by the conventions' names."""

    duration_s: float
    attributes: Mapping[str, str]
