"""Says how failures get a text, if none of them has one."""

from __future__ import annotations

from typing import Final

SETTING: Final = '[record] errors = "masked"'
_HINT: Final = f"failures have no text: set {SETTING} in config.toml"


def hint(failed: int, texts: int) -> str | None:
    """The setting that records texts; None if a failure has one, or if nothing failed."""
    return _HINT if failed and not texts else None
