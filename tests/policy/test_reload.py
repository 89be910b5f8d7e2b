"""A policy that changes while a front runs: taken as one step, refused loudly if it is wrong, and never missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.engine import Engine
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.model import Policy
from mcpobs.policy.reload import Reloader
from tests.ports import free_port

A = "version: 1\nrules:\n- {id: a, effect: allow, tools: [a]}\n"
B = "version: 1\nrules:\n- {id: b, effect: allow, tools: [b]}\n"
WRONG = "version: 1\nrules:\n- {id: b, efect: allow, tools: [b]}\n"
DEADLINE_S = 30


class Watched:
    """A reloader of a file, with what it took and what it said."""

    def __init__(self, path: Path, settle: Callable[[], bool] = lambda: False) -> None:
        self.taken: list[Policy] = []
        self.said: list[str] = []
        self.warned: list[str] = []
        policy = file.load([path])
        self.reloader = Reloader(
            [str(path)], policy, self.taken.append, say=self.said.append, warn=self.warned.append, settle=settle
        )

    @property
    def ids(self) -> list[str]:
        return [policy.layers[0].rules[0].id for policy in self.taken]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(A)
    return path


def test_a_file_that_did_not_change_is_taken_no_second_time(path: Path) -> None:
    watched = Watched(path)
    assert [watched.reloader.look() for _ in range(3)] == [False] * 3
    path.write_text(A)
    assert not watched.reloader.look()
    assert (watched.taken, watched.said, watched.warned) == ([], [], [])


def test_a_change_is_taken_once_and_both_hashes_are_said(path: Path) -> None:
    watched = Watched(path)
    old = file.load([path]).hash
    path.write_text(B)
    assert watched.reloader.look()
    assert not watched.reloader.look()
    assert watched.ids == ["b"]
    assert watched.said == [f"policy {file.load([path]).hash} is in force, in place of {old}: {path}"]


@pytest.mark.parametrize("wrong", [WRONG, "", "version: 1\nrules:\n- {id: b, effect: allow, tools: [b]\n", "\xff"])
def test_a_wrong_file_is_refused_once_with_its_line_and_a_right_one_is_taken_after_it(path: Path, wrong: str) -> None:
    watched = Watched(path)
    path.write_bytes(wrong.encode("latin-1"))
    assert [watched.reloader.look() for _ in range(3)] == [False] * 3
    (warning,) = watched.warned
    assert "is refused, and " in warning
    assert str(path) in warning
    assert wrong != WRONG or f"{path}:3: rules[0].efect: unknown key" in warning
    path.write_text(B)
    assert watched.reloader.look()
    assert watched.ids == ["b"]
    path.write_bytes(wrong.encode("latin-1"))
    watched.reloader.look()
    assert len(watched.warned) == 2


def test_a_file_that_is_deleted_stays_in_force_until_it_is_back(path: Path) -> None:
    watched = Watched(path)
    path.unlink()
    assert [watched.reloader.look() for _ in range(2)] == [False] * 2
    (warning,) = watched.warned
    assert f"cannot read {path}: No such file or directory" in warning
    path.write_text(A)
    assert not watched.reloader.look()
    path.unlink()
    watched.reloader.look()
    assert len(watched.warned) == 2
    assert watched.taken == []


def test_what_is_not_written_to_its_end_is_not_taken(path: Path) -> None:
    rest = ["- {id: c, effect: deny, tools: [c]}\n"]

    def goes_on() -> bool:
        if rest:
            path.write_text(path.read_text() + rest.pop())
        return False

    watched = Watched(path, goes_on)
    path.write_text(B)
    assert not watched.reloader.look()
    assert watched.reloader.look()
    assert [len(policy.layers[0].rules) for policy in watched.taken] == [2]


def test_an_editor_that_replaces_the_file_leaves_no_gap(path: Path) -> None:
    """It moves the old file away, writes the new one beside, and renames it."""
    gone = threading.Event()

    def is_back() -> bool:
        if not gone.is_set():
            gone.set()
            (path.parent / ".new").write_text(B)
            os.replace(path.parent / ".new", path)
        return False

    watched = Watched(path, is_back)
    path.rename(path.with_suffix(".bak"))
    assert not watched.reloader.look()
    assert watched.reloader.look()
    assert (watched.ids, watched.warned) == (["b"], [])


def test_a_volume_that_swaps_a_link_is_taken(tmp_path: Path) -> None:
    """As a mounted ConfigMap does: policy.yaml → ..data/policy.yaml, and ..data → a folder of its own."""
    for name, content in (("v1", A), ("v2", B)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(content)
        os.utime(tmp_path / name / "policy.yaml", (1, 1))
    (tmp_path / "..data").symlink_to("v1")
    path = tmp_path / "policy.yaml"
    path.symlink_to("..data/policy.yaml")
    watched = Watched(path)
    assert not watched.reloader.look()
    (tmp_path / "..next").symlink_to("v2")
    os.replace(tmp_path / "..next", tmp_path / "..data")
    assert watched.reloader.look()
    assert watched.ids == ["b"]


def test_a_second_write_within_one_tick_of_the_clock_is_taken(path: Path) -> None:
    watched = Watched(path)
    status = path.stat()
    watched.reloader.look()
    path.write_text(B)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert watched.reloader.look()
    assert watched.ids == ["b"]


def decided(engine: Engine, tool: str) -> tuple[str, bool]:
    facts = CallFacts("tools/call", kind="tool", target=tool, arguments={}, enforcement_key="k", session_id=tool)
    decision = engine.begin(facts)
    return decision.policy_hash, not decision.lane.denies


def test_every_call_during_reloads_is_decided_by_one_policy_whole(path: Path) -> None:
    policies = [file.of_texts([(text.encode(), "policy.yaml")]) for text in (A, B)]
    allowed = {(policy.hash, tool): tool == name for policy, name in zip(policies, "ab", strict=True) for tool in "ab"}
    engine = Engine(policies[0], MemoryStore(), "s")
    taken = threading.Semaphore(0)

    def use(policy: Policy) -> None:
        engine.use(policy)
        taken.release()

    reloader = Reloader(
        [str(path)], policies[0], use, say=lambda _: None, warn=lambda _: None, look_s=0.001, settle=lambda: False
    )
    ended = threading.Event()
    seen: list[tuple[str, str, bool]] = []

    def hammer() -> None:
        while not ended.is_set():
            for tool in "ab":
                hash_, passed = decided(engine, tool)
                seen.append((hash_, tool, passed))

    calls = threading.Thread(target=hammer)
    reloader.start()
    calls.start()
    try:
        for text in (B, A) * 10:
            (path.parent / ".new").write_text(text)
            os.replace(path.parent / ".new", path)
            assert taken.acquire(timeout=DEADLINE_S)
    finally:
        ended.set()
        calls.join()
        reloader.stop()
    assert {hash_ for hash_, _, _ in seen} == {policy.hash for policy in policies}
    assert [one for one in seen if allowed[one[0], one[1]] != one[2]] == []


def test_counters_go_on_after_a_reload() -> None:
    limited = "version: 1\nlimits:\n- {id: x, tools: [a], per_session: 2}\n"
    engine = Engine(file.of_texts([(limited.encode(), "p")]), MemoryStore(), "s")
    assert [decided(engine, "a")[1] for _ in range(2)] == [True, True]
    engine.use(file.of_texts([(b"# edited\n" + limited.encode(), "p")]))
    assert not decided(engine, "a")[1]


_SIGNALLED = """
import os, signal, sys, threading
from mcpobs.policy import file
from mcpobs.policy.reload import Reloader
path = sys.argv[1]
Reloader([path], file.load([path]), print).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # as the wrapper does, after the policy is read
os.kill(os.getpid(), signal.SIGTERM)
print(signal.sigwait({signal.SIGTERM}).name)
"""


def test_signals_stay_the_fronts(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SIGNALLED, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "SIGTERM\n"), done.stderr


_FORKED = """
import os, sys, threading
from mcpobs.policy import file
from mcpobs.policy.reload import Reloader
path = sys.argv[1]
taken = threading.Event()
Reloader([path], file.load([path]), lambda policy: taken.set(), say=print, look_s=0.01).start(after_fork=True)
child = os.fork()
if child == 0:
    open(path, "w").write(sys.argv[2])
    os._exit(0 if taken.wait(30) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_that_is_forked_off_goes_on_watching(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, str(path), B], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr


class Front(Protocol):
    """A running front with a server behind it that has the tools of the policies."""

    process: subprocess.Popen[bytes]

    def passes(self, tool: str) -> bool: ...


class Stdio:
    """The wrapper, or the server's own process, over pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._ids = count(1)
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        self._ask("initialize", client)
        self._send({"method": "notifications/initialized"})

    def passes(self, tool: str) -> bool:
        return "result" in self._ask("tools/call", {"name": tool, "arguments": {}})

    def _ask(self, method: str, params: dict[str, object]) -> dict[str, object]:
        id_ = next(self._ids)
        self._send({"id": id_, "method": method, "params": params})
        assert self.process.stdout is not None
        while (answer := json.loads(self.process.stdout.readline())).get("id") != id_:
            pass
        return dict(answer)

    def _send(self, frame: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
        self.process.stdin.flush()


class Upstream(BaseHTTPRequestHandler):
    """Answers every request with a result."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": [], "resultType": "complete"}}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Http:
    """The proxy in front of an HTTP server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}/mcp"

    def passes(self, tool: str) -> bool:
        frame = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        request = urllib.request.Request(self._url, json.dumps(frame).encode(), headers)
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answered:
            return "result" in json.load(answered)


SHOP = [sys.executable, "-m", "mcpobs.sample.server"]


@contextmanager
def running(kind: str, policy: Path, folder: Path) -> Iterator[Front]:
    options = ["--lake", str(folder / "lake"), "--policy", str(policy)]
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "mcpobs", "instrument", *options]
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        port = free_port()
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        behind = f"http://127.0.0.1:{upstream.server_address[1]}"
        words = {
            "wrapper": ["--", *SHOP],
            "in-process": ["--in-process", "--", *SHOP],
            "http": ["--listen", f"127.0.0.1:{port}", "--upstream", behind],
        }[kind]
        with subprocess.Popen([*command, *words], stdin=pipe, stdout=pipe, stderr=pipe) as process:
            try:
                if kind == "http":
                    _until(process, b"http://")
                yield Http(process, port) if kind == "http" else Stdio(process)
            finally:
                process.kill()
                upstream.shutdown()


def _until(process: subprocess.Popen[bytes], words: bytes) -> str:
    """The first line of stderr with some words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line.decode()
    raise AssertionError(f"no {words!r}")


@pytest.mark.parametrize("kind", ["wrapper", "in-process", "http"])
def test_a_running_front_takes_a_changed_policy_and_keeps_it_when_the_next_is_wrong(
    kind: str, path: Path, tmp_path: Path
) -> None:
    def allow(tool: str) -> None:
        path.write_text(f"version: 1\nrules:\n- {{id: a, effect: allow, tools: [{tool}]}}\n")

    allow("list_products")
    with running(kind, path, tmp_path) as front:
        assert front.passes("list_products")
        assert not front.passes("search_orders")
        allow("search_orders")
        _until(front.process, b" is in force, in place of ")
        assert not front.passes("list_products")
        assert front.passes("search_orders")
        path.write_text(WRONG)
        warning = _until(front.process, b"stays in force: ")
        assert f"{path}:3: rules[0].efect: unknown key" in warning
        assert front.passes("search_orders")
