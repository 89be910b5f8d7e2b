"""Owns mcpobs's settings. Reads the environment and config.toml; writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from mcpobs import safefile
from mcpobs.errors import UsageError, nearest
from mcpobs.folders import config_folder
from mcpobs.masking import carries_secret

if TYPE_CHECKING:
    from mcpobs.prices.book import Book

CONFIG_BYTES = 4 << 20
RUN_VARIABLE = "MCPOBS_RUN"


def run_label(given: str | None = None, env: Mapping[str, str] = os.environ) -> str | None:
    """Returns the label of the recorded traffic: `--run`, else MCPOBS_RUN; None without a label."""
    return given or env.get(RUN_VARIABLE) or None


PASSED_ON = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""Variables that every MCP client passes on to a server; most clients pass on no others."""


def passed_on(env: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment that a client gives to a server, without the entries of its configuration."""
    return {name: env[name] for name in PASSED_ON if name in env}


IDLE_GAP_VARIABLE = "MCPOBS_IDLE_GAP_S"
IDLE_GAP_S = 900.0
ACCEPT_OLDER_VARIABLE = "MCPOBS_ACCEPT_OLDER_THAN"
ACCEPT_AHEAD_VARIABLE = "MCPOBS_ACCEPT_AHEAD"
ACCEPT_OLDER_S = 7 * 86_400.0
ACCEPT_AHEAD_S = 3_600.0
_TABLES: Mapping[str, tuple[str, ...]] = {
    "prices": (),
    "servers": (),
    "sessions": ("idle_gap_s",),
    "http": ("headers",),
    "identity": ("jwks", "issuer", "audience", "principal", "tenant", "role", "static"),
    "collect": ("accept_older_than", "accept_ahead", "redact", "scrub"),
    "policy": ("files", "state"),
    "record": ("errors",),
}
"""The tables of config.toml and their keys; [prices] and [servers] have keys of the user's."""
ErrorTexts = Literal["off", "masked", "full"]
"""Which texts of failures are recorded: none, masked ones, or all but secrets."""
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
HEADERS = ("mcp-protocol-version", "mcp-method", "mcp-name", "x-forwarded-for", "forwarded", "x-request-id")
"""HTTP request headers that are recorded, besides User-Agent, unless the configuration names others."""


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """[identity] of config.toml: how a caller of the HTTP front is identified.

    Either by a verified JWT (`jwks` is a file or a URL; `principal`, `tenant` and `role` are then names of claims), or,
    with `static`, as one fixed identity for all callers.
    """

    jwks: str | None = None
    issuer: str | None = None
    audience: str | None = None
    principal: str = "sub"
    tenant: str = "tenant"
    role: str = "role"
    static: bool = False


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """[policy] of config.toml: the policy of all fronts, unless a front names its own."""

    files: tuple[str, ...] = ()
    """Policy and limits files, relative to the folder of config.toml."""
    state: str | None = None
    """Where counters are kept: a file that all processes share, or `memory`."""


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """[record] of config.toml: which content the fronts record."""

    errors: ErrorTexts = "off"
    """The text of a failure, its first line: none, `masked` (without personal data, secrets and long ids), or `full`
    (without secrets)."""
    servers: Mapping[str, ErrorTexts] = field(default_factory=dict)
    """[servers.NAME.record] errors: the same for one server."""

    def errors_of(self, server: str) -> ErrorTexts:
        return self.servers.get(server, self.errors)


def _no_prices() -> Book:
    from mcpobs.prices.book import Book  # takes 3 ms, not needed for a report or without a config.toml

    return Book()


@dataclass(frozen=True, slots=True)
class Config:
    """config.toml."""

    prices: Book = field(default_factory=_no_prices)
    """[prices] and [servers.NAME.prices]: the prices of calls."""
    idle_gap_s: float = IDLE_GAP_S
    """[sessions] idle_gap_s: the pause after which a caller without a session id begins a new session."""
    headers: tuple[str, ...] = HEADERS
    """[http] headers: the recorded request headers."""
    identity: IdentityConfig | None = None
    accept_older_than_s: float = ACCEPT_OLDER_S
    """[collect] accept_older_than: maximum time between a span's start and its later receipt."""
    accept_ahead_s: float = ACCEPT_AHEAD_S
    """[collect] accept_ahead: maximum time that a span may begin and end after its receipt."""
    redact: bool = False
    """[collect] redact: whether received spans are stored without content."""
    scrub: bool = False
    """[collect] scrub: whether received spans are stored without personal data and secrets."""
    policy: PolicyConfig = PolicyConfig()
    record: RecordConfig = field(default_factory=RecordConfig)
    """[record] and [servers.NAME.record]: the recorded content."""


def load_config(folder: Path | None = None, env: Mapping[str, str] = os.environ) -> Config:
    """Reads config.toml; a missing file is an empty configuration, an unknown key or a wrong value an error.

    MCPOBS_IDLE_GAP_S, MCPOBS_ACCEPT_OLDER_THAN and MCPOBS_ACCEPT_AHEAD override the file.
    """
    path = (folder or config_folder(env)) / "config.toml"
    try:
        raw = safefile.read_trusted(path, CONFIG_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        older_s, ahead_s = _accepted({}, path, env)
        return Config(idle_gap_s=_idle_gap({}, path, env), accept_older_than_s=older_s, accept_ahead_s=ahead_s)
    except safefile.ExposedError as error:
        raise UsageError(f"cannot use {path}: {error.strerror}", error.remedy) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check what it is, and its permissions") from None
    from decimal import Decimal

    from mcpobs import toml_versions  # takes 30 ms, only with a config.toml

    try:
        data = toml_versions.loads(raw.decode(), parse_float=Decimal)  # keeps every digit of a price
    except ValueError as error:  # of TOML, of UTF-8
        raise UsageError(f"{path} is not valid TOML: {error}", "correct that place") from None
    except RecursionError:
        raise UsageError(f"{path} is not valid TOML: nested too deeply", "correct that place") from None
    try:
        return _config(data, path, env)
    except UsageError as error:
        raise _with_line(error, path, raw.decode()) from None


def _config(data: Mapping[str, object], path: Path, env: Mapping[str, str]) -> Config:
    from mcpobs.prices.reading import read_book

    _known(data, tuple(_TABLES), f"{path}")
    collect = _table(data, "collect", path)
    _known(collect, _TABLES["collect"], f"{path}: [collect]")
    older_s, ahead_s = _accepted(collect, path, env)
    return Config(
        prices=read_book(_table(data, "prices", path), _table(data, "servers", path), f"{path}"),
        idle_gap_s=_idle_gap(_table(data, "sessions", path), path, env),
        headers=_headers(_table(data, "http", path), path),
        identity=_identity(_table(data, "identity", path), path) if "identity" in data else None,
        accept_older_than_s=older_s,
        accept_ahead_s=ahead_s,
        redact=_switch(collect, "redact", "without content", path),
        scrub=_switch(collect, "scrub", "without personal data and secrets", path),
        policy=_policy(_table(data, "policy", path), path),
        record=_record(_table(data, "record", path), _table(data, "servers", path), path),
    )


def _with_line(error: UsageError, path: Path, text: str) -> UsageError:
    """Returns an error about a file with the line that it is about, if there is one."""
    from mcpobs.config_line import line_of

    before, found, about = error.message.partition(f"{path}: ")
    line = line_of(about, text) if found and not before else None
    return error if line is None else UsageError(f"{error.message} (line {line})", error.hint)


def read_config(env: Mapping[str, str], warn: Callable[[str], None]) -> Config:
    """Reads config.toml for a front, which must serve calls even if the file is wrong: warns and returns the
    defaults."""
    try:
        return load_config(env=env)
    except UsageError as error:
        warn(
            f"the configuration is not used, the defaults hold: {error.message}"
            + (f"\nhint: {error.hint}" if error.hint else "")
        )
        return Config()


def _table(data: Mapping[str, object], name: str, path: Path) -> dict[str, object]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} must be a table", f"write [{name}] and its keys below it")
    return table


def _known(table: Mapping[str, object], keys: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in keys:
            raise UsageError(f"{where}: unknown key {name!r}", f"{_meant(name, keys)}known here: {', '.join(keys)}")


def _meant(name: str, keys: tuple[str, ...]) -> str:
    """Returns the table that has the key, else the most similar key, as the begin of a hint."""
    homes = [table for table, known in _TABLES.items() if name in known]
    if homes and keys == tuple(_TABLES):
        return f"write it below [{homes[0]}]; "
    close = nearest(name, keys)
    return f"did you mean {close}? " if close else ""


def _idle_gap(table: Mapping[str, object], path: Path, env: Mapping[str, str]) -> float:
    _known(table, _TABLES["sessions"], f"{path}: [sessions]")
    given = env.get(IDLE_GAP_VARIABLE)
    where = IDLE_GAP_VARIABLE if given else f"{path}: [sessions] idle_gap_s"
    try:
        gap_s = float(given or str(table.get("idle_gap_s", IDLE_GAP_S)))
    except ValueError:
        gap_s = 0
    if not 0 < gap_s < 1e7:
        raise UsageError(f"{where} is not a number of seconds", "write e.g. 900 for a quarter of an hour")
    return gap_s


def _accepted(table: Mapping[str, object], path: Path, env: Mapping[str, str]) -> tuple[float, float]:
    """Returns how long before and after its receipt a span may lie."""
    where = f"{path}: [collect]"
    older, ahead = env.get(ACCEPT_OLDER_VARIABLE), env.get(ACCEPT_AHEAD_VARIABLE)
    return (
        duration_s(older, ACCEPT_OLDER_VARIABLE)
        if older
        else duration_s(table.get("accept_older_than", "7d"), f"{where} accept_older_than"),
        duration_s(ahead, ACCEPT_AHEAD_VARIABLE)
        if ahead
        else duration_s(table.get("accept_ahead", "1h"), f"{where} accept_ahead"),
    )


def duration_s(given: object, where: str) -> float:
    """Parses a number of seconds, minutes, hours or days, e.g. 90s, 15m, 2h or 7d; up to ten years."""
    text = given.strip().lower() if isinstance(given, str) else ""
    number, factor = text[:-1], _SECONDS.get(text[-1:])
    if factor is None or not number.isdecimal() or not number.isascii() or len(number) > 9:
        raise UsageError(f"{where} {given!r} is not a duration", "write a number and s, m, h or d, e.g. 7d")
    seconds = int(number) * factor
    if not 0 < seconds <= 3_650 * 86_400:
        raise UsageError(f"{where} {given!r} must be from 1s to 3650d", "write e.g. 7d")
    return float(seconds)


def _headers(table: Mapping[str, object], path: Path) -> tuple[str, ...]:
    _known(table, _TABLES["http"], f"{path}: [http]")
    given = table.get("headers", HEADERS)
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise UsageError(f"{path}: [http] headers must be a list of names", 'write e.g. headers = ["x-request-id"]')
    names = tuple(name.lower() for name in given)
    for name in names:
        if carries_secret(name):
            raise UsageError(
                f"{path}: [http] headers names {name!r}, which carries a secret or arguments", "leave it out"
            )
    return names


def _switch(table: Mapping[str, object], key: str, stored: str, path: Path) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f"{path}: [collect] {key} must be true or false", f"true: spans are stored {stored}")
    return value


def _policy(table: Mapping[str, object], path: Path) -> PolicyConfig:
    where = f"{path}: [policy]"
    _known(table, _TABLES["policy"], where)
    files, state = table.get("files", []), table.get("state")
    if not isinstance(files, list) or not all(isinstance(name, str) and name for name in files):
        raise UsageError(f"{where} files must be a list of files", 'write e.g. files = ["policy.yaml"]')
    if state is not None and not (isinstance(state, str) and state):
        raise UsageError(f"{where} state must be a file, or memory", 'write e.g. state = "memory"')
    folder = path.parent
    return PolicyConfig(
        tuple(str(folder / Path(name).expanduser()) for name in files),
        state if state in (None, "memory") else str(folder / Path(state).expanduser()),
    )


def _record(table: Mapping[str, object], servers: Mapping[str, object], path: Path) -> RecordConfig:
    own: dict[str, ErrorTexts] = {}
    for server, given in servers.items():
        if isinstance(given, dict) and "record" in given:
            own[server] = _errors(given["record"], f"{path}: [servers.{server}.record]")
    return RecordConfig(_errors(table, f"{path}: [record]"), own)


def _errors(table: object, where: str) -> ErrorTexts:
    if not isinstance(table, dict):
        raise UsageError(
            f"{where} must be a table", f'write {where.rpartition(": ")[2]} and errors = "masked" below it'
        )
    _known(table, _TABLES["record"], where)
    value: ErrorTexts = table.get("errors", "off")
    if value not in get_args(ErrorTexts):
        raise UsageError(
            f"{where} errors must be one of {', '.join(get_args(ErrorTexts))}",
            "masked: without personal data, secrets and long ids; full: without secrets",
        )
    return value


def _identity(table: Mapping[str, object], path: Path) -> IdentityConfig:
    where = f"{path}: [identity]"
    _known(table, _TABLES["identity"], where)
    static = table.get("static", False)
    texts = {key: value for key, value in table.items() if key != "static"}
    for key, value in texts.items():
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where} {key} must be a text", f'write e.g. {key} = "..."')
    if not isinstance(static, bool):
        raise UsageError(f"{where} static must be true or false", "true: every caller is the principal named here")
    if static and "principal" not in table:
        raise UsageError(f"{where} is static and names no principal", 'write principal = "who it is"')
    if not static and "jwks" not in table:
        raise UsageError(f"{where} has no jwks", "name the file or the URL with the keys that sign the tokens")
    if static:  # a field without a value is unknown, not a claim name
        texts = {"tenant": "", "role": "", **texts}
    return IdentityConfig(static=static, **texts)  # type: ignore[arg-type]
