"""Makes the folder with the agents' documents, and the git repository."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

FOLDERS: Final = ("notes", "reports", "tickets")
DOCUMENTS: Final = 36
COMMITS: Final = 60
SUBJECTS: Final = ("billing", "search", "login", "export", "mail", "backup", "catalog", "invoice", "import", "metrics")
SENTENCES: Final = (
    "The {} service answered within its budget all week.",
    "Two customers asked for a longer trial of {}.",
    "We move the {} job to the new machine on Thursday.",
    "The tests of {} take eleven minutes; most of it is the database.",
    "Open question: who owns {} after the reorganisation?",
    "The certificate of {} was renewed and is valid until May.",
    "Numbers for {} are in the table of last month, row 14.",
    "A retry hides the real error of {}, so we log both.",
    "Please read the draft about {} before the meeting.",
)


@dataclass(frozen=True)
class Workspace:
    files: Path
    documents: list[Path]
    repository: Path
    revisions: list[str]


def make_workspace(folder: Path, chance: Random) -> Workspace:
    files = folder / "documents"
    documents = [_document(files, number, chance) for number in range(DOCUMENTS)]
    repository = folder / "repository"
    return Workspace(files, documents, repository, _repository(repository, chance))


def _document(files: Path, number: int, chance: Random) -> Path:
    path = files / chance.choice(FOLDERS) / f"{chance.choice(SUBJECTS)}-{number:02}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(chance, chance.randint(5, 60)))
    return path


def text(chance: Random, sentences: int) -> str:
    lines = [chance.choice(SENTENCES).format(chance.choice(SUBJECTS)) for _ in range(sentences)]
    return "# " + chance.choice(SUBJECTS).title() + "\n\n" + "\n".join(lines) + "\n"


def _repository(folder: Path, chance: Random) -> list[str]:
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    stream = b"".join(_commit(number, text(chance, 12)) for number in range(COMMITS))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream, check=True)
    subprocess.run(["git", "reset", "-q", "--hard", "main"], cwd=folder, check=True)
    listed = subprocess.run(["git", "rev-list", "main"], cwd=folder, capture_output=True, check=True, text=True)
    return listed.stdout.split()


def _commit(number: int, content: str) -> bytes:
    message, body = f"Revise part {number % 9}".encode(), content.encode()
    head = b"commit refs/heads/main\ncommitter A <a@example.invalid> %d +0000\n" % (1_790_000_000 + 600 * number)
    file = b"M 644 inline part-%d.md\ndata %d\n%s\n" % (number % 9, len(body), body)
    return head + b"data %d\n%s\n" % (len(message), message) + file
