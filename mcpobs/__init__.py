"""Records the calls of any MCP server, reports on them, and generates usage limits from real traffic."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpobs.instrument.entry import instrument as instrument
    from mcpobs.instrument.entry import uninstrument as uninstrument
    from mcpobs.interface import open_lake as open_lake

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """Loads `instrument`, `uninstrument` and `open_lake` on first use: most of mcpobs does not need them."""
    from importlib import import_module

    match name:
        case "instrument":
            return import_module("mcpobs.instrument")
        case "uninstrument":
            return import_module("mcpobs.instrument.entry").uninstrument
        case "open_lake":
            return import_module("mcpobs.interface").open_lake
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
