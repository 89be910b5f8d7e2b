"""Starts the configured servers as their client would, with few of the shell's variables, up to `initialize`, and looks
where the record lands. Each start adds that one operation to the lake of the server."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcpobs import keys, safefile
from mcpobs.errors import McpobsError
from mcpobs.folders import CONFIG_VARIABLE, config_folder, lake_folder
from mcpobs.lake import backlog
from mcpobs.settings import passed_on
from mcpobs.setup import files, plan, wrapping
from mcpobs.setup.check import Check, State
from mcpobs.setup.clients import Place
from mcpobs.setup.document import Entry
from mcpobs.setup.recording import last_line

ABOUT: Final = "clients' servers"
DEADLINE_S: Final = 20.0
_LINGER_S: Final = 2.0  # after the end of its input
_MOST: Final = 8  # servers; a configuration of Claude Code may have thousands
_HELLO: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "mcpobs doctor", "version": "1"},
    },
}
_LATE: Final = "nothing within"
_CLIENT: Final = b"mcpobs doctor"
_READ_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Start:
    """A server as its client starts it. `lakes` are the folders where its record may land, that of the shell last."""

    name: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    lakes: tuple[Path, ...]
    config: Path


def check(places: Iterable[Place], env: Mapping[str, str], deadline_s: float = DEADLINE_S) -> Iterator[Check]:
    """Checks each server that runs through mcpobs, once. `env` is the shell's."""
    starts = list({(s.words, tuple(sorted(s.env.items()))): s for s in _starts(places, env)}.values())
    for start in starts[:_MOST]:  # one after the other: the record of one is not taken for another's
        yield _check(start, env, deadline_s)
    if len(starts) > _MOST:
        more = len(starts) - _MOST
        yield Check(ABOUT, "ok", f"{more:,} more {'server was' if more == 1 else 'servers were'} not started")


def _starts(places: Iterable[Place], env: Mapping[str, str]) -> Iterator[Start]:
    for place in places:
        if place.client.elsewhere:
            continue
        try:
            document = plan.open_document(files.read(place.path), place.client)
        except McpobsError:
            continue  # the check of the configuration reports it
        for entry in document.entries(place.client.layouts):
            if plan.remote_url(entry) is None and wrapping.runs_through_mcpobs(entry) and _can_start(entry):
                yield _start(entry, place, env)


def _can_start(entry: Entry) -> bool:
    """Returns whether only the configuration is needed: no variable of the client, and nothing that keeps it off."""
    flags = {key: node.value for key in ("disabled", "enabled", "sandboxEnabled") if (node := entry.value(key))}
    if flags.get("disabled") == "true" or flags.get("enabled") == "false" or flags.get("sandboxEnabled") == "true":
        return False
    return not any("$" in word for word in (*entry.words(), *entry.env.values()))


def _start(entry: Entry, place: Place, env: Mapping[str, str]) -> Start:
    options, given = wrapping.options(entry), passed_on(env) | dict(entry.env)
    config = options.get("--config")
    lakes = dict.fromkeys((lake_folder(options.get("--lake"), given), lake_folder(env=env)))
    return Start(
        f"{place.client.title}: {entry.name}",
        tuple(entry.words()),
        given,
        entry.text("cwd"),
        tuple(lakes),
        config_folder({**given, CONFIG_VARIABLE: config} if config else given),
    )


def _check(start: Start, env: Mapping[str, str], deadline_s: float) -> Check:
    before = {lake: _segments(lake) for lake in start.lakes}
    try:
        why = _initialize(start, deadline_s)
    except OSError as error:
        why = error.strerror or str(error)
    landed = [lake for lake in start.lakes if _segments(lake) != before[lake]]
    if why is not None:
        hint = "start its command by hand; a client may find programs that this shell does not"
        state: State = "warn" if why.startswith(_LATE) else "fail"
        return Check(ABOUT, state, f"{start.name} gives no answer to initialize: {why}", hint)
    if not landed:
        hint = "its stderr, in the client's log, says why"
        return Check(ABOUT, "fail", f"{start.name} answers, but nothing was recorded in {start.lakes[0]}", hint)
    here, key = lake_folder(env=env), config_folder(env)
    hint = "mcpobs init --revert, then mcpobs init, writes the folders of this shell into the configuration"
    if landed[0] != here:
        line = f"{start.name} answers, and is recorded in {landed[0]}; commands of this shell read {here}"
        return Check(ABOUT, "warn", line, hint)
    if not _has_key(landed[0], key) and _has_key(landed[0], start.config):
        line = f"{start.name} answers, with digests by the key in {start.config}; that of this shell is in {key}"
        return Check(ABOUT, "warn", line, hint)
    return Check(ABOUT, "ok", f"{start.name} answers, and is recorded in {landed[0]}")


def _segments(lake: Path) -> set[str]:
    """Returns the segments with an operation of this client."""
    try:
        return {str(s.path) for s in backlog.segments(lake) if _CLIENT in safefile.read(s.path, _READ_BYTES)}
    except (McpobsError, OSError):
        return set()


def _has_key(lake: Path, config: Path) -> bool:
    try:
        return (config / "keys" / f"{keys.read_identity(lake)}.key").exists()
    except (McpobsError, OSError):
        return False


def _initialize(start: Start, deadline_s: float) -> str | None:
    """Returns why the server did not answer; None if it did. Its stderr goes to a file, which needs no reader."""
    cwd = start.cwd if start.cwd is not None and os.path.isdir(start.cwd) else start.env.get("HOME")
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            start.words, stdin=pipe, stdout=pipe, stderr=stderr, env=start.env, cwd=cwd, start_new_session=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = threading.Timer(deadline_s, process.kill)
        deadline.start()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(_HELLO).encode() + b"\n")
                process.stdin.flush()
            answered = any(_is_answer(line) for line in process.stdout)
            is_late = not deadline.is_alive()
            with suppress(BrokenPipeError):
                process.stdin.close()
            _end(process)
        finally:
            deadline.cancel()
            process.kill()
        if answered:
            return None
        stderr.seek(0)
        return f"{_LATE} {deadline_s:.0f} s" if is_late else last_line(stderr.read()) or "it ends"


def _end(process: subprocess.Popen[bytes]) -> None:
    for stop in (process.terminate, process.kill):
        try:
            process.wait(_LINGER_S)
            return
        except subprocess.TimeoutExpired:
            stop()


def _is_answer(line: bytes) -> bool:
    try:
        frame = json.loads(line)
    except ValueError:
        return False
    return isinstance(frame, dict) and frame.get("id") == 1 and ("result" in frame or "error" in frame)
