"""A small shop as an MCP server, and agents that use it well and badly: what `mcpobs demo` plays.

Needs the MCP SDK (the extra `demo`), which mcpobs itself never imports.
"""
