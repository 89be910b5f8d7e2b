"""`mcpobs policy`: checks files, prints them as a document, and prints their JSON Schema."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mcpobs import safefile
from mcpobs.cli.streams import emit, paper, say, terminal_cells, warn
from mcpobs.errors import LakeError, UsageError
from mcpobs.folders import LAKE_VARIABLE, lake_folder
from mcpobs.gate.policing import files_of
from mcpobs.lake.reader import open_reading
from mcpobs.output import json_text
from mcpobs.output.document import markdown, text
from mcpobs.output.text import printable, wrapped
from mcpobs.policy import file
from mcpobs.policy.document import document
from mcpobs.policy.json_schema import json_schema
from mcpobs.policy.lint import lint
from mcpobs.policy.lint.finding import Finding, Known
from mcpobs.policy.model import Policy
from mcpobs.policy.text import Texts
from mcpobs.policy.traffic import History, Traffic
from mcpobs.protocol.session import Identity
from mcpobs.queries import catalog
from mcpobs.queries.run import on_sound_files, plan_of, run
from mcpobs.reports import window
from mcpobs.reports.filters import Filters, check_known
from mcpobs.reports.warnings import of_damage
from mcpobs.settings import load_config

MAX_LIST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """The options of `mcpobs policy check` and `show`, named as they are on the command line."""

    files: tuple[str, ...]
    since: str | None = None
    server: str | None = None
    tools: str | None = None
    format: str = "text"
    json: bool = False
    lake: str | None = None


def run_schema() -> None:
    emit(json_text.render(json_schema()))


def run_check(options: PolicyOptions) -> bool:
    """Prints the findings; returns whether one of them is a warning."""
    policy, _ = _read(options)
    tools = _listed(options.tools)
    history = _history(options, policy, tools)
    known = Known(
        history,
        None if history is None and not tools else frozenset({*tools, *(history.tools if history else ())}),
        load_config().identity is not None,
    )
    found = lint(policy, known)
    if options.json:
        emit(
            json_text.render(
                {
                    "files": [layer.source for layer in policy.layers],
                    "policy_hash": policy.hash,
                    "calls": None if history is None else history.calls,
                    "findings": [asdict(finding) for finding in found],
                }
            )
        )
    else:
        width = paper().cells_wide
        summary = wrapped(_summary(policy, found, history), width, "  ")
        emit("".join(_lines(finding, width) for finding in found) + f"{summary}\n")
    return any(finding.level == "warning" for finding in found)


def _lines(finding: Finding, width: int | None) -> str:
    head = f"{finding.source}:{finding.line}: {finding.level}: {finding.about}: {finding.problem} [{finding.check}]"
    lines = [head, f"  means: {finding.meaning}", f"  do:    {finding.fix}"]
    return "".join(f"{wrapped(printable(line), width, ' ' * 9)}\n" for line in lines)


def _summary(policy: Policy, found: Sequence[Finding], history: History | None) -> str:
    warnings = sum(finding.level == "warning" for finding in found)
    notes = len(found) - warnings
    counts = f"{warnings} {'warning' if warnings == 1 else 'warnings'}, {notes} {'note' if notes == 1 else 'notes'}"
    calls = "no lake" if history is None else f"{history.calls:,} recorded calls"
    sources = ", ".join(layer.source for layer in policy.layers)
    return printable(f"{counts}: {sources} (policy {policy.hash}), compared with {calls}")


def run_show(options: PolicyOptions) -> None:
    """Prints the document."""
    if options.format not in ("text", "markdown"):
        raise UsageError(f"unknown format {options.format!r}", "the formats are text and markdown; --json is JSON")
    policy, contents = _read(options)
    found = document(policy, Texts(contents), _history(options, policy, {}))
    if options.json:
        emit(json_text.render(asdict(found)))
    else:
        emit(markdown(found) if options.format == "markdown" else text(found, terminal_cells()))


def _read(options: PolicyOptions) -> tuple[Policy, list[tuple[bytes, str]]]:
    """The policy of the named files, by the names as they were given."""
    files = list(options.files) or files_of(())
    if not files:
        raise UsageError("no policy file is named", "name one, or set [policy] files with `mcpobs init --policy FILE`")
    contents = file.contents(files)
    return file.of_texts(contents), contents


def _listed(path: str | None) -> dict[str, str]:
    """The tools of a list, each with its kind."""
    if path is None:
        return {}
    try:
        data = json.loads(safefile.read(path, MAX_LIST_BYTES))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "save a `tools/list` result there") from None
    except ValueError:
        raise UsageError(f"{path} is not JSON", "save a `tools/list` result, or a list of names") from None
    for key in ("result", "tools"):
        data = data.get(key, data) if isinstance(data, dict) else data
    if not isinstance(data, list):
        raise UsageError(f"{path} has no list of tools", "save a `tools/list` result, or a list of names")
    tools = [{"name": one} if isinstance(one, str) else one for one in data]
    return {str(one["name"]): _kind(one) for one in tools if isinstance(one, dict) and "name" in one}


def _kind(tool: Mapping[str, object]) -> str:
    hints = tool.get("annotations")
    return "read" if isinstance(hints, dict) and hints.get("readOnlyHint") is True else "write"


def _history(options: PolicyOptions, policy: Policy, kinds: Mapping[str, str]) -> History | None:
    """The calls of the lake; None if there is no lake and none was named."""
    folder = lake_folder(options.lake)
    named = options.lake is not None or options.since is not None or LAKE_VARIABLE in os.environ
    if not named and not Path(folder).is_dir():
        return None
    chosen = window.given(options.since, None, time.time_ns())
    try:
        with open_reading(folder, since_unix_nano=chosen.since or None) as reading:
            given = {"since": chosen.since, "until": chosen.until}
            result = on_sound_files(reading, lambda plan: run(plan, catalog.load("policy_traffic"), given))
            warn(of_damage(reading))
            check_known(plan_of(reading), Filters(server=options.server))
    except LakeError as error:
        if named:
            raise
        say(f"the lake is not looked at: {error.message}")
        return None
    traffic = [_traffic(record) for record in result.records()]
    return History(policy, [one for one in traffic if options.server in (None, one.server)], kinds)


def _traffic(record: Mapping[str, object]) -> Traffic:
    def text_of(name: str) -> str | None:
        value = record[name]
        return None if value is None else str(value)

    try:
        verdicts = json.loads(text_of("rule_verdicts") or "{}")
    except ValueError:
        verdicts = {}
    return Traffic(
        method=text_of("method") or "",
        target=text_of("target"),
        server=text_of("service_name"),
        client=text_of("client_name"),
        identity=Identity(text_of("principal"), text_of("tenant"), text_of("role")),
        calls=int(str(record["calls"])),
        answered=int(str(record["answered"])),
        verdicts=verdicts if isinstance(verdicts, dict) else {},
    )
