"""Fronts inside the server's own Python process: its MCP SDK is hooked, and nothing of it is replaced for good.

`mcpobs.instrument()` is this package, called: it has the name that its users know.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType


class _Instrument(ModuleType):
    def __call__(self, *, lake: str | os.PathLike[str] | None = None, name: str | None = None) -> None:
        """Records every MCP call that this process serves, from now on."""
        from mcpobs.instrument.entry import instrument

        instrument(lake=lake, name=name)


sys.modules[__name__].__class__ = _Instrument
