"""The options and the help of each command. The work is in `cli/`, which does without typer."""
