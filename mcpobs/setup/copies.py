"""Finds other copies of mcpobs, and foreign packages with its import name. Imports and runs none of them."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mcpobs.installed import commands
from mcpobs.installed.distribution import PACKAGE, Distribution, is_former, of_this_copy, providers
from mcpobs.installed.environment import Environment, current, same
from mcpobs.setup.check import Check

ABOUT: Final = "installation"
_INTERPRETER: Final = re.compile(rb"^#!\s*(\S+)|^'''exec' (?:\"([^\"]+)\"|(\S+))", re.MULTILINE)
_HEAD_BYTES: Final = 4_096


def check(env: Environment | None = None, folder: Path | None = None) -> Iterator[Check]:
    """Compares the running copy with every distribution and module of its name. `folder` is the current folder."""
    env = env or current()
    found = providers(env)
    own = of_this_copy(env, found)
    yield _origin(env, own)
    for each in found:
        if not each.ours:
            yield _foreign(env, own, each)
    yield from _damage(env, own, found)
    yield from _former(env, own, found)
    yield from _second_copies(env, own, found)
    yield from _shadows(env, folder or Path.cwd())


def _origin(env: Environment, own: Distribution | None) -> Check:
    if own is None:
        line = f"mcpobs runs from {env.package}, which no distribution has installed"
        return Check(ABOUT, "warn", line, commands.install_missing(env))
    manner = "editable, from" if own.editable else "from"
    place = f"{manner} {own.source}" if own.source else f"in {own.folder}"
    return Check(ABOUT, "ok", f"distribution {own.name} {own.version}, {place}")


def _foreign(env: Environment, own: Distribution | None, other: Distribution) -> Check:
    """Reports a foreign distribution. In the same folder as ours, its files may have replaced ours."""
    who = f"the distribution {other.name} {other.version} in {other.folder} is not ours and provides {PACKAGE} too"
    if not other.provides(env.package):
        hint = f"{commands.uninstall(other, env)}; it cannot be used beside ours in one environment"
        return Check(ABOUT, "warn", f"{who}; Python imports {env.package}", hint)
    changed = _changed(own) if own is not None else []
    hint = f"{commands.uninstall(other, env)} && {commands.install_again(env, own)}"
    if not changed:
        return Check(ABOUT, "warn", f"{who}; removing it removes files of ours", hint)
    return Check(ABOUT, "fail", f"{who}; it has replaced or removed files of ours: {_first(changed)}", hint)


def _damage(env: Environment, own: Distribution | None, found: Sequence[Distribution]) -> Iterator[Check]:
    """Reports changes of our files, unless a foreign distribution explains them."""
    if own is None or any(not each.ours and each.provides(env.package) for each in found):
        return
    changed = _changed(own)
    if changed:
        missing = any(not (own.folder / name).is_file() for name in changed)
        line = f"files of this installation were changed or removed: {_first(changed)}"
        yield Check(ABOUT, "fail" if missing else "warn", line, commands.install_again(env, own))


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _former(env: Environment, own: Distribution | None, found: Sequence[Distribution]) -> Iterator[Check]:
    for each in found:
        if is_former(each):
            line = f"mcpobs {each.version} in {each.folder} is ours, from when its distribution was called {each.name}"
            remove = commands.uninstall(each, env)  # removes the command too, which both have
            if own is each:
                hint = commands.install_missing(env)
            else:
                hint = remove if own is None else f"{remove} && {commands.install_again(env, own)}"
            yield Check(ABOUT, "warn", line, hint)


def _second_copies(env: Environment, own: Distribution | None, found: Sequence[Distribution]) -> Iterator[Check]:
    copies = [each for each in found if each.ours and not is_former(each)]
    for each in copies:
        if each is not own:
            used = f"Python imports {env.package}"
            line = f"a second installation, {each.name} {each.version} in {each.folder}, is not used: {used}"
            yield Check(ABOUT, "warn", line, _without(env, own, each, len(copies)))


def _without(env: Environment, own: Distribution | None, other: Distribution, copies: int) -> str:
    """Returns the command that leaves one copy. pip removes the copy that it finds first, so it is called once per
    copy."""
    if own is None:
        return f"leave {env.package.parent} out of PYTHONPATH to use it, or remove it: {commands.uninstall(other, env)}"
    return " && ".join([*[commands.uninstall(own, env)] * copies, commands.install_again(env, own)])


def _shadows(env: Environment, folder: Path) -> Iterator[Check]:
    """Reports modules of this name that another process would import: `python -m mcpobs` here, or a server with
    PYTHONPATH."""
    path = [entry for entry in env.variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    for entry in path:
        module = _module(Path(entry))
        if module is not None and same(module, env.package):
            yield Check(ABOUT, "ok", f"PYTHONPATH leads to this mcpobs: {entry}")
            break
        if module is not None:
            line = f"PYTHONPATH leads to another {PACKAGE}, {module}; this one is {env.package}"
            yield Check(ABOUT, "warn", line, f"leave {entry} out of PYTHONPATH")
            break
    module = _module(folder)
    if module is not None and not same(module, env.package):
        line = f"in this folder `python -m {PACKAGE}` runs {module} instead of {env.package}"
        yield Check(ABOUT, "warn", line, f"run `{PACKAGE}` by its own name or from another folder, or use `python -P`")


def _module(folder: Path) -> Path | None:
    """Returns the file that `import mcpobs` would load from a folder, in Python's order. A folder without __init__.py
    comes last."""
    if (folder / PACKAGE / "__init__.py").is_file():
        return folder / PACKAGE
    return next((path for path in (folder / f"{PACKAGE}.so", folder / f"{PACKAGE}.py") if path.is_file()), None)


def _changed(own: Distribution) -> list[str]:
    """Returns the files of our package that changed since the installation."""
    record = own.metadata.read_text("RECORD") or ""
    changed = []
    for row in csv.reader(line for line in record.splitlines() if line.startswith((f"{PACKAGE}/", f'"{PACKAGE}/'))):
        algorithm, _, digest = row[1].partition("=") if len(row) > 1 else ("", "", "")
        if algorithm == "sha256" and _sha256(own.folder / row[0]) != digest:
            changed.append(row[0])
    return changed


def _sha256(path: Path) -> str | None:
    """Returns a file's digest in the format of a RECORD."""
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def interpreter(script: Path) -> Path | None:
    """Returns the Python that a console script starts. Keeps links: a resolved path would leave the environment."""
    written = script.with_name("mcpobs-python")  # by the installer; ours is a shell script
    try:
        with (written if written.exists() else script).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    words = [match[1] or match[2] or match[3] for match in _INTERPRETER.finditer(head)]
    named = [Path(os.fsdecode(word)) for word in words if b"python" in os.path.basename(word)]
    return named[-1] if named and named[-1].is_absolute() else None


def elsewhere(script: Path, env: Environment | None = None) -> Path | None:
    """Returns the Python of another environment that a console script starts. None for ours, and for any other file."""
    env = env or current()
    python = interpreter(script.resolve())
    if python is None or same(python.parent, Path(env.python).parent):
        return None
    return python
