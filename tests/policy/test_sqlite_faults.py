"""What the shared file does if something is wrong with it: a StoreError that an operator can act on, and no grant."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mcpobs.policy.codes import Code
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Count, Halt, SessionKey, StoreError
from tests.policy.deciding import Desk
from tests.telemetry.faults import file_size_limit

WAIT_S = 0.05
SESSION = SessionKey("principal:a", "s")
SHARED = Count("calls", 1, None, scope="principal:a")
AS_ANOTHER = """
import os, sys
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import StoreError
os.setuid(4000001)
try: SqliteStore(sys.argv[1]).close()
except StoreError as error: print(error)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user or to mount")


@contextmanager
def opened(path: Path, wait_s: float = WAIT_S) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, wait_s)) as store:
        yield store


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expects a StoreError that has these words, and a hint."""
    with pytest.raises(StoreError, match=words) as raised:
        yield
    assert raised.value.hint
    assert raised.value.hint in str(raised.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "policy.db"


def counted(store: SqliteStore) -> int:
    return store.reserve(SESSION, [Count("calls", 0, None, scope="principal:a")]).counts[0].before


def take(store: SqliteStore) -> int:
    assert store.reserve(SESSION, [SHARED]).granted
    return counted(store)


EVERY_STEP: dict[str, Callable[[SqliteStore], object]] = {
    "reserve": lambda store: store.reserve(SESSION, [SHARED]),
    "denied": lambda store: store.denied(SESSION, "x", 3, None, "x"),
    "halt": lambda store: store.halt(Halt("tool", "search")),
    "resume": lambda store: store.resume("tool", "search"),
    "own": lambda store: store.own("ids", "a", ["1"], 1),
}
EVERY_LOOK: dict[str, Callable[[SqliteStore], object]] = {
    "facts": lambda store: store.facts(SESSION),
    "halted": lambda store: store.halted(SESSION),
    "halts": lambda store: store.halts(),
    "owner": lambda store: store.owner("ids", "1"),
}

# -- permissions ----------------------------------------------------------------------------------------------


def test_a_missing_folder_is_made_and_everything_in_it_is_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "policy.db"
    before = os.umask(0)
    try:
        with opened(path) as store:
            take(store)
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("policy.db", "policy.db-wal", "policy.db-shm", "policy.db-lock"), 0o600)
    assert (tmp_path / "a").stat().st_mode & 0o777 == (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def _link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "others can read it": (lambda path: path.chmod(0o640), "can be read or changed by others.*chmod 600"),
    "others can write it": (lambda path: path.chmod(0o602), "can be read or changed by others.*chmod 600"),
    "everybody can replace it": (lambda path: path.parent.chmod(0o777), "folder that others can change.*0700"),
    "a sticky folder": (lambda path: path.parent.chmod(0o1777), "folder that others can change.*0700"),
    "a link": (_link, "is no regular file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir(mode=0o700)), "is no regular file"),
    "a FIFO": (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "is no regular file"),
    "text": (lambda path: path.write_text("x" * 10_000), "is damaged.*backup"),
    "cut short": (lambda path: os.truncate(path, 5_000), "is damaged.*backup"),
    "another database": (lambda path: _sql(path, "pragma application_id = 7"), "belongs to another program"),
    "a newer version": (lambda path: _sql(path, "pragma user_version = 2"), "is of another version than 1.*update"),
}


def _sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_cannot_be_trusted_is_refused_when_it_is_opened(name: str, path: Path) -> None:
    spoil, words = UNUSABLE[name]
    with opened(path) as store:
        take(store)
    spoil(path)
    with refused(words), opened(path) as store:
        take(store)


def test_tables_of_another_program_are_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    _sql(path, "create table theirs (x)")
    with refused("tables of another program"):
        SqliteStore(path)


@as_root
@pytest.mark.parametrize(
    ("folder_of", "file_of", "words"),
    [
        (4_000_001, 4_000_002, "belongs to another user.*chown 4000001"),
        (4_000_002, 4_000_001, "folder that others can change"),
        (0, None, "cannot be opened: Permission denied"),
    ],
    ids=["file", "folder", "closed folder"],
)
def test_what_belongs_to_somebody_else_is_refused(folder_of: int, file_of: int | None, words: str) -> None:
    with tempfile.TemporaryDirectory() as root:  # that of pytest is closed to others
        os.chmod(root, 0o711)
        folder = Path(root) / "state"
        folder.mkdir(mode=0o755)
        path = folder / "policy.db"
        if file_of is not None:
            path.touch(0o600)
            os.chown(path, file_of, -1)
        os.chown(folder, folder_of, -1)
        got = subprocess.run([sys.executable, "-c", AS_ANOTHER, path], capture_output=True, text=True, check=True)
        with refused(words):
            raise StoreError(*got.stdout.strip().removesuffix(")").split(" (hint: "))


@as_root
def test_root_does_not_count_in_a_file_of_a_user(path: Path) -> None:
    with opened(path) as store:
        take(store)
    os.chown(path, 4_000_001, -1)
    with refused("belongs to another user.*run as that user"):
        SqliteStore(path)


# -- locked, full, damaged while it is in use ----------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_STEP)
def test_a_step_waits_for_a_lock_no_longer_than_it_may(name: str, path: Path) -> None:
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        before = take(store)
        other.execute("begin immediate")
        with refused("is locked by another process for more than 0.05 s.*fuser"):
            EVERY_STEP[name](store)
        assert store.facts(SESSION)  # readers do not wait
        other.execute("rollback")
        assert counted(store) == before
        EVERY_STEP[name](store)


def test_an_opener_waits_no_longer_than_it_may(path: Path) -> None:
    with opened(path) as store:
        take(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        with refused("is locked by another process"):
            SqliteStore(path, WAIT_S)


def test_beyond_a_limit_of_size_nothing_is_counted_until_there_is_room(path: Path) -> None:
    with opened(path) as store:
        take(store)
        granted = _until_full(store, path, Path(f"{path}-wal").stat().st_size + 300_000)
        assert counted(store) == granted + 1
        assert take(store) == granted + 2


def _until_full(store: SqliteStore, path: Path, size: int) -> int:
    granted = 0
    with file_size_limit(size), refused("cannot be read or written|disk is full"):
        while store.reserve(SessionKey("principal:a", f"s{granted % 200}"), [SHARED]).granted:
            granted += 1
    assert granted
    return granted


@as_root
def test_a_full_disk_counts_nothing_until_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("no mounts here")
    try:
        with opened(disk / "policy.db") as store:
            take(store)
            granted = 0
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(500_000))
            with refused("disk is full|cannot be read or written"):
                while store.reserve(SessionKey("principal:a", f"s{granted % 200}"), [SHARED]).granted:
                    granted += 1
            for step in (EVERY_STEP["halt"], EVERY_STEP["own"]):
                with refused("disk is full|cannot be read or written"):
                    step(store)
            ballast.unlink()
            assert counted(store) == granted + 1
            assert take(store) == granted + 2
            assert store.halts() == []
        with opened(disk / "policy.db") as store:
            assert counted(store) == granted + 2
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@as_root
def test_a_disk_that_became_read_only_grants_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("no mounts here")
    try:
        with opened(disk / "policy.db") as store:
            take(store)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with refused("cannot be (opened|written)"), opened(disk / "policy.db") as store:
            take(store)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_pages_that_were_overwritten_are_found(path: Path) -> None:
    with opened(path) as store:
        for number in range(300):
            store.reserve(SessionKey("principal:a", f"s{number}"), [SHARED, Count("own", 1, 5)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with refused("is damaged.*backup"), opened(path) as store:
        take(store)


@pytest.mark.parametrize("packed", [b"", b"x", b"12345678x", b"12345678" + b"y" * 17])
def test_a_counter_that_cannot_be_read_is_no_empty_counter(packed: bytes, path: Path) -> None:
    tools = Count("tools", 1, 5, scope="principal:a", member="m")
    with opened(path) as store:
        store.reserve(SESSION, [SHARED, tools])
        _sql(path, f"update counters set packed = x'{packed.hex()}'")
        for count in (SHARED, tools):
            if count is tools or len(packed) != 8:
                with refused("is damaged"):
                    store.reserve(SESSION, [count])


def test_a_newer_version_that_takes_the_file_over_stops_those_that_run(path: Path) -> None:
    with opened(path) as store:
        take(store)
        _sql(path, "alter table clock_v1 rename to clock_v2", "pragma user_version = 2")
        for step in (*EVERY_STEP.values(), *EVERY_LOOK.values()):
            with refused("is of another version than 1"):
                step(store)


# -- removed, replaced, restored ------------------------------------------------------------------------------


def test_a_removed_file_grants_nothing_until_there_is_one_again(path: Path) -> None:
    with opened(path) as store:
        take(store)
        path.unlink()
        for step in (*EVERY_STEP.values(), *EVERY_LOOK.values()):
            with refused("was removed while it was in use.*restart"):
                step(store)
        with opened(path) as begun_anew:
            take(begun_anew)
            assert take(store) == 2  # in the same file now


def test_a_removed_folder_grants_nothing(path: Path) -> None:
    with opened(path) as store:
        take(store)
        shutil.rmtree(path.parent)
        with refused("was removed while it was in use"):
            take(store)


def _backup(path: Path) -> Path:
    copy = path.with_name("backup")
    copy.touch(0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("pragma journal_mode = delete")
    return copy


def test_a_backup_that_is_restored_while_two_run_is_counted_on_by_both(path: Path) -> None:
    with opened(path) as one, opened(path) as two:
        assert [take(one), take(two), take(one)] == [1, 2, 3]
        copy = _backup(path)
        assert [take(one), take(two)] == [4, 5]
        before_ns = one.now_ns()
        copy.replace(path)
        assert [take(two), take(one), take(two)] == [4, 5, 6]
        assert one.now_ns() > before_ns
    with opened(path) as store:
        assert counted(store) == 6


def test_whoever_locks_the_file_that_was_replaced_locks_nobody(path: Path) -> None:
    with opened(path) as store:
        take(store)
        copy = _backup(path)
        take(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            copy.replace(path)
            with refused("is locked"):
                take(store)
            assert take(store) == 2
        assert take(store) == 3


def test_the_log_of_a_file_that_was_replaced_is_not_applied_to_its_backup(path: Path) -> None:
    code = (
        "import os, sys\nfrom tests.policy.test_sqlite_faults import *\n"
        "store = SqliteStore(sys.argv[1])\n"
        "for _ in range(int(sys.argv[2])): take(store)\nos.kill(os.getpid(), 9)"
    )
    for number in (3, 40):
        assert subprocess.run([sys.executable, "-c", code, path, str(number)]).returncode == -9
        if number == 3:
            copy = _backup(path)
    assert Path(f"{path}-wal").stat().st_size
    copy.replace(path)
    with opened(path) as store:
        assert [counted(store), take(store), take(store)] == [3, 4, 5]
    _sql(path, "pragma integrity_check")


def test_the_log_of_a_killed_process_is_applied(path: Path) -> None:
    code = (
        "import os, sys\nfrom tests.policy.test_sqlite_faults import *\n"
        "store = SqliteStore(sys.argv[1])\nfor _ in range(5): take(store)\n"
        "store.halt(Halt('tool', 'search'))\nstore.reserve(SESSION, [SHARED])\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == -9
    with opened(path) as store:
        assert counted(store) == 6
        assert [halt.name for halt in store.halts()] == ["search"]


HOLDER = """
import sys
from tests.policy.test_sqlite_faults import *
store = SqliteStore(sys.argv[1])
take(store)
print("open", flush=True)
sys.stdin.read(1)
if sys.argv[2] == "closes": store.close()
"""


@pytest.mark.parametrize("how", ["closes", "ends"])
def test_who_leaves_the_file_that_was_replaced_takes_nothing_of_the_new_one_along(how: str, path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, path, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        _backup(path).replace(path)
        with opened(path) as store:
            assert [take(store), take(store)] == [2, 3]
            holder.communicate(b"g", 60)
            assert holder.returncode == 0
            with opened(path) as other:
                assert [take(other), take(store), take(other)] == [4, 5, 6]
    with opened(path) as store:
        assert counted(store) == 6


def test_a_store_that_cannot_be_opened_keeps_no_lock(path: Path) -> None:
    with opened(path) as store:
        take(store)
    _sql(path, "drop table totals", "drop table clock_v1")
    with refused("is of another version"):
        SqliteStore(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma locking_mode = exclusive")
        connection.execute("begin exclusive")


# -- processes ------------------------------------------------------------------------------------------------


def test_a_forked_process_has_a_connection_of_its_own(path: Path) -> None:
    with opened(path, 30) as store:
        take(store)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if [take(store) for _ in range(20)] == list(range(2, 22)) else 2
                store.close()
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert take(store) == 22


def test_a_step_that_is_interrupted_counts_nothing(path: Path) -> None:
    with opened(path) as store:
        take(store)

        class Stopping(str):
            def encode(self, *_: str) -> bytes:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.reserve(SESSION, [SHARED, Count(Stopping("x"), 1, None)])
        assert take(store) == 2


def test_a_closed_store_refuses(path: Path) -> None:
    with opened(path) as store:
        take(store)
    for step in (*EVERY_STEP.values(), *EVERY_LOOK.values()):
        with pytest.raises(StoreError, match="closed"):
            step(store)
    assert not Path(f"{path}-wal").exists()


def test_only_who_uses_a_file_loads_sqlite() -> None:
    code = (
        "import sys, pkgutil, importlib, mcpobs.policy.memory, mcpobs.policy.store_thread, mcpobs.policy.state\n"
        "assert not {'sqlite3', '_sqlite3'} & set(sys.modules)\nimport mcpobs.policy.sqlite\n"
        "assert 'sqlite3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_denial_that_cannot_be_counted_is_one_all_the_same(path: Path) -> None:
    """Reading goes on while another process is in a transaction; counting the denial does not."""
    head = "version: 1\ndefault: allow\non_error: allow\n"
    policy = head + "rules: [{id: no, effect: deny, tools: [drop], args_schema: {type: object}, MODE}]"
    for mode, code in (("mode: log_only", None), ("mode: enforce", Code.DENIED)):
        with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
            desk = Desk(policy.replace("MODE", mode), store=store)
            other.execute("begin immediate")
            assert desk.ask("drop").lane.code == code
