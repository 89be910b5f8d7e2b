"""Checks the installation: Python, the packages, the program that clients start, and the libraries in C."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from mcpobs.detect import model
from mcpobs.errors import UsageError
from mcpobs.installed.commands import install_again, install_missing, install_packages
from mcpobs.installed.distribution import of_this_copy, providers
from mcpobs.installed.environment import current
from mcpobs.lake.otlp.native.library import DECODER_VARIABLE, Native
from mcpobs.setup import copies, executable
from mcpobs.setup.check import Check

ABOUT: Final = "installation"
OLDEST: Final = (3, 11)
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?(?P<range>[^;]*)(?:;(?P<marker>.*))?")
_BOUND = re.compile(r"(>=|<)\s*([\d.]+)")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")
_MODULES: Final = {  # importing it detects a package that has only metadata
    "deltalake": "deltalake",
    "duckdb": "duckdb",
    "opentelemetry-exporter-otlp": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry-sdk": "opentelemetry.sdk.trace",
    "orjson": "orjson",
    "pyyaml": "yaml",
    "typer": "typer",
}


def check(env: Mapping[str, str], argv0: str) -> Iterator[Check]:
    yield _python()
    yield from copies.check()
    yield from _packages()
    yield _telemetry()
    yield _program(env, argv0)
    yield _decoder(env)
    yield _model()


def _python() -> Check:
    version = platform.python_version()
    import mcpobs

    own = getattr(mcpobs, "__version__", "of an unknown version")  # a foreign __init__.py may have replaced ours
    line = f"mcpobs {own} on Python {version} ({sys.executable})"
    if sys.version_info < OLDEST:
        return Check(ABOUT, "fail", line, "mcpobs needs Python 3.11 or newer")
    return Check(ABOUT, "ok", line)


def _packages() -> Iterator[Check]:
    env = current()
    own = of_this_copy(env, providers(env))
    if own is None:
        return  # `copies` reports this
    required = own.metadata.requires or []
    versions: list[str] = []
    extras: dict[str, list[str]] = {}
    for text in required:
        match = _REQUIREMENT.fullmatch(text)
        if match is None or match["name"] == own.name:
            continue
        extra = _EXTRA.search(match["marker"] or "")
        fault = _fault(match["name"], match["range"])
        if extra is not None:
            extras.setdefault(extra[1], []).extend([fault] if fault else [])
        elif fault:
            yield Check(ABOUT, "fail", fault, install_missing(env))
        else:
            versions.append(f"{match['name']} {metadata.version(match['name'])}")
    yield Check(ABOUT, "ok", ", ".join(versions))
    whole = [name for name, faults in extras.items() if not faults and name != "dev"]
    yield Check(ABOUT, "ok", f"extras: {', '.join(sorted(whole)) or 'none'}")


def _fault(name: str, wanted: str) -> str | None:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    for sign, bound in _BOUND.findall(wanted):
        if (_numbers(version) >= _numbers(bound)) != (sign == ">="):
            return f"{name} {version} is not {wanted.strip()}"
    if name in _MODULES:
        try:
            importlib.import_module(_MODULES[name])
        except Exception as error:  # a foreign package may raise anything
            return f"{name} {version} cannot be imported: {type(error).__name__}: {error}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """Returns the release of a version: 1.30.0rc1 is 1.30.0; trailing zeros are dropped."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else [0]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _telemetry() -> Check:
    """Checks that the API, the SDK and the exporters are of one release; mixed releases break."""
    packages = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
    found = {name: version for name in packages if (version := _version(name)) is not None}
    if len(set(found.values())) > 1:
        line = "OpenTelemetry's packages are of different releases: "
        line += ", ".join(f"{name} {version}" for name, version in found.items())
        return Check(ABOUT, "warn", line, install_packages(packages))
    return Check(ABOUT, "ok", f"OpenTelemetry {next(iter(found.values()), 'is not installed')}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _program(env: Mapping[str, str], argv0: str) -> Check:
    try:
        words = executable.command(None, argv0, sys.executable)
    except UsageError as error:
        return Check(ABOUT, "warn", error.message, error.hint)
    on_path = shutil.which("mcpobs", path=env.get("PATH", os.defpath))
    shown = executable.shown(words)
    if on_path is None:
        hint = f"clients that run {shown} do not need it; for your shell: export PATH={Path(words[0]).parent}:$PATH"
        return Check(ABOUT, "warn", "mcpobs is not on the PATH", hint)
    if len(words) == 1 and not os.path.samefile(on_path, words[0]):
        hint = "remove the unwanted one, or call this one by its path"
        return Check(ABOUT, "warn", f"this is {words[0]}, but the PATH has {on_path}", hint)
    other = copies.elsewhere(Path(on_path))
    if other is not None:
        hint = f"remove the unwanted one, or call this one by its path: {shown}"
        line = f"the mcpobs on the PATH, {on_path}, belongs to another environment, that of {other}"
        return Check(ABOUT, "warn", line, hint)
    return Check(ABOUT, "ok", f"mcpobs is on the PATH: {on_path}")


def _decoder(env: Mapping[str, str]) -> Check:
    try:
        Native()
    except OSError:
        here = current()
        build = install_again(here, of_this_copy(here, providers(here)))
        hint = f"it matters only to a busy `mcpobs collect`; with a C compiler, build it: {build}"
        return Check(ABOUT, "warn", "the OTLP decoder in C is not built: it decodes in Python, slower", hint)
    if env.get(DECODER_VARIABLE) == "plain":
        hint = f"it matters only to a busy `mcpobs collect`; to use the one in C, unset {DECODER_VARIABLE}"
        return Check(ABOUT, "warn", f"{DECODER_VARIABLE}=plain: the OTLP decoder in C works but is not in use", hint)
    return Check(ABOUT, "ok", "the OTLP decoder in C is in use")


def _model() -> Check:
    if model.missing() is None:
        return Check(ABOUT, "ok", "the linear model of the injection scanner is in use")
    here = current()
    build = install_again(here, of_this_copy(here, providers(here)))
    hint = f"it matters only to policies that inspect results; with a C compiler, build it: {build}"
    return Check(ABOUT, "warn", "the linear model is off: its library in C is not built; patterns inspect alone", hint)
