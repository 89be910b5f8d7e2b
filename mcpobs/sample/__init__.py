"""Provides the data of `mcpobs demo`: a small shop as an MCP server, and agents that use it well and badly.

Needs the MCP SDK (the extra `demo`), which mcpobs itself never imports.
"""
