"""`mcpobs instrument --upstream`, as a process: what it says, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mcpobs.segment import scan
from tests.ports import free_port
from tests.proxy.http.test_identity import serving
from tests.proxy.http.world import call


def _front(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(tmp_path / "lake"), *arguments]
    env = {**os.environ, "MCPOBS_CONFIG": str(tmp_path / "config")}
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("option", ["--upstream", "--listen"])
def test_a_second_server_is_refused(tmp_path: Path, option: str) -> None:
    values = ("127.0.0.1:1", "127.0.0.1:2") if option == "--listen" else ("http://127.0.0.1:1", "http://127.0.0.1:2")
    given = [word for value in values for word in (option, value)]
    other = ("--upstream", "http://127.0.0.1:1") if option == "--listen" else ()
    front = _front(tmp_path, *given, *other)
    _, stderr = front.communicate(timeout=60)
    assert front.returncode == 2
    assert stderr == (
        f"mcpobs: error: {option} is given 2 times\n"
        "hint: start one `mcpobs instrument` for each server, with a port of its own\n"
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_on_a_signal_with_what_is_open_recorded(tmp_path: Path, how: int) -> None:
    with serving(b"hello") as url:
        upstream = url.removesuffix("/keys")
        front = _front(tmp_path, "--listen", f"127.0.0.1:{free_port()}", "--upstream", upstream, "--name", "shop")
        try:
            assert front.stderr is not None
            line = front.stderr.readline()
            assert line.startswith("mcpobs: passing http://127.0.0.1:")
            assert line.rstrip().endswith(f"on to {upstream}")
            place = line.split()[2]
            with urllib.request.urlopen(f"{place}/x", timeout=10) as response:
                assert response.read() == b"hello"
        finally:
            front.send_signal(how)
            assert front.wait(timeout=20) == 0
            assert front.stderr.read() == ""
            front.stderr.close()
    (file,) = (tmp_path / "lake" / "spool").iterdir()
    (row,) = (json.loads(line) for line in scan(file.read_bytes()).rows)
    assert (row["service_name"], row["http_status"], row["front"]) == ("shop", 200, "proxy/http")


def test_a_call_that_a_signal_finds_under_way_is_answered_and_recorded_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http://127.0.0.1:{silent.getsockname()[1]}"
        front = _front(tmp_path, "--listen", f"127.0.0.1:{free_port()}", "--upstream", upstream)
        assert front.stderr is not None
        place = urlsplit(front.stderr.readline().split()[2])
        client = HTTPConnection(str(place.hostname), place.port, timeout=60)
        client.request("POST", "/mcp", json.dumps(call("search", request_id=7)), {"Content-Type": "application/json"})
        asked, _ = silent.accept()
        with asked, closing(client):
            assert asked.recv(4)
            front.send_signal(signal.SIGTERM)
            answer = client.getresponse()
            assert (answer.status, json.loads(answer.read())["id"]) == (503, 7)
            assert front.wait(timeout=20) == 0
        assert front.stderr.read() == ""
        front.stderr.close()
    (file,) = (tmp_path / "lake" / "spool").iterdir()
    rows = [json.loads(line) for line in scan(file.read_bytes()).rows]
    rows = [row for row in rows if not row.get("pending")]  # after 5 s of patience the call has a pending row
    (row,) = (row for row in rows if row.get("method"))
    assert (row["tool"], row["outcome"], row["error_type"]) == ("search", "unfinished", "shutdown")
    assert len(rows) == 2  # with the request's own span


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "127.0.0.1:0"], "--listen needs --upstream"),
        (["--upstream", "ftp://x"], "'ftp://x' is no URL of a server"),
        (["--upstream", "http://x:y"], "is no URL of a server"),
        (["--upstream", "http://me:secret@x"], "has a user in its URL"),
        (["--upstream", "http://x", "--listen", "a:b"], "--listen 'a:b' is not HOST:PORT: 'b' is not a port"),
        (["--upstream", "http://x", "--listen", "1:2:3:4x"], "'1:2:3:4x' is not an IPv6 address"),
        (["--upstream", "http://x", "--listen", "99999"], "'99999' is not a port"),
        (["--upstream", "http://x", "--listen", ""], "--listen '' names no host"),
        (["--upstream", "http://x", "--", "cat"], "--upstream takes no command"),
        ([], "no server: COMMAND is missing"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line_with_a_hint(tmp_path: Path, arguments: list[str], said: str) -> None:
    front = _front(tmp_path, *arguments)
    _, err = front.communicate(timeout=20)
    assert front.returncode == 2
    assert said in err
    assert "secret" not in err
    assert len(err.splitlines()) == 2
    assert err.splitlines()[1].startswith("hint: ")


def test_the_configuration_is_held_to_its_keys(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for text, said in (
        ("[identity]\nissuer = 'x'", "[identity] has no jwks"),
        ("[identity]\nstatic = true", "names no principal"),
        ("[http]\nheaders = ['Authorization']", "carries a secret"),
        ("[http]\nheader = []", "unknown key 'header'"),
        ("[sessions]\nidle_gap_s = 'long'", "not a number of seconds"),
    ):
        (tmp_path / "config" / "config.toml").write_text(text)
        front = _front(tmp_path, "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0")
        _, err = front.communicate(timeout=20)
        assert (front.returncode, said in err) == (2, True), err
