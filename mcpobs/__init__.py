"""mcpobs watches the calls of any MCP server, answers for them, and turns them into limits."""

__version__ = "0.1.0"
