"""`mcpobs explain`: its options and its help. The work is in `cli/explain.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli import complete
from mcpobs.cli.options.shared import Json, Lake


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DECISION|SESSION",
            help="An id, or its beginning: of a decision, else of a session.",
            autocompletion=complete.sessions,
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(help="The policy's files, to show what they say.  [default: those of config.toml]"),
    ] = None,
    json: Json = False,
    lake: Lake = None,
) -> int:
    """Say why a call was refused: which rule, what it had counted, and what would have had to be different.

    A denial carries its decision's id (`_meta["mcpobs/decision"].id`), and `mcpobs decisions` lists them. Of a session
    the first denials that differ are explained. What the policy says is shown if its files are those that decided.

    \b
    Examples:
      mcpobs explain 3f9a2c10
      mcpobs explain agent-42 --policy policy.yaml --policy limits.yaml
      mcpobs explain 3f9a2c10 --json
    """
    from mcpobs.cli.explain import run_explain

    return run_explain(name, policy or (), json=json, lake=lake)
