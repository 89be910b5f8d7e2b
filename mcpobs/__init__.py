"""Records the calls of any MCP server, reports on them, and generates usage limits from real traffic."""

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """Loads `instrument` and `uninstrument` on first use: most of mcpobs does not need them."""
    from importlib import import_module

    if name == "instrument":
        return import_module("mcpobs.instrument")
    if name == "uninstrument":
        return import_module("mcpobs.instrument.entry").uninstrument
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
