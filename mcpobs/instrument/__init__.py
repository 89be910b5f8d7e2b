"""Fronts inside the server's own Python process: its MCP SDK is hooked, and nothing of it is replaced for good."""
