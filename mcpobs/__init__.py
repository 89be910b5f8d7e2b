"""mcpobs watches the calls of any MCP server, answers for them, and turns them into limits."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`instrument` and `uninstrument` are loaded when they are asked for: most of mcpobs does without."""
    from importlib import import_module

    if name == "instrument":
        return import_module("mcpobs.instrument")
    if name == "uninstrument":
        return import_module("mcpobs.instrument.entry").uninstrument
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
