"""This copy of mcpobs: its distribution, its origin, the tool that installed it, and the commands that change it.

Loads nothing heavy, and reads no metadata before an error is printed or `mcpobs doctor` asks.
"""
