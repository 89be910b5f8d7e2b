"""`mcpobs doctor`: what it finds in a set-up that works, and in each that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mcpobs import keys
from mcpobs.detect.personal import engine
from mcpobs.segment import seal
from mcpobs.setup import export, fronted, installation, recording, storage
from mcpobs.setup.check import Check
from mcpobs.setup.clients import CURSOR, OTHER_JSON, Place
from mcpobs.setup.recording import Server
from tests.ports import free_port

HERE = str(Path(sys.executable).parent)
NOW_S = 1_800_000_000.0
ROW = (
    b'{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","start_unix_nano":1799999700000000000,'
    b'"duration_ns":5,"kind":"server","name":"x","method":"tools/call","tool":"x","outcome":"ok"}'
)


def _states(checks: Iterator[Check]) -> list[tuple[str, str]]:
    return [(check.state, check.line) for check in checks]


def _only(state: str, checks: Iterator[Check]) -> Check:
    (found,) = [check for check in checks if check.state == state]
    return found


# -- the installation -------------------------------------------------------------------------------------


def test_an_installation_that_works_has_nothing_that_fails() -> None:
    found = list(installation.check({"PATH": HERE}, f"{HERE}/mcpobs"))
    assert {check.state for check in found} <= {"ok", "warn"}
    assert any("duckdb" in check.line for check in found)


def test_doctor_names_the_decoder_in_use() -> None:
    used, unused = (
        next(
            check
            for check in installation.check({"PATH": HERE} | env, f"{HERE}/mcpobs")
            if "OTLP decoder" in check.line
        )
        for env in ({}, {"MCPOBS_OTLP_DECODER": "plain"})
    )

    assert (used.state == "ok") == used.line.endswith("in C is in use")
    assert unused.state == "warn"
    assert "not" in unused.line


def test_doctor_says_whether_the_linear_model_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def line() -> Check:
        found = installation.check({"PATH": HERE}, f"{HERE}/mcpobs")
        return next(check for check in found if "linear model" in check.line)

    monkeypatch.setattr(installation.model, "missing", lambda: None)
    assert line().state == "ok"
    monkeypatch.setattr(installation.model, "missing", lambda: "no such file")
    assert line().state == "warn"
    assert "is off" in line().line
    assert "C compiler" in str(line().hint)


def test_a_mcpobs_that_is_not_on_the_path_is_reported_with_its_folder(tmp_path: Path) -> None:
    found = installation.check({"PATH": str(tmp_path)}, f"{HERE}/mcpobs")
    check = next(c for c in found if "PATH" in c.line)
    assert (check.state, HERE in (check.hint or "")) == ("warn", True)


def test_another_mcpobs_on_the_path_is_reported(tmp_path: Path) -> None:
    other = tmp_path / "mcpobs"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    found = installation.check({"PATH": str(tmp_path)}, f"{HERE}/mcpobs")
    check = next(c for c in found if "PATH" in c.line)
    assert (check.state, str(other) in check.line) == ("warn", True)


# -- what lies on the disk --------------------------------------------------------------------------------


def _lake(tmp_path: Path) -> tuple[Path, Path]:
    """A lake with one operation and its key; and the configuration folder."""
    lake, config = tmp_path / "lake", tmp_path / "config"
    keys.digest_key(keys.open_folder(lake), config)
    _segment(lake, seal(ROW))
    return lake, config


def _segment(lake: Path, content: bytes) -> Path:
    path = lake / "spool/00000000000001-abcdef12.1.jsonl"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_sound_lake_says_when_it_was_last_written(tmp_path: Path) -> None:
    found = list(storage.check_lake(*_lake(tmp_path), NOW_S))
    assert {check.state for check in found} == {"ok"}
    assert found[-1].line == "1 operation, the last one 5 minutes ago"


def test_no_lake_yet_is_no_failure(tmp_path: Path) -> None:
    (check,) = storage.check_lake(tmp_path / "none", tmp_path, NOW_S)
    assert check.state == "warn"
    assert "mcpobs init" in (check.hint or "")


def test_a_lake_that_cannot_be_made_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (check,) = storage.check_lake(tmp_path / "file/lake", tmp_path, NOW_S)
    assert (check.state, "MCPOBS_LAKE" in (check.hint or "")) == ("fail", True)


def test_a_folder_of_something_else_is_one(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    (check,) = storage.check_lake(tmp_path, tmp_path, NOW_S)
    assert check.state == "fail"


def test_an_empty_lake_is_reported(tmp_path: Path) -> None:
    lake, config = _lake(tmp_path)
    _segment(lake, b"")
    assert "nothing is recorded" in _only("warn", storage.check_lake(lake, config, NOW_S)).line


@pytest.mark.parametrize("where", [".", "spool", "spool/00000000000001-abcdef12.1.jsonl", "lake.json"])
def test_files_that_others_may_read_are_reported(tmp_path: Path, where: str) -> None:
    lake, config = _lake(tmp_path)
    path = lake / where
    path.chmod(path.stat().st_mode | 0o040)
    check = _only("warn", storage.check_lake(lake, config, NOW_S))
    assert check.line.endswith(str(path))
    assert "chmod" in (check.hint or "")


def test_a_missing_key_is_reported(tmp_path: Path) -> None:
    lake, _ = _lake(tmp_path)
    assert "digest key" in _only("warn", storage.check_lake(lake, tmp_path / "elsewhere", NOW_S)).line


def test_a_key_that_is_damaged_fails(tmp_path: Path) -> None:
    lake, config = _lake(tmp_path)
    (key,) = (config / "keys").iterdir()
    key.write_text("not hex")
    assert str(key) in _only("fail", storage.check_lake(lake, config, NOW_S)).line


def test_a_key_that_others_may_read_fails(tmp_path: Path) -> None:
    _, config = _lake(tmp_path)
    (key,) = (config / "keys").iterdir()
    key.chmod(0o644)
    assert str(key) in _only("fail", storage.check_configuration(config)).line


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    lake, config = _lake(tmp_path)
    _segment(lake, seal(ROW) + b'{"torn\n{"torn too\n')
    assert "2 damaged lines" in _only("warn", storage.check_lake(lake, config, NOW_S)).line


def test_a_spool_that_nobody_commits_is_reported(tmp_path: Path) -> None:
    lake, config = _lake(tmp_path)
    path = _segment(lake, seal(ROW) * 20_000)
    os.utime(path, (NOW_S - 100_000, NOW_S - 100_000))
    assert _only("warn", storage.check_lake(lake, config, NOW_S)).hint == "mcpobs lake compact"
    os.utime(path, (NOW_S, NOW_S))
    assert {check.state for check in storage.check_lake(lake, config, NOW_S)} == {"ok"}


def test_a_wrong_configuration_fails_and_names_the_fault(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[price]\n")
    assert "'price'" in _only("fail", storage.check_configuration(tmp_path)).line
    (tmp_path / "config.toml").write_text("[prices]\nread = {model = 'no-such-model'}\n")
    assert "no price of the model 'no-such-model'" in _only("warn", storage.check_configuration(tmp_path)).line
    (tmp_path / "config.toml").write_text("[prices]\nsearch = 0.1\n")
    assert [s for s, _ in _states(storage.check_configuration(tmp_path))] == ["ok"]


def test_doctor_says_which_failures_have_a_text_and_what_masks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines() -> list[str]:
        return [check.line for check in storage.check_configuration(tmp_path) if "texts" in check.line]

    assert lines() == []
    (tmp_path / "config.toml").write_text('[servers.files.record]\nerrors = "masked"\n')
    assert lines() == ["texts of failures are recorded, of files: masked; masked with google-re2"]
    monkeypatch.setattr(engine, "LINEAR", False)
    assert "google-re2 is not installed" in lines()[0]


# -- the clients ------------------------------------------------------------------------------------------


def _place(tmp_path: Path, servers: dict[str, Any]) -> Place:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return Place(CURSOR, path)


def _wrapped(name: str, *command: str, program: str = f"{HERE}/mcpobs", **more: Any) -> dict[str, Any]:
    return {"command": program, "args": ["instrument", "--name", name, "--", *command], **more}


def test_servers_that_all_run_through_mcpobs_are_fine(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat"), "web": {"url": "https://example.com"}})
    ((state, line),) = _states(fronted.check([place], {"PATH": "/bin:/usr/bin"}))
    assert state == "ok"
    assert line.endswith("1 of 1 server through mcpobs, 1 more by HTTP")


def test_servers_that_do_not_are_named(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat"), "b": {"command": "cat"}})
    check = _only("warn", fronted.check([place], {"PATH": "/bin:/usr/bin"}))
    assert "1 of 2" in check.line
    assert "not yet: b; mcpobs init" in (check.hint or "")


def test_a_mcpobs_that_has_gone_fails(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat", program="/gone/mcpobs")})
    check = _only("fail", fronted.check([place], {"PATH": "/bin:/usr/bin"}))
    assert "/gone/mcpobs" in check.line
    assert "--revert" in (check.hint or "")


@pytest.mark.parametrize("through", [True, False])
def test_a_command_that_cannot_be_found_is_reported(tmp_path: Path, through: bool) -> None:
    entry = _wrapped("a", "no-such-server") if through else {"command": "no-such-server"}
    lines = [c.line for c in fronted.check([_place(tmp_path, {"a": entry})], {"PATH": "/bin"}) if c.state == "warn"]
    assert any("needs no-such-server" in line for line in lines)


def test_the_path_of_the_entry_is_the_one_that_counts(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat", env={"PATH": "/bin:/usr/bin"})})
    assert [s for s, _ in _states(fronted.check([place], {"PATH": "/nowhere"}))] == ["ok"]


def test_a_command_with_a_variable_is_not_looked_up(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "${HOME}/bin/server")})
    assert [s for s, _ in _states(fronted.check([place], {"PATH": "/bin:/usr/bin"}))] == ["ok"]


def test_a_server_whose_environment_breaks_its_stdout_fails(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat", env={"OTEL_TRACES_EXPORTER": "otlp,console"})})
    assert "OTEL_TRACES_EXPORTER=console" in _only("fail", fronted.check([place], {"PATH": "/bin:/usr/bin"})).line


def test_a_sandbox_around_mcpobs_is_reported(tmp_path: Path) -> None:
    place = _place(tmp_path, {"a": _wrapped("a", "cat", sandboxEnabled=True), "b": _wrapped("b", "cat")})
    assert "a runs in a sandbox" in _only("warn", fronted.check([place], {"PATH": "/bin:/usr/bin"})).line


def test_an_unreadable_configuration_fails_and_no_configuration_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert [s for s, _ in _states(fronted.check([Place(OTHER_JSON, tmp_path / "bad.json")], {}))] == ["fail"]
    assert [s for s, _ in _states(fronted.check([], {}))] == ["warn"]


# -- the way out ------------------------------------------------------------------------------------------


@contextmanager
def _answering(status: int, content: bytes = b"") -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """A server that answers everything alike, and what it was asked: the path and the size of the body."""
    asked: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            self.rfile.read(size)
            asked.append((self.path, size))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def _exported(monkeypatch: pytest.MonkeyPatch, collector: int | None = None, **variables: str) -> list[Check]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return list(export.check(os.environ, ("localhost", collector or free_port())))


def test_without_an_endpoint_nothing_leaves_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _exported(monkeypatch)
    assert {check.state for check in found} == {"ok"}
    assert "stay on this machine" in found[0].line


def test_an_endpoint_gets_an_empty_request_of_each_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(200) as (port, asked):
        found = _exported(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://localhost:{port}")
    assert {check.state for check in found} == {"ok"}
    assert asked == [("/v1/traces", 0), ("/v1/metrics", 0)]


def test_an_endpoint_that_refuses_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(401, b"no token") as (port, _):
        found = _exported(monkeypatch, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://localhost:{port}/v1/traces")
    (check,) = [check for check in found if check.state == "fail"]
    assert "401" in check.line


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_endpoint_where_nobody_listens_fails(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    endpoint = f"http://localhost:{free_port()}"
    variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    (check,) = [c for c in _exported(monkeypatch, **variables) if c.state == "fail"]
    assert endpoint in check.line
    assert check.hint


@pytest.mark.parametrize("variable", ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"])
@pytest.mark.parametrize("exporter", ["console", "otlp_json_file", "none, Console"])
def test_an_exporter_that_writes_to_stdout_fails(monkeypatch: pytest.MonkeyPatch, variable: str, exporter: str) -> None:
    found = _exported(monkeypatch, **{variable: exporter})
    (check,) = [check for check in found if check.state == "fail"]
    assert variable in check.line


def test_a_wrong_protocol_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    assert any("http/json" in c.line for c in _exported(monkeypatch, **variables) if c.state == "fail")


@pytest.mark.parametrize(
    ("status", "content", "state", "expected"),
    [
        (200, b'{"status": "ok"}', "ok", "`mcpobs collect` runs"),
        (200, b'{"status": "degraded", "trouble": "disk full"}', "warn", "disk full"),
        (404, b"404 page not found", "ok", "another program"),
        (200, b"[]", "ok", "another program"),
    ],
)
def test_a_collector_says_how_it_is(
    monkeypatch: pytest.MonkeyPatch, status: int, content: bytes, state: str, expected: str
) -> None:
    with _answering(status, content) as (port, _):
        found = _exported(monkeypatch, collector=port)
    assert found[-1].state == state
    assert expected in found[-1].line


# -- the self test ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [recording.ECHO, recording.SAMPLE], ids=["echo", "sample"])
def test_a_call_goes_through_mcpobs_and_the_report_has_it(server: Server, home: Path) -> None:
    check = recording.check({**os.environ, "OTEL_TRACES_EXPORTER": "console"}, server)
    assert (check.state, check.line.partition(" of ")[0]) == ("ok", "a call")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("no-such-program",), "no-such-program"),
        ((sys.executable, "-c", "import sys; sys.exit('out of order')"), "out of order"),
        (("sleep", "600"), "nothing within"),
    ],
)
def test_a_server_that_does_not_answer_fails_with_what_it_said(words: tuple[str, ...], expected: str) -> None:
    check = recording.check(os.environ, Server(words, "x"), deadline_s=4.0 if words[0] == "sleep" else 60.0)
    assert (check.state, expected in check.line) == ("fail", True)


# -- the command ------------------------------------------------------------------------------------------


def _doctor(cwd: Path, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", "doctor", *argv]
    env = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=env)


def test_a_new_machine_has_warnings_and_ends_with_0_and_nothing_is_written(home: Path, tmp_path: Path) -> None:
    shown = _doctor(tmp_path)
    assert shown.returncode == 0, shown.stdout
    assert "no lake" in shown.stdout
    assert shown.stdout.splitlines()[-1].endswith(", 0 failed")
    assert list(home.iterdir()) == []


def test_what_fails_ends_with_1_and_json_has_every_check(tmp_path: Path) -> None:
    shown = _doctor(tmp_path, "--json", OTEL_TRACES_EXPORTER="console")
    found = json.loads(shown.stdout)
    assert (shown.returncode, found["fail"]) == (1, 1)
    assert {check["about"] for check in found["checks"]} == {
        *("installation", "configuration", "lake", "clients", "export", "self test")
    }
    assert found["ok"] + found["warn"] + found["fail"] == len(found["checks"])
