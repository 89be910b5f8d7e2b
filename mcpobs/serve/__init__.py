"""`mcpobs serve`: the recorded calls, to be asked about over MCP. Reads the lake, and nothing here changes a call."""
