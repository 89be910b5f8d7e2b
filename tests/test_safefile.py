"""Every file that mcpobs reads or writes: what kind of file it may be, who may change it, and which mode it has."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs import keys, safefile, temporary
from mcpobs.cli.collect import CollectOptions, read_options
from mcpobs.collector import tls
from mcpobs.collector.options import Certificates
from mcpobs.errors import McpobsError, UsageError
from mcpobs.lake import backlog, maintain, rolling, snapshot, writer
from mcpobs.lake.engine import connect
from mcpobs.lake.inspection import inspect
from mcpobs.lake.vacuum import vacuum
from mcpobs.lake.wal import Wal
from mcpobs.limits import file as limits_file
from mcpobs.prices import models
from mcpobs.proxy.http.identity import identify
from mcpobs.settings import IdentityConfig, load_config
from mcpobs.setup import files
from mcpobs.setup.backups import Backups
from tests.collector.certificates import Authority
from tests.lake.rows import numbers, parquet_files, row, segments, spooled

Reads = Callable[[Path], object]


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    """An open that waits for a FIFO is a failure, and not a test run that never ends."""

    def hung(number: int, frame: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def token_file(path: Path) -> object:
    given = CollectOptions(None, None, None, str(path), None, None, None, "1MiB", "2MiB")
    return read_options(given).tokens


def certificates(folder: Path) -> dict[str, Path]:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        Authority(folder, "authority").sign("localhost")
    return {
        "certificate": folder / "localhost.pem",
        "key": folder / "localhost.key",
        "client_ca": folder / "authority.pem",
    }


def tls_file(which: str) -> Reads:
    def load(path: Path) -> object:
        return tls.context_of(Certificates(**certificates(path.parent / "pki") | {which: path}), "http/1.1")

    return load


def config(path: Path) -> object:
    return load_config(path.parent)


def digest_key(path: Path) -> object:
    return keys.read_key(path)


def lake_file(path: Path) -> object:
    return keys.read_identity(path.parent)


def jwks(path: Path) -> object:
    return identify(IdentityConfig(jwks=str(path)), lambda _: None)


def backup(path: Path) -> object:
    return Backups(path.parent.parent).load(path.parent / "target")


READERS: dict[str, tuple[str, Reads, str]] = {
    # name: (file, reader, whose change is refused: "secret", "trusted" or "")
    "token file": ("tokens", token_file, "secret"),
    "TLS key": ("key.pem", tls_file("key"), "secret"),
    "TLS certificate": ("cert.pem", tls_file("certificate"), "trusted"),
    "TLS client CA": ("ca.pem", tls_file("client_ca"), "trusted"),
    "config.toml": ("config.toml", config, "trusted"),
    "JWKS": ("jwks.json", jwks, "trusted"),
    "limits": ("limits.yaml", limits_file.read, ""),
    "client configuration": ("mcp.json", files.read, ""),
}
KINDS = ("fifo", "socket", "device", "folder", "missing", "loop", "huge", "link to a fifo")


def make(kind: str, path: Path) -> None:
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "socket":
            server = socket.socket(socket.AF_UNIX)
            os.chdir(path.parent)  # a socket's name is short
            server.bind(path.name)
            server.close()
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case "link to a fifo":
            os.mkfifo(path.with_name("fifo"))
            path.symlink_to("fifo")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_not_small_and_regular_is_one_clear_error_and_never_hangs(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, load, _ = READERS[name]
    path = tmp_path / file
    make(kind, path)
    if (name, kind) == ("config.toml", "missing"):
        load(path)  # is an empty configuration
        return
    with pytest.raises(McpobsError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    said = {"fifo": "FIFO", "link to a fifo": "FIFO", "socket": "socket", "device": "device", "huge": "larger than"}
    assert said.get(kind, "") in caught.value.message


def whole(name: str, path: Path) -> None:
    """Makes a file of the kind that is fine."""
    pki = certificates(path.parent / "pki")
    content = {
        "token file": b"abc\n",
        "TLS key": pki["key"].read_bytes(),
        "TLS certificate": pki["certificate"].read_bytes(),
        "TLS client CA": pki["client_ca"].read_bytes(),
        "config.toml": b"",
        "JWKS": b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
        "limits": b"version: 1\n",
        "client configuration": b"{}",
    }[name]
    path.write_bytes(content)
    path.chmod(0o600)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o644, 0o604, 0o660, 0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_can_change_is_refused_as_far_as_it_decides_anything(
    name: str, mode: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, load, guard = READERS[name]
    folder = tmp_path / "given"
    folder.mkdir(mode=0o700)
    path = folder / file
    whole(name, path)
    path.chmod(mode)
    refused = mode & {"secret": 0o022, "trusted": 0o002, "": 0}[guard]
    if not refused:
        load(path)
        readable = guard == "secret" and name != "TLS key" and mode & 0o044
        assert ("can be read by others" in capsys.readouterr().err) == bool(readable)
        return
    with pytest.raises(UsageError) as caught:
        load(path)
    assert "changed by" in caught.value.message
    assert str(path) in caught.value.message
    assert (caught.value.hint or "").startswith("chmod ")


@pytest.mark.parametrize("name", [name for name, (_, _, guard) in READERS.items() if guard])
def test_a_file_in_a_folder_in_which_everybody_can_replace_it_is_refused(name: str, tmp_path: Path) -> None:
    file, load, _ = READERS[name]
    folder = tmp_path / "given"
    folder.mkdir(mode=0o700)
    whole(name, folder / file)
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="replace it"):
        load(folder / file)
    folder.chmod(0o1777)  # as /tmp
    load(folder / file)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_a_secret_of_another_user_is_refused_but_by_root() -> None:
    code = (
        "import os, sys\nfrom mcpobs import safefile\nos.setuid(4000001)\n"
        "try: safefile.read_secret(sys.argv[1], 100)\nexcept safefile.ExposedError as error: print(error.strerror)"
    )
    with tempfile.TemporaryDirectory() as folder:  # that of pytest is closed to others
        os.chmod(folder, 0o711)
        path = Path(folder) / "tokens"
        path.write_bytes(b"abc\n")
        path.chmod(0o644)
        os.chown(path, 4_000_000, -1)
        assert safefile.read_secret(path, 100) == (b"abc\n", "can be read by others")
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "it belongs to another user"


def test_the_command_ends_with_2_on_a_token_file_that_others_can_change(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("abc\n")
    path.chmod(0o666)
    argv = ["collect", "--token-file", str(path), "--lake", str(tmp_path / "lake")]
    done = subprocess.run([sys.executable, "-P", "-m", "mcpobs", *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == [f"hint: chmod 600 {path}"]


@given(content=st.binary(max_size=200), most=st.integers(0, 200))
def test_a_file_is_read_whole_or_not_at_all(
    content: bytes, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "some"
    path.write_bytes(content)
    if len(content) <= most:
        assert safefile.read(path, most) == content
    else:
        with pytest.raises(OSError, match="larger"):
            safefile.read(path, most)


def test_a_file_of_proc_is_read_though_it_says_that_it_is_empty() -> None:
    assert safefile.read("/proc/self/status", 1 << 20).startswith(b"Name:")
    with pytest.raises(OSError, match="larger"):
        safefile.read("/proc/self/status", 10)


# -- the lake ---------------------------------------------------------------------------------------------

OWN_FILES = ("commit.lock", "background.lock")
OWN_FOLDERS = ("spool", "spans", ".work", "wal")


@pytest.mark.parametrize("name", OWN_FILES)
@pytest.mark.parametrize("there", [True, False])
def test_a_file_of_the_lake_is_not_opened_through_a_link(name: str, there: bool, tmp_path: Path) -> None:
    lake, aim = tmp_path / "lake", tmp_path / "aim"
    for number in range(backlog.WORTH_SEGMENTS + 1):
        spooled(lake, [row(number)])
    if there:
        aim.write_text("mine")
    (lake / name).unlink(missing_ok=True)
    (lake / name).symlink_to(aim)
    assert backlog.committer_due(lake) == (name != "background.lock")
    if name == "commit.lock":
        with pytest.raises(McpobsError, match="symbolic link"):
            writer.commit(lake)
    assert aim.exists() == there
    assert not there or aim.read_text() == "mine"


@pytest.mark.parametrize("name", OWN_FOLDERS)
def test_nothing_is_written_or_deleted_behind_a_link_at_the_place_of_a_folder(name: str, tmp_path: Path) -> None:
    lake, aim = tmp_path / "lake", tmp_path / "aim"
    aim.mkdir()
    (aim / "precious").write_text("mine")
    if name == "spool":
        lake.mkdir()
    else:
        spooled(lake, [row(1)])
    (lake / name).symlink_to(aim)
    with pytest.raises((McpobsError, OSError), match="symbolic link"):
        Wal(lake) if name == "wal" else keys.open_folder(lake) if name == "spool" else writer.commit(lake)
    if name == "spool":
        losses: list[int] = []
        spool = new_spool_at(lake, losses)
        assert not spool.write(row(2))
        spool.close()
    assert [path.name for path in aim.iterdir()] == ["precious"]


def new_spool_at(lake: Path, losses: list[int]) -> object:
    from mcpobs.telemetry.spool import Spool

    return Spool(lake, lambda count, _: losses.append(count) or row(count))


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "socket", "link to a fifo", "link"])
def test_foreign_files_in_the_spool_are_ignored(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = tmp_path / "lake"
    spooled(lake, [row(1)])
    path = lake / "spool" / "0123456789abcd-00000000.1.jsonl"
    if kind == "link":
        secret = tmp_path / "secret"
        secret.write_bytes(segments(lake)[0].read_bytes())
        path.symlink_to(secret)
    else:
        make(kind, path)
    assert numbers(lake) == [1]
    assert writer.commit(lake).rows == 1
    assert not backlog.worth_committing(lake)
    assert inspect(lake).rows == 1
    assert path.is_symlink() or path.exists()


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "huge"])
def test_a_table_whose_files_are_no_files_is_an_error_or_left_out(kind: str, tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    writer.commit(tmp_path)
    (data,) = parquet_files(tmp_path)
    data.unlink()
    make(kind, data)
    assert numbers(tmp_path) == []  # left out and reported
    log = tmp_path / "spans" / "_delta_log" / f"{1:020d}.json"
    log.unlink()
    make(kind, log)
    with pytest.raises(McpobsError, match="cannot read"):
        numbers(tmp_path)


@pytest.mark.parametrize("name", ["lake.json"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "huge"])
def test_a_lake_file_that_is_no_file_is_an_error(name: str, kind: str, tmp_path: Path) -> None:
    make(kind, tmp_path / name)
    with pytest.raises(McpobsError):
        keys.open_folder(tmp_path)
    with pytest.raises(McpobsError):
        numbers(tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_folders_are_0700_and_files_0600_whatever_the_umask_is(umask: int, tmp_path: Path) -> None:
    root = tmp_path / "home" / "deep"
    lake, settings_folder = root / "lake", root / ".config" / "mcpobs"
    before = os.umask(umask)
    try:
        keys.digest_key(keys.open_folder(lake), settings_folder)
        spooled(lake, [row(1)])
        writer.commit(lake)
        maintain.compact(lake)
        Wal(lake).close()
        assert backlog.committer_due(lake) is False
        with backlog.turn(lake) as turn:
            assert turn is not None
        Backups(settings_folder).keep(tmp_path / "some.json", b"{}", b"{ }")
        models._keep(settings_folder, {"a": 1})
    finally:
        os.umask(before)
    found = [root.parent, *root.parent.rglob("*")]
    assert len(found) > 15
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    parent = tmp_path / ".config"
    parent.mkdir(mode=0o755)
    parent.chmod(0o755)
    keys.digest_key("0123456789abcdef", parent / "mcpobs")
    assert stat.S_IMODE(parent.stat().st_mode) == 0o755
    assert stat.S_IMODE((parent / "mcpobs").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("mode", "used", "said"), [(0o600, True, ""), (0o644, True, "read"), (0o666, False, "changed")]
)
def test_a_digest_key_that_others_can_change_is_not_used(mode: int, used: bool, said: str, tmp_path: Path) -> None:
    warnings: list[str] = []
    key = keys.digest_key("0123456789abcdef", tmp_path)
    path = tmp_path / "keys" / "0123456789abcdef.key"
    path.chmod(mode)
    assert (keys.digest_key("0123456789abcdef", tmp_path, warnings.append) == key) == used
    assert bool(warnings) == bool(said)
    assert all(said in warning and f"hint: chmod 600 {path}" in warning for warning in warnings)


@pytest.mark.parametrize("name", ["rollup", "rollup/old", "spans/date=2026-01-01"])
def test_what_lies_behind_a_link_in_the_lake_is_not_deleted(name: str, tmp_path: Path) -> None:
    lake, aim = tmp_path / "lake", tmp_path / "aim"
    (aim / "below").mkdir(parents=True)
    precious = [aim / "a.parquet", aim / "below" / "b.parquet"]
    for path in precious:
        path.write_text("mine")
        os.utime(path, (1, 1))
    spooled(lake, [row(1)])
    writer.commit(lake)
    (lake / name).parent.mkdir(exist_ok=True)
    (lake / name).symlink_to(aim)
    with connect() as connection:
        state = snapshot.load(lake / "spans", lambda: connection)
    vacuum(lake / "spans", state, grace_s=0.0)
    rolling.vacuum(lake, [], [], 0.0)
    assert all(path.exists() for path in precious)


def test_drafts_of_killed_processes_are_removed_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b"{}")
    old, young = tmp_path / ".mcp.json.0123456789ab", tmp_path / ".mcp.json.0123456789ac"
    others = [tmp_path / ".mcp.json.backup", tmp_path / ".other.json.0123456789ab", tmp_path / "mcp.json.0123456789ab"]
    for each in (old, young, *others):
        each.write_bytes(b"secret")
    for each in (old, *others):
        os.utime(each, (1, 1))
    files.replace(files.read(path), b"[]")
    assert not old.exists()
    assert all(each.exists() for each in (young, *others))


def test_a_draft_of_a_segment_whose_writer_was_killed_is_removed_by_a_committer(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    old, young, held = (tmp_path / "spool" / f".0123456789abcd-0000000{n}.1.jsonl" for n in range(3))
    for each in (old, young, held):
        each.write_bytes(b"")
    os.utime(old, (1, 1))
    os.utime(held, (1, 1))
    with held.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        writer.commit(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert held.exists()


# -- temporary folders ------------------------------------------------------------------------------------


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    pid, tail = dead_pid(), "0123456789ab"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    root = tmp_path / "tmp"
    root.mkdir()
    left = root / f"mcpobs-{pid}-{tail}"
    (left / "lake" / "spool").mkdir(parents=True)
    (left / "hot.jsonl").write_text("x")
    (left / "link").symlink_to(outside)
    kept = [
        root / f"mcpobs-{os.getpid()}-{tail}",  # alive
        root / f"mcpobs-{pid}-{tail}x",
        root / f"mcpobs-demo-{tail}",
        root / f"mcpobs-0-{tail}",
        root / f"other-{pid}-{tail}",
    ]
    for path in kept:
        path.mkdir()
    linked = root / f"mcpobs-{pid}-aaaaaaaaaaaa"
    linked.symlink_to(outside)
    file = root / f"mcpobs-{pid}-bbbbbbbbbbbb"
    file.write_text("x")
    if os.geteuid() == 0:
        kept.append(root / f"mcpobs-{pid}-cccccccccccc")
        kept[-1].mkdir()
        os.chown(kept[-1], 4_000_000, -1)  # another user's
    assert temporary.sweep(str(root)) == 1
    assert not left.exists()
    assert all(path.is_dir() for path in kept)
    assert linked.is_symlink()
    assert file.exists()
    assert (outside / "precious").exists()


def test_a_folder_whose_process_has_another_number_here_is_kept(tmp_path: Path) -> None:
    """In another PID namespace that shares the folder."""
    folder = temporary.make({"TMPDIR": str(tmp_path)})
    assert folder is not None
    alias = tmp_path / f"mcpobs-{dead_pid()}-0123456789ab"
    folder.rename(alias)
    assert temporary.sweep(str(tmp_path)) == 0
    assert alias.exists()


def test_a_killed_report_leaves_nothing_after_the_next_one(tmp_path: Path) -> None:
    lake, root = tmp_path / "lake", tmp_path / "tmp"
    root.mkdir()
    spooled(lake, [row(1)])
    code = (
        "import sys, os, signal; from pathlib import Path; from mcpobs.lake.reader import open_reading\n"
        "open_reading(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = {**os.environ, "TMPDIR": str(root)}
    subprocess.run([sys.executable, "-c", code, str(lake)], env=env, check=False)
    assert len(list(root.iterdir())) == 1
    report = [sys.executable, "-P", "-m", "mcpobs", "report", "latency", "--lake", str(lake)]
    subprocess.run(report, env=env, check=True, capture_output=True)
    assert list(root.iterdir()) == []


def test_two_readings_of_one_process_have_folders_of_their_own(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path)}
    one, other = temporary.make(env), temporary.make(env)
    assert one is not None
    assert other is not None
    temporary.remove(one)
    assert list(tmp_path.iterdir()) == [other]
    temporary.remove(other)
    descriptors = len(os.listdir("/dev/fd"))
    for _ in range(5):
        folder = temporary.make(env)
        assert folder is not None
        temporary.remove(folder)
    assert len(os.listdir("/dev/fd")) == descriptors


# -- configurations of clients ----------------------------------------------------------------------------


def test_a_configuration_behind_a_link_is_changed_where_it_lies(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_bytes(b"{}")
    link = tmp_path / "mcp.json"
    link.symlink_to(real)
    files.replace(files.read(link), b'{"a": 1}')
    assert link.is_symlink()
    assert json.loads(real.read_bytes()) == {"a": 1}
    assert [path.name for path in real.parent.iterdir()] == ["mcp.json"]


def test_a_fifo_that_somebody_writes_to_is_not_opened(tmp_path: Path) -> None:
    """The writer goes on to wait: it was not for us."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    opened = threading.Event()

    def write() -> None:
        os.close(os.open(fifo, os.O_WRONLY))
        opened.set()

    thread = threading.Thread(target=write)
    thread.start()
    with pytest.raises(OSError, match="FIFO"):
        safefile.read(fifo, 100)
    assert not opened.is_set()
    os.close(os.open(fifo, os.O_RDONLY))
    thread.join()


@pytest.mark.parametrize("below", ["lake", "deep/er/lake"])
def test_a_folder_that_cannot_be_made_is_one_error(below: str) -> None:
    with pytest.raises(OSError, match="No such file"):
        safefile.make_folder(Path("/proc/self") / below)


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OSError, match=r"exists|directory"):
            safefile.make_folder(path)
