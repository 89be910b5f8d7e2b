"""Describes this copy of mcpobs: its distribution, its origin, the tool that installed it, and the commands that change
it.

Loads nothing heavy, and reads metadata only for an error message or `mcpobs doctor`.
"""
