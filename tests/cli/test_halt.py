"""`mcpobs halt` and `resume`, beside a wrapper that enforces: what is halted stops while it runs, and goes on again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.policy.evasions import call, raw

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "policy" / "evaded_server.py"
POLICY = "version: 1\nhalt_after_denials: off\nlimits: [{id: few, tools: [capped], per_session: 1, on_exceed: halt}]\n"
IDENTITY = '[identity]\nstatic = true\nprincipal = "ann"\ntenant = "acme"\n'


class Wrapper:
    """A wrapper that enforces, and the commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.config = folder / "lake", folder / "config"
        if not self.config.exists():
            self.config.mkdir(mode=0o700)
            (self.config / "config.toml").write_text(IDENTITY)
        policy = folder / "policy.yaml"
        policy.write_text(POLICY)
        options = ["--lake", str(self.lake), "--config", str(self.config), "--name", "shop", "--policy", str(policy)]
        command = [sys.executable, "-m", "mcpobs", "instrument", *options, "--", sys.executable, str(SERVER)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*command, str(folder / "seen")], stdin=pipe, stdout=pipe, cwd=ROOT)

    def __enter__(self) -> Wrapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)

    def code(self, tool: str, **meta: Any) -> str:
        """Why a call is denied, or `ok`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(raw(call(tool, meta=meta)) + b"\n")
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())["result"]
        return str(result.get("_meta", {}).get("mcpobs/decision", {}).get("code", "ok"))

    def mcpobs(self, *argv: str, code: int = 0) -> str:
        env = {"MCPOBS_CONFIG": str(self.config), "PATH": "", "HOME": str(self.lake)}
        command = [sys.executable, "-m", "mcpobs", *argv, "--lake", str(self.lake)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env, cwd=ROOT)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr


@pytest.mark.parametrize(
    "named", [("--tool", "search"), ("--principal", "ann"), ("--tenant", "acme"), ("--server", "shop")]
)
def test_a_halt_by_name_reaches_a_running_wrapper_and_ends_there(tmp_path: Path, named: tuple[str, str]) -> None:
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("search") == "ok"
        wrapper.mcpobs("halt", *named, "--reason", "ticket 812", "--by", "bob")
        assert wrapper.code("search") == "halted"
        assert wrapper.code("other") == ("ok" if named[0] == "--tool" else "halted")
        listed = wrapper.mcpobs("halt")
        assert f"{named[0][2:]} {named[1]}" in listed
        assert "by bob" in listed
        assert "ticket 812" in listed
        wrapper.mcpobs("resume", *named)
        assert wrapper.code("search") == "ok"
        assert wrapper.mcpobs("halt") == "nothing is halted\n"


def test_a_halt_survives_a_restart_and_stops_new_sessions_of_the_caller(tmp_path: Path) -> None:
    first = {"gen_ai.conversation.id": "one"}
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("other", **{"gen_ai.conversation.id": "open"}) == "ok"
        assert [wrapper.code("capped", **first) for _ in range(2)] == ["ok", "call_limit"]
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("other", **first) == "halted"
        assert wrapper.code("other", **{"gen_ai.conversation.id": "new"}) == "halted"
        assert wrapper.code("other", **{"gen_ai.conversation.id": "open"}) == "ok"
        (halt,) = json.loads(wrapper.mcpobs("halt", "--json"))["halts"]
        assert (halt["scope"], halt["session_id"], halt["tenant"], halt["name"]) == ("session", "one", "acme", "ann")
        wrapper.mcpobs("resume", "--session", "one")
        assert wrapper.code("other", **first) == "ok"
        assert wrapper.code("other", **{"gen_ai.conversation.id": "new"}) == "ok"
        assert wrapper.code("capped", **first) == "ok"  # it counts anew


def test_a_session_is_halted_by_its_id_in_the_lake(tmp_path: Path) -> None:
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("other", **{"gen_ai.conversation.id": "one"}) == "ok"
        assert "`mcpobs report sessions`" in wrapper.mcpobs("halt", "--session", "none", code=2)
        wrapper.mcpobs("halt", "--session", "one", "--for", "1h")
        assert wrapper.code("other", **{"gen_ai.conversation.id": "one"}) == "halted"


def test_what_is_not_halted_cannot_be_resumed(tmp_path: Path) -> None:
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("other") == "ok"
        assert "tool search is not halted" in wrapper.mcpobs("resume", "--tool", "search", code=2)
        assert "nothing is named" in wrapper.mcpobs("resume", code=2)
        assert "is not a duration" in wrapper.mcpobs("halt", "--tool", "x", "--for", "soon", code=2)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--reason", "ticket 812"), "nothing is named to halt"),
        (("--by", "bob"), "nothing is named to halt"),
        (("--for", "1h"), "nothing is named to halt"),
        (("--tool", ""), "--tool is empty"),
        (("--session", ""), "--session is empty"),
        (("--tool", "x", "--principal", ""), "--principal is empty"),
    ],
)
def test_a_halt_of_nothing_is_refused(tmp_path: Path, argv: tuple[str, ...], said: str) -> None:
    wrapper = Wrapper.__new__(Wrapper)
    wrapper.lake, wrapper.config = tmp_path / "lake", tmp_path / "config"
    assert said in wrapper.mcpobs("halt", *argv, code=2)


@pytest.mark.parametrize("named", [("--tool", "serch"), ("--server", "shopp")])
def test_a_halt_of_a_name_that_nobody_has_seen_is_in_force_with_a_warning(
    tmp_path: Path, named: tuple[str, str]
) -> None:
    with Wrapper(tmp_path) as wrapper:
        assert wrapper.code("search") == "ok"
        said = wrapper.mcpobs("halt", *named)
        assert f"warning: the lake has no {named[0][2:]} '{named[1]}'" in said
        assert f"did you mean '{named[1].replace('ser', 'sear').replace('pp', 'p')}'" in said
        assert f"{named[0][2:]} {named[1]}" in wrapper.mcpobs("halt")
    assert "warning" not in wrapper.mcpobs("halt", "--tool", "search", "--server", "shop")


def test_without_a_store_there_is_nothing_to_list(tmp_path: Path) -> None:
    wrapper = Wrapper.__new__(Wrapper)
    wrapper.lake, wrapper.config = tmp_path / "lake", tmp_path / "config"
    assert "no policy state at" in wrapper.mcpobs("halt", code=3)
