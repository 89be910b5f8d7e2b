"""The index of docs/adr names each decision once, with its title, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "adr"
SECTIONS = ["## Context", "## Decision", "## Consequences"]


def test_the_index_names_each_decision_with_its_title() -> None:
    files = {path.name: path.read_text().splitlines()[0] for path in FOLDER.glob("[0-9]*.md")}
    indexed = re.findall(r"^(\d+)\. \[(.+)\]\((\S+)\)$", (FOLDER / "README.md").read_text(), re.MULTILINE)

    assert {name: f"# {number}. {title}" for number, title, name in indexed} == files
    assert [int(number) for number, _, _ in indexed] == list(range(1, len(files) + 1))


def test_each_decision_has_its_three_sections() -> None:
    for path in FOLDER.glob("[0-9]*.md"):
        assert [line for line in path.read_text().splitlines() if line.startswith("## ")] == SECTIONS, path.name
