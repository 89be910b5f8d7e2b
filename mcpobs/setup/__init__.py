"""Sets up MCP clients to run their servers through mcpobs, and checks that the setup works."""
