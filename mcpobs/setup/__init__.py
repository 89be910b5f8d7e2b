"""Setting up: MCP clients that run their servers through mcpobs, and whether all of it works."""
