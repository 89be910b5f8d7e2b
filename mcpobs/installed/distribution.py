"""Finds the distributions that provide the import package `mcpobs`, and the one to which this copy belongs.

The distribution is called mcpobs-otel, because an unrelated distribution of the public index is called mcpobs and has
an import package of that name too.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from mcpobs.installed.environment import Environment, same

NAME: Final = "mcpobs-otel"
FORMER_NAME: Final = "mcpobs"
"""Our distribution's name until 0.1.0; on the public index it belongs to somebody else."""
PACKAGE: Final = "mcpobs"
_SUMMARY: Final = "Observe any MCP server, answer for its calls, and turn its traffic into limits."
_ENTRY_POINTS: Final = frozenset({"mcpobs.__main__:main", "mcpobs.instrument.entry:McpobsInstrumentor"})
_MODULE: Final = re.compile(rf"{PACKAGE}(/|(\.[\w-]+)*\.(py|so)$)")  # in a RECORD: the folder, or a module in one file
_MAPPED: Final = re.compile(rf"""['"]{PACKAGE}['"]\s*:\s*['"]([^'"]+)['"]""")  # in a finder that setuptools writes


class Distribution(NamedTuple):
    """A distribution that provides the import package."""

    name: str
    version: str
    ours: bool
    folder: Path
    """The folder of its metadata, e.g. site-packages."""
    packages: tuple[Path, ...]
    """The folders or files that `import mcpobs` would load if only this distribution were installed."""
    metadata: metadata.Distribution

    @property
    def direct_url(self) -> dict[str, Any]:
        """The origin by PEP 610. Empty for an index or an unreadable file."""
        try:
            found = json.loads(self.metadata.read_text("direct_url.json") or "{}")
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and isinstance(found.get("url"), str) else {}

    @property
    def source(self) -> Path | None:
        """The folder or file from which it was installed, if that is on this machine."""
        return local_path(self.direct_url.get("url", ""))

    @property
    def editable(self) -> bool:
        folder = self.direct_url.get("dir_info")
        return isinstance(folder, dict) and folder.get("editable") is True

    def provides(self, package: Path) -> bool:
        return any(same(each, package) for each in self.packages)


def providers(env: Environment) -> list[Distribution]:
    """Returns every distribution on the search path that provides `mcpobs`, ours and foreign ones."""
    found: list[Distribution] = []
    for each in metadata.distributions(path=list(env.search)):
        folder = Path(str(each.locate_file("")))
        packages = tuple(_packages(each, folder))
        name = each.metadata["Name"] if packages else None  # parsed only for these: there may be a hundred others
        if not name:
            continue
        made = Distribution(name, each.version or "?", _ours(each, name), folder, packages, each)
        if not any(_alike(made, one) for one in found):
            found.append(made)
    return found


def of_this_copy(env: Environment, found: Sequence[Distribution]) -> Distribution | None:
    """Returns our distribution that provides the running code. None for a checkout that is not installed."""
    own = [each for each in found if each.ours and each.provides(env.package)]
    return min(own, key=lambda each: _named(each.name) != NAME, default=None)


def is_former(found: Distribution) -> bool:
    """Returns whether it is our distribution under its former name."""
    return found.ours and _named(found.name) == FORMER_NAME


def requirements(found: Distribution, extra: str) -> list[str]:
    """Returns the requirements of an extra beyond the base, in an installer's form."""
    needed = []
    for text in found.metadata.requires or []:
        requirement, _, marker = text.partition(";")
        clause = re.search(r"""(\s*\band\s+)?\bextra\s*==\s*["']([\w.-]+)["']""", marker)
        if clause is not None and clause[2] == extra:
            rest = marker.replace(clause[0], "").strip()
            needed.append(f"{requirement.strip()}; {rest}" if rest else requirement.strip())
    return needed


def checkout(env: Environment) -> Path | None:
    """Returns the folder of the project, if the running code lies in one."""
    folder = env.package.parent
    try:
        project = (folder / "pyproject.toml").read_text(errors="replace")
    except OSError:
        return None
    return folder if re.search(rf'^name\s*=\s*"{NAME}"', project, re.MULTILINE) else None


def local_path(url: str) -> Path | None:
    """Returns the path that a file URL names."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path))


def _alike(one: Distribution, other: Distribution) -> bool:
    """Returns whether two entries of the search path lead to the same installation."""
    return (_named(one.name), one.version) == (_named(other.name), other.version) and same(one.folder, other.folder)


def _named(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _ours(each: metadata.Distribution, name: str) -> bool:
    """Returns whether a distribution is ours: by its name; under the former name by its summary or entry points,
    because somebody else has that name."""
    if _named(name) != FORMER_NAME:
        return _named(name) == NAME
    return each.metadata["Summary"] == _SUMMARY or any(point.value in _ENTRY_POINTS for point in each.entry_points)


def _packages(each: metadata.Distribution, folder: Path) -> Iterator[Path]:
    record = each.read_text("RECORD")
    if record is None:  # an egg, or a system's package
        if PACKAGE in (each.read_text("top_level.txt") or "").split():
            yield folder / PACKAGE
        return
    inside = False
    for path in _recorded(record):
        if _MODULE.match(path):
            whole = path.startswith(f"{PACKAGE}/")
            if not (whole and inside):
                yield folder / (PACKAGE if whole else path)
            inside = inside or whole
        elif "/" not in path and path.endswith(".pth"):
            for line in _lines(folder / path):
                if line and not line.startswith(("import ", "import\t", "#")) and (folder / line / PACKAGE).is_dir():
                    yield folder / line / PACKAGE
        elif "/" not in path and path.startswith("__editable__"):
            yield from (Path(match[1]) for line in _lines(folder / path) for match in _MAPPED.finditer(line))


def _recorded(record: str) -> Iterator[str]:
    """Yields the paths of a RECORD that may belong to the package."""
    near = (line for line in record.splitlines() if PACKAGE in line or ".pth" in line or "__editable__" in line)
    return (row[0] for row in csv.reader(near) if row)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(errors="replace").splitlines()]
    except OSError:
        return []
