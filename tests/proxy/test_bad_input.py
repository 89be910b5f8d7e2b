"""What is wrong is said in one line with a hint, on stderr; the server behind the wrapper is served all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpobs import keys, semconv
from tests.proxy.wrapped import INSTRUMENT, Wrapped, attributes, call, rows

needs_mount = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a tmpfs")


def _refused(*arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run([*INSTRUMENT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.stdout == b""
    return done.returncode, done.stderr.decode().splitlines()


def _said(lake: Path, options: tuple[str, ...] = ()) -> list[str]:
    """What the wrapper says while the server is used as ever."""
    with Wrapped(lake, options=options) as wrapped:
        for number in range(20):
            wrapped.send(call(number, "echo", a=number))
            assert wrapped.receive()["id"] == number
        wrapped.send(call("end", "exit", code=7))
        code, out, err = wrapped.leave()
        assert (code, out) == (7, b"")
        return err.decode().splitlines()


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "tmpfs"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("arguments", [[], ["--"], ["--lake"], ["--lake", "x"], ["--no-such-option", "--", "cat"]])
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str]) -> None:
    code, (error, hint) = _refused(*arguments)
    assert code == 2
    assert error.startswith("mcpobs: error: ")
    assert "--help" in hint


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, (error, hint) = _refused("--lake", str(tmp_path / "lake"), "--", "no-such-server", "--fast")
    assert (code, error) == (127, "mcpobs: error: cannot start 'no-such-server': no such command")
    assert "PATH" in hint
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(("content", "mode"), [("echo", 0o600), ("\0\1\2", 0o700), (None, 0o700)])
def test_a_command_that_is_no_program_is_named(content: str | None, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "server"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
        path.chmod(mode)
    code, (error, hint) = _refused("--lake", str(tmp_path / "lake"), "--", str(path))
    assert code == 126
    assert error.startswith(f"mcpobs: error: cannot start '{path}': ")
    assert "may be executed" in hint


def test_a_server_that_dies_at_once_leaves_its_own_words_and_code(tmp_path: Path) -> None:
    with Wrapped(tmp_path, ["sh", "-c", "echo no config >&2; exit 78"]) as wrapped:
        assert wrapped.leave() == (78, b"", b"no config\n")


def test_a_lake_below_a_file_is_warned_of_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lake = tmp_path / "file" / "lake"
    error, hint, end = _said(lake)
    assert error == (
        f"mcpobs: warning: nothing is recorded: cannot write to the lake at {lake}: Not a directory; the server goes on"
    )
    assert hint.startswith("hint: check the folder's permissions")
    assert end == "mcpobs: warning: 21 operations were not recorded: Not a directory"


def test_a_lake_on_a_file_system_without_files_is_warned_of_once() -> None:
    error, hint, end = _said(Path("/proc/self/lake"))
    assert error.startswith("mcpobs: warning: nothing is recorded: cannot write to the lake at /proc/self/lake: ")
    assert hint.startswith("hint: ")
    assert end.startswith("mcpobs: warning: 21 operations were not recorded: ")


@needs_mount
def test_a_read_only_lake_is_warned_of_once(tmpfs: Path) -> None:
    keys.open_folder(tmpfs / "lake")
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    error, hint, end = _said(tmpfs / "lake")
    assert error == f"mcpobs: warning: cannot record to {tmpfs / 'lake'}: Read-only file system; the server goes on"
    assert hint.startswith("hint: free some space or check the permissions")
    assert end == "mcpobs: warning: 21 operations were not recorded: Read-only file system"


@needs_mount
@pytest.mark.parametrize("before", [True, False], ids=["a lake", "no lake yet"])
def test_a_full_disk_is_warned_of_once_and_recording_resumes(before: bool, tmpfs: Path) -> None:
    lake = tmpfs / "lake"
    if before:
        keys.open_folder(lake)
    filler = tmpfs / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    with Wrapped(lake) as wrapped:
        wrapped.send(call(0, "echo"))
        assert wrapped.receive()["id"] == 0
        filler.unlink()
        number = 0
        while not rows(lake):  # it tries to open its segment once a second
            number += 1
            wrapped.send(call(number, "echo"))
            assert wrapped.receive()["id"] == number
        code, out, err = wrapped.leave()
        error, hint, end = err.decode().splitlines()
    assert (code, out) == (0, b"")
    assert "No space left on device" in error
    assert hint.endswith("recording resumes by itself, and counts what it lost")
    lost = sum(attributes(row)[semconv.LOST_OPERATIONS] for row in rows(lake) if row["name"] == semconv.LOSS_SPAN)
    assert end == f"mcpobs: warning: {lost} operations were not recorded: No space left on device"
    assert lost + [row["name"] for row in rows(lake)].count("tools/call echo") == number + 1


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\0\0", '{"id": "0123456789abcdef", "format": 2}', "[" * 100_000])
def test_a_lake_that_is_damaged_or_of_another_format_is_reported_and_left_alone(content: str, tmp_path: Path) -> None:
    (tmp_path / keys.LAKE_FILE).write_text(content)
    error, hint = _said(tmp_path)
    assert error.startswith("mcpobs: warning: nothing is recorded: ")
    assert ("is damaged" in error) == ("format" not in content)
    assert hint.startswith("hint: ")
    assert not (tmp_path / "spool").exists() or not list((tmp_path / "spool").iterdir())


def test_a_lake_whose_identity_is_no_text_is_damaged(tmp_path: Path) -> None:
    (tmp_path / keys.LAKE_FILE).write_bytes(b"\xff\xfe\0")
    error, _ = _said(tmp_path)
    assert error == f"mcpobs: warning: nothing is recorded: {tmp_path / keys.LAKE_FILE} is damaged; the server goes on"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"prices = [", "is not valid TOML"), (b"\xff", "is not valid TOML"), (b"price = 1", "unknown key 'price'")],
)
def test_a_damaged_configuration_costs_the_settings_and_not_the_records(
    content: bytes, words: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCPOBS_CONFIG", str(home))
    (home / "config.toml").write_bytes(content)
    error, *hint = _said(tmp_path / "lake")
    assert error.startswith("mcpobs: warning: the configuration is not used, the defaults hold: ")
    assert words in error
    assert all(line.startswith("hint: ") for line in hint)
    assert len(rows(tmp_path / "lake")) == 21


def test_a_configuration_folder_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCPOBS_CONFIG", str(tmp_path / "file" / "config"))
    assert _said(tmp_path / "lake") == []
    assert len(rows(tmp_path / "lake")) == 21


def test_a_working_directory_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone)]
    wrapper = [*INSTRUMENT, "--lake", str(tmp_path / "lake"), "--", "cat"]
    wrapper.insert(1, "-P")  # Python itself looks into the working directory otherwise
    done = subprocess.run([*command, *wrapper], input=call(1, "echo"), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, call(1, "echo"), b"")
