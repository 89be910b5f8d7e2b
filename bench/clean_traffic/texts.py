"""The texts of the traffic: documents, docstrings and sources of installed packages, each once."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
SHORTEST, LONGEST = 200, 60_000
LONGEST_SOURCE: Final = 12_000
SHORTEST_DOCSTRING: Final = 80
DOCUMENTS: Final = re.compile(
    r"(?i)(readme|licen[cs]e|copying|notice|changelog|history|authors|metadata|security|copyright|contributing)|\.(md|mdx|rst|txt)$"
)
ABOUT_ATTACKS: Final = re.compile(r"(?i)prompt[ -_]injection|injected instruction|jailbreak|tool poisoning")


@dataclass(frozen=True)
class Text:
    """A text, where it was read, and its kind: document, about attacks, docstring, source."""

    text: str
    source: str
    kind: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def texts(cache: Path, further: Sequence[Path]) -> list[Text]:
    """Returns all texts in a stable order. Texts about attacks come first, then documents, docstrings and sources."""
    code = [*further, Path(sys.prefix) / "lib", Path(sysconfig.get_path("stdlib"))]
    roots = [PROJECT / "docs", PROJECT, *code, cache]
    kinds: dict[str, dict[str, Text]] = {kind: {} for kind in ("about attacks", "document", "docstring", "source")}
    seen: set[tuple[tuple[str, ...], int]] = set()
    for root in roots:
        for path in _files(root, seen, root in code):
            for found in _of_file(path):
                kinds[found.kind].setdefault(found.digest, found)
    return [text for of_kind in kinds.values() for text in of_kind.values()]


def _files(root: Path, seen: set[tuple[tuple[str, ...], int]], code: bool) -> Iterator[Path]:
    """Yields the documents, with `code` also the sources. Folders hold the same packages: a file of the same name and
    size is read once."""
    installed = root == Path(sysconfig.get_path("stdlib"))
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            set(folders) - ({"site-packages", "test", "idlelib"} if installed else {"__pycache__", ".git"})
        )
        if root == PROJECT:
            folders.clear()
        for name in sorted(names):
            path = Path(folder, name)
            wanted = code if name.endswith(".py") else DOCUMENTS.search(name)
            if not wanted or path.is_symlink():
                continue
            size = path.stat().st_size
            if size <= 10 * LONGEST and (same := (path.parts[-3:], size)) not in seen:
                seen.add(same)
                yield path


def _of_file(path: Path) -> Iterator[Text]:
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return
    own = path.is_relative_to(PROJECT) and not path.is_relative_to(sys.prefix)
    source = str(path.relative_to(PROJECT)) if own else "/".join(path.parts[-4:])
    if path.suffix == ".py":
        yield from _docstrings(text, source)
    longest = LONGEST_SOURCE if path.suffix == ".py" else LONGEST
    if SHORTEST <= len(text) <= longest and "\0" not in text:
        yield Text(text, source, _kind(text, "source" if path.suffix == ".py" else "document"))


def _kind(text: str, otherwise: str) -> str:
    return "about attacks" if ABOUT_ATTACKS.search(text) else otherwise


def _docstrings(source: str, name: str) -> Iterator[Text]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    documented = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)) and len(text) >= SHORTEST_DOCSTRING:
            yield Text(text, f"{name}:{getattr(node, 'name', '')}", _kind(text, "docstring"))


def counted(found: Iterable[Text]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    return counts
