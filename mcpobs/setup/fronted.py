"""Checks the clients' configurations: which servers run through mcpobs, and whether their commands can be found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mcpobs.errors import McpobsError
from mcpobs.folders import CONFIG_VARIABLE, config_folder, lake_folder
from mcpobs.settings import passed_on
from mcpobs.setup import executable, files, masking, plan, wrapping
from mcpobs.setup.check import Check
from mcpobs.setup.clients import Place
from mcpobs.setup.document import Entry
from mcpobs.setup.export import writes_to_stdout

ABOUT: Final = "clients"


def check(places: Iterable[Place], env: Mapping[str, str]) -> Iterator[Check]:
    """Checks each configuration. `env` is the shell's: the PATH of a client started by the desktop is unknown here."""
    none = True
    for place in places:
        none = False
        yield from _configuration(place, env)
    if none:
        hint = "mcpobs init PATH takes any configuration with mcpServers, servers or [mcp_servers]"
        yield Check(ABOUT, "warn", "no MCP client's configuration was found", hint)


def _configuration(place: Place, env: Mapping[str, str]) -> Iterator[Check]:
    where = f"{place.client.title}, {place.path}"
    try:
        document = plan.open_document(files.read(place.path), place.client)
    except McpobsError as error:
        yield Check(ABOUT, "fail", error.message, error.hint)
        return
    entries = document.entries(place.client.layouts)
    local = [e for e in entries if plan.remote_url(e) is None]
    through = [e for e in local if wrapping.runs_through_mcpobs(e)]
    bare = [e.name for e in local if e not in through]
    if not entries:
        yield Check(ABOUT, "ok", f"{where}: no servers in it")
    elif not local:
        yield Check(ABOUT, "ok", f"{where}: {_servers(len(entries))}, by HTTP")
    else:
        line = f"{where}: {len(through)} of {_servers(len(local))} through mcpobs"
        remote = len(entries) - len(local)
        line += f", {remote} more by HTTP" if remote else ""
        hint = f"not yet: {', '.join(bare)}; mcpobs init --dry-run shows what it would change"
        yield Check(ABOUT, "warn", line, hint) if bare else Check(ABOUT, "ok", line)
    for entry in local:
        yield from _entry(entry, place.client.title, entry in through, env)


def _servers(count: int) -> str:
    return "1 server" if count == 1 else f"{count} servers"


def _entry(entry: Entry, client: str, through: bool, env: Mapping[str, str]) -> Iterator[Check]:
    words = entry.words()
    path = entry.env.get("PATH") or env.get("PATH", os.defpath)
    if through and not _found(words[0], path):
        hint = "mcpobs init --revert, then mcpobs init, writes the path of this one"
        program = masking.command(words[0])
        yield Check(ABOUT, "fail", f"{client}: {entry.name} starts {program}, which is not there", hint)
    own = words[own_at] if (own_at := wrapping.own_command(entry)) is not None else None
    own = words[0] if own is None and words and not through else own
    if own is not None and not _found(own, path):
        missing = "there" if os.sep in own else "on the PATH of this shell"
        hint = "install it, or write its path into the configuration"
        needed = masking.command(own)
        yield Check(ABOUT, "warn", f"{client}: {entry.name} needs {needed}, which is not {missing}", hint)
    if through:
        yield from _elsewhere(entry, client, env)
    sandbox = entry.value("sandboxEnabled")  # VS Code; unverified: its reference was not available
    if through and sandbox is not None and sandbox.value == "true":
        hint = "let that sandbox write to the lake's folder"
        line = f"{client}: {entry.name} runs in a sandbox, where mcpobs may not write to the lake"
        yield Check(ABOUT, "warn", line, hint)
    for variable, exporter in writes_to_stdout(entry.env):
        hint = f"set {variable}=otlp or none there"
        line = f"{client}: {entry.name} has {variable}={exporter}, which writes to stdout and breaks a stdio server"
        yield Check(ABOUT, "fail", line, hint)


def _elsewhere(entry: Entry, client: str, env: Mapping[str, str]) -> Iterator[Check]:
    """Compares the folders that the wrapper uses in the client's environment with those of this shell."""
    options, given = wrapping.options(entry), passed_on(env) | dict(entry.env)
    config = options.get("--config")
    used = config_folder({**given, CONFIG_VARIABLE: config} if config else given)
    folders = (
        ("calls", lake_folder(options.get("--lake"), given), lake_folder(env=env)),
        ("digest keys and settings", used, config_folder(env)),
    )
    for noun, there, here in folders:
        if there != here:
            line = f"{client}: {entry.name} has its {noun} in {there}, but commands of this shell use {here}"
            hint = "mcpobs init --revert, then mcpobs init, writes the folders of this shell into the configuration"
            yield Check(ABOUT, "warn", line, hint)


def _found(program: str, path: str) -> bool:
    """Returns whether a program exists. A path with a client's variable, or an assignment, cannot be resolved here."""
    name = program.partition(" ")[0]  # the rest may hold a secret, on which nothing here depends
    return "$" in name or "=" in name or name.startswith("~") or executable.found(program, path)
