"""Names policy files in config.toml, `[policy] files`. Only that value is edited; every other byte stays."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcpobs.errors import UsageError
from mcpobs.setup import files, toml
from mcpobs.setup.located import MalformedError, newline

_HEAD = re.compile(r"^[ \t]*\[[ \t]*policy[ \t]*\][^\n]*(\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Setting:
    """What config.toml is, and what it becomes. `source` is None if there is no such file yet."""

    path: Path
    source: files.Source | None
    before: str
    after: str

    @property
    def changes(self) -> bool:
        return self.before != self.after


def planned(folder: Path, policy: Sequence[str]) -> Setting:
    """The setting that names these files, by absolute paths. Raises UsageError if config.toml cannot be edited."""
    path = folder / "config.toml"
    source = files.read(path) if path.exists() or path.is_symlink() else None
    try:
        before = "" if source is None else source.content.decode()
        after = _edited(before, [str(Path(name).expanduser().absolute()) for name in policy], path)
    except (MalformedError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "correct it first") from None
    return Setting(path, source, before, after)


def write(setting: Setting) -> None:
    if setting.source is None:
        files.create(setting.path, setting.after.encode())
    else:
        files.replace(setting.source, setting.after.encode())


def _edited(text: str, names: list[str], path: Path) -> str:
    data = toml.parse(text)
    if data.data.get("policy", {}).get("files") == names:
        return text
    line = newline(text) if text else "\n"
    value = f"[{', '.join(map(toml.quoted, names))}]"
    known = next((one for one in data.assignments if one.path == ("policy", "files")), None)
    head = _HEAD.search(text)
    if known is not None:
        after = text[: known.node.start] + value + text[known.node.end :]
    elif head is not None:
        gap = "" if head[1] else line
        after = f"{text[: head.end()]}{gap}files = {value}{line}{text[head.end() :]}"
    else:
        gap = "" if not text else line if text.endswith("\n") else line * 2
        after = f"{text}{gap}[policy]{line}files = {value}{line}"
    wanted = {**data.data, "policy": {**data.data.get("policy", {}), "files": names}}
    if _read(after) != wanted:
        raise UsageError(f"{path}: its [policy] cannot be edited", f"write it by hand: [policy] files = {value}")
    return after


def _read(text: str) -> object:
    try:
        return toml.parse(text).data
    except (MalformedError, tomllib.TOMLDecodeError):
        return None
