"""Answers questions about a lake in Python, for notebooks and scripts: `mcpobs.open_lake()`. Prints nothing.

    import mcpobs

    lake = mcpobs.open_lake("./lake")
    lake.report("latency", since="7d").to_polars()
    lake.sql("select tool, count(*) as calls from tool_calls group by tool order by calls desc").to_dicts()

The same library answers here as on the command line, in HTML pages and over MCP, so the figures are the same.
"""

from mcpobs.interface.lake import Lake, open_lake
from mcpobs.interface.table import Table

__all__ = ["Lake", "Table", "open_lake"]
