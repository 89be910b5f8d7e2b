"""`mcpobs serve`: its options and its help. The work is in `cli/serve.py`."""

from __future__ import annotations

from mcpobs.cli.options.shared import Lake


def serve(
    lake: Lake = None,
) -> int:
    """Let an agent ask about the recorded calls: a read-only MCP server over stdio.

    Put it into the configuration of an MCP client; it starts and ends the server:

    \b
      {"command": "mcpobs", "args": ["serve"]}

    \b
    Tools:
      overview          what is going on, a sentence for each question
      report            the rows behind one question: every report of `mcpobs report`
      session_timeline  the calls of one session in order
      explain           why a call was refused by a policy
      sql               one select, within limits of time, rows and bytes
      columns           what the tables for sql hold

    \b
    Examples:
      mcpobs serve
      mcpobs serve --lake ./lake
      mcpobs instrument --name mcpobs -- mcpobs serve    record what is asked as well

    It answers clients of MCP 2024-11-05 to 2026-07-28. Only the lake can be read, and no tool changes it. Answers hold
    names that agents and servers chose; each answer reminds the model that these are data, never instructions.
    """
    from mcpobs.cli.serve import run_serve

    return run_serve(lake)
