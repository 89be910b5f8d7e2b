"""A segment that cannot be committed is set aside and blocks no other. The environment sets nothing aside."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.errors import LakeError
from mcpobs.keys import open_folder
from mcpobs.lake import backlog, hot, memory, quarantine, received, storing, writer
from mcpobs.lake.backlog import SPOOL, WAL, Found
from mcpobs.lake.inspection import inspect
from mcpobs.lake.maintain import compact
from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.otlp.request import Body
from mcpobs.lake.reader import open_reading
from mcpobs.lake.retry import retry
from mcpobs.lake.wal import Wal
from tests.lake.rows import numbers, row, spooled
from tests.lake.test_lake_commands import mcpobs
from tests.sending import request

NO_REQUEST = b"\x0a\xff no protobuf"
FRAMED_BYTES = 22  # of NO_REQUEST in a segment


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


def _logged(lake: Path, *bodies: bytes) -> str:
    """Writes a segment of the log; its name."""
    log = Wal(lake)
    log.append(bodies)
    log.close()
    return max(found.path.name for found in backlog.segments(lake, WAL))


def _ids(lake: Path) -> set[str]:
    with open_reading(lake) as reading:
        found = [row[0] for row in reading.connection.execute("select span_id from spans").fetchall()]
    assert len(found) == len(set(found))
    return set(found)


def _deadly(spans: int = 3) -> tuple[bytes, set[str]]:
    body, ids = request(spans)
    return body.replace(b"tools/call t", b"deadly calls"), ids


def _die_once(lake: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.lake.dying_committer", str(lake)], timeout=120)
    assert done.returncode == -signal.SIGKILL


# -- requests and segments that fail ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_request_that_cannot_be_decoded_is_set_aside_alone(lake: Path, place: int) -> None:
    (one, ids), (two, others) = request(5), request(6)
    bodies = [one, two]
    bodies.insert(place, NO_REQUEST)
    name = _logged(lake, *bodies)
    later, more = request(7)
    _logged(lake, later)

    done = writer.commit(lake)

    assert (done.rows, done.set_aside) == (18, 1)
    assert _ids(lake) == ids | others | more
    (aside,) = quarantine.listed(lake)
    assert aside.path == lake / "quarantine" / name
    assert "not a valid protobuf message" in aside.why
    assert aside.size_bytes == 8 + len(NO_REQUEST)
    assert backlog.segments(lake, WAL) == []


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kinds=st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=4))
def test_whatever_is_mixed_all_that_can_be_committed_is(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[list[bool]]
) -> None:
    """Segments of good (True) and bad requests in any order."""
    lake = tmp_path_factory.mktemp("lake")
    open_folder(lake)
    wanted: set[str] = set()
    for segment in kinds:
        bodies = []
        for good in segment:
            body, ids = request(2)
            bodies.append(body if good else NO_REQUEST)
            wanted |= ids if good else set()
        _logged(lake, *bodies)

    writer.commit(lake)

    assert _ids(lake) == wanted
    assert len(quarantine.listed(lake)) == sum(not all(segment) for segment in kinds)
    assert not (lake / quarantine.ATTEMPT_FILE).exists()


def _mixed(deadly: set[int], spans: int = 40) -> tuple[bytes, list[str]]:
    """A request with those spans deadly; the ids of all, in order."""
    message = ExportTraceServiceRequest.FromString(request(spans)[0])
    found = message.resource_spans[0].scope_spans[0].spans
    message.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "billing"
    for number in deadly:
        found[number].name = "deadly"
    return message.SerializeToString(), [span.span_id.hex() for span in found]


class _Failing(received.Receiving):
    """Fails on requests with a word in them, as an engine that finds something it cannot do."""

    error: Exception = duckdb.ConversionException("Conversion Error: no such value")

    def write(self, *args: Any, **options: Any) -> Any:
        if self._failing:
            raise self.error
        return super().write(*args, **options)

    def take(
        self, bodies: Sequence[Body], received_unix_nano: int, *, redact: bool = False, scrub: bool = False
    ) -> None:
        super().take(bodies, received_unix_nano, redact=redact, scrub=scrub)
        self._failing = any(b"deadly" in bytes(body) for body in bodies)


@pytest.mark.parametrize(
    "error",
    [
        duckdb.ConversionException("Conversion Error: no such value"),
        duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block of size 3 MiB (160 MiB used)"),
        duckdb.InternalException("INTERNAL Error: attempted to access index 5"),
        MemoryError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        RecursionError("maximum recursion depth exceeded"),
        OverflowError("int too large"),
        KeyError("column"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_fails_in_any_way_is_set_aside_and_the_next_are_stored(
    lake: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(received, "Receiving", _Failing)
    monkeypatch.setattr(_Failing, "error", error)
    good, ids = request(5)
    _logged(lake, good, _deadly()[0])
    later, more = request(6)
    _logged(lake, later)

    writer.commit(lake)

    assert _ids(lake) == ids | more
    (aside,) = quarantine.listed(lake)
    assert type(error).__name__ in aside.why or aside.why == "out of memory"


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deadly=st.sets(st.integers(0, 39), min_size=1, max_size=3))
def test_a_span_that_fails_hides_no_other_of_its_request(
    tmp_path_factory: pytest.TempPathFactory, deadly: set[int]
) -> None:
    lake = tmp_path_factory.mktemp("lake")
    open_folder(lake)
    body, ids = _mixed(deadly)
    _logged(lake, body)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(received, "Receiving", _Failing)
        writer.commit(lake)

    bad = {ids[number] for number in deadly}
    assert _ids(lake) == set(ids) - bad
    with open_reading(lake) as reading:
        assert reading.connection.execute("select distinct service_name from spans").fetchall() == [("billing",)]
    assert retry(lake).rows == len(bad)
    assert _ids(lake) == set(ids)


def test_the_search_for_spans_that_fail_has_an_end(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "Receiving", _Failing)
    monkeypatch.setattr(storing, "MOST_DIVISIONS", 3)
    body, ids = _mixed(set(range(40)))
    good, more = request(5)
    _logged(lake, body, good)

    done = writer.commit(lake)

    assert (done.rows, done.set_aside) == (5, 1)
    assert _ids(lake) == more
    monkeypatch.undo()
    assert retry(lake).rows == len(ids)


@pytest.mark.parametrize("memory_bytes", [None, 1 << 40])
@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryError()], ids=str)
def test_a_lack_of_memory_in_the_process_alone_is_the_fault_of_what_it_works_on(
    lake: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, memory_bytes: int | None
) -> None:
    monkeypatch.setattr(received, "Receiving", _Failing)
    monkeypatch.setattr(_Failing, "error", error)
    monkeypatch.setattr(memory, "of_machine_bytes", lambda: memory_bytes)
    body, ids = _mixed({7})
    _logged(lake, body)

    writer.commit(lake)

    assert len(_ids(lake)) == len(ids) - 1
    (aside,) = quarantine.listed(lake)
    assert aside.why == "out of memory"


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryError()], ids=str)
def test_a_lack_of_memory_on_the_machine_is_not(lake: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    body, ids = _mixed({7})
    _logged(lake, body)
    with monkeypatch.context() as patched:
        patched.setattr(received, "Receiving", _Failing)
        patched.setattr(_Failing, "error", error)
        patched.setattr(memory, "of_machine_bytes", lambda: 1 << 20)
        for _ in range(6):
            with pytest.raises((LakeError, MemoryError)):
                writer.commit(lake)
    assert quarantine.listed(lake) == []

    assert writer.commit(lake).rows == len(ids)


def test_a_process_without_memory_starts_no_further_batch(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next segments would fail, and be set aside, by no fault of their own."""
    for deadly in (set(), {0}, set()):
        _logged(lake, _mixed(deadly)[0])
    with monkeypatch.context() as patched:
        patched.setattr(received, "Receiving", _Failing)
        patched.setattr(_Failing, "error", MemoryError())
        patched.setattr(memory, "is_obtainable", lambda size_bytes: False)
        for _ in range(3):
            with pytest.raises(LakeError, match="no memory left"):
                writer.commit(lake)
        writer.commit(lake)

    assert len(_ids(lake)) == 80
    assert len(quarantine.listed(lake)) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EACCES, "Permission denied"),
        OSError(errno.EMFILE, "Too many open files"),
        duckdb.IOException("IO Error: Could not write file: No space left on device"),
        duckdb.OutOfMemoryException(
            "Out of Memory Error: failed to offload data block of size 32 KiB. "
            "This limit was set by the 'max_temp_directory_size' setting."
        ),
        LakeError("cannot commit to the table: No space left on device"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_the_environment_sets_nothing_aside(lake: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    body, ids = _deadly()
    _logged(lake, body)
    with monkeypatch.context() as patched:
        patched.setattr(received, "Receiving", _Failing)
        patched.setattr(_Failing, "error", error)
        for _ in range(6):
            with pytest.raises(LakeError):
                writer.commit(lake)
    assert quarantine.listed(lake) == []
    assert not (lake / quarantine.ATTEMPT_FILE).exists()

    assert writer.commit(lake).rows == len(ids)  # all is tried again
    assert _ids(lake) == ids


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_sets_nothing_aside(tmp_path: Path) -> None:
    lake = tmp_path / "disk"
    lake.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(lake)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount")
    try:
        open_folder(lake)
        body, ids = request(2000)
        _logged(lake, body)
        _logged(lake, NO_REQUEST)
        filling = lake / "filling"
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        for _ in range(6):
            with pytest.raises(LakeError):
                writer.commit(lake)
        assert quarantine.listed(lake) == []
        assert len(backlog.segments(lake, WAL)) == 2
        filling.unlink()
        subprocess.run(["mount", "-o", "remount,size=300m", str(lake)], check=True)

        assert writer.commit(lake).rows == 2000

        assert _ids(lake) == ids
        assert len(quarantine.listed(lake)) == 1
    finally:
        subprocess.run(["umount", "-l", str(lake)], check=True)


def test_a_segment_of_the_spool_that_fails_is_set_aside(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        spooled(lake, [row(number)])
    second = backlog.segments(lake, SPOOL)[1].path
    load = hot.load

    def failing(connection: Any, table: str, contents: Any, copy: Path) -> Any:
        if any(content.path == second for content in contents):
            raise duckdb.ConversionException("Conversion Error: no such time")
        return load(connection, table, contents, copy)

    monkeypatch.setattr(hot, "load", failing)

    done = writer.commit(lake)

    assert (done.rows, done.set_aside) == (2, 1)
    (aside,) = quarantine.listed(lake)
    assert (aside.path.name, aside.store) == (second.name, SPOOL)
    assert numbers(lake) == [1, 3]


def test_the_oldest_files_are_deleted_and_counted_when_the_folder_is_full(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_BYTES", 3 * FRAMED_BYTES)
    names = []
    for _ in range(5):
        names.append(_logged(lake, NO_REQUEST))
        writer.commit(lake)
    found = [one.path.name for one in quarantine.listed(lake)]

    held = sum(one.size_bytes for one in quarantine.listed(lake))
    assert held <= quarantine.MAX_BYTES
    assert found == names[-len(found) :]
    assert quarantine.deleted(lake).segments == 5 - len(found) > 0
    shown = mcpobs("info", "--lake", str(lake))
    assert f"and {5 - len(found)} older segment" in shown.stdout
    facts = json.loads(mcpobs("info", "--lake", str(lake), "--json").stdout)
    assert facts["quarantine_deleted_segments"] == 5 - len(found)


def test_a_single_file_over_the_limit_is_kept(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_BYTES", 1)
    name = _logged(lake, NO_REQUEST)
    writer.commit(lake)

    assert [one.path.name for one in quarantine.listed(lake)] == [name]
    assert quarantine.deleted(lake).segments == 0


# -- committers that die ----------------------------------------------------------------------------------------------


def test_a_segment_that_kills_the_committer_is_found_and_set_aside(lake: Path) -> None:
    (one, ids), (deadly, _), (two, others) = request(5), _deadly(), request(6)
    _logged(lake, one)
    name = _logged(lake, deadly)
    _logged(lake, two)

    _die_once(lake)  # all three in one batch
    _die_once(lake)
    for _ in range(2):  # now each alone
        _die_once(lake)
        assert _ids(lake) == ids
    done = writer.commit(lake)

    assert (done.rows, done.set_aside) == (6, 1)
    assert _ids(lake) == ids | others
    (aside,) = quarantine.listed(lake)
    assert aside.path.name == name
    assert "died" in aside.why
    assert not (lake / quarantine.ATTEMPT_FILE).exists()


def test_one_death_is_forgiven(lake: Path) -> None:
    body, ids = _deadly()
    _logged(lake, body)
    _die_once(lake)
    assert json.loads((lake / quarantine.ATTEMPT_FILE).read_bytes())["trying"]

    assert writer.commit(lake).rows == len(ids)

    assert quarantine.listed(lake) == []
    assert not (lake / quarantine.ATTEMPT_FILE).exists()


def test_deaths_before_the_machine_was_started_anew_do_not_count(lake: Path) -> None:
    body, ids = _deadly()
    _logged(lake, body)
    for _ in range(6):
        _die_once(lake)
        note = json.loads((lake / quarantine.ATTEMPT_FILE).read_bytes())
        assert note["strikes"] == {}
        (lake / quarantine.ATTEMPT_FILE).write_text(json.dumps(note | {"boot": "another"}))

    assert writer.commit(lake).rows == len(ids)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"trying": 1, "strikes": [], "boot": null}'])
def test_a_damaged_note_is_no_note(lake: Path, content: bytes) -> None:
    (lake / quarantine.ATTEMPT_FILE).write_bytes(content)
    body, ids = request(2)
    _logged(lake, body)

    assert writer.commit(lake).rows == len(ids)


def test_an_interrupt_is_no_death(lake: Path) -> None:
    _logged(lake, request(1)[0])
    attempts = quarantine.Attempts(lake)
    with pytest.raises(KeyboardInterrupt), attempts.on(backlog.segments(lake, WAL)):
        raise KeyboardInterrupt
    assert not (lake / quarantine.ATTEMPT_FILE).exists()


# -- the quarantine ---------------------------------------------------------------------------------------------------


def _aside(lake: Path, body: bytes) -> Found:
    """Sets aside a segment of the log, as if it could not be committed."""
    _logged(lake, body)
    (found,) = backlog.segments(lake, WAL)
    quarantine.set_aside(lake, WAL, found, "it failed", 4)
    return found


def test_it_is_its_owners_alone_and_says_why(lake: Path) -> None:
    found = _aside(lake, request(1)[0])

    folder = lake / "quarantine"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [found.path.name, f"{found.path.name}.json"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    note = json.loads((folder / f"{found.path.name}.json").read_text())
    assert (note["why"], note["attempts"]) == ("it failed", 4)


def test_a_retry_stores_what_can_be_stored_by_now(lake: Path) -> None:
    body, ids = request(4)
    _aside(lake, body)
    spooled(lake, [row(1)])
    (found,) = backlog.segments(lake, SPOOL)
    quarantine.set_aside(lake, SPOOL, found, "it failed", 4)
    assert numbers(lake) == []

    done = retry(lake)

    assert (done.tried, done.stored_files, done.rows, done.left) == (2, 2, 5, [])
    assert _ids(lake) == ids | {f"{1:016x}"}
    assert not (lake / "quarantine").exists()


def test_a_retry_after_a_later_segment_of_the_same_writer_stores_it_once(lake: Path) -> None:
    (first, ids), (second, others) = request(4), request(5)
    log = Wal(lake)
    log.append([first])
    log.roll()
    log.append([second])
    log.close()
    found = backlog.segments(lake, WAL)[0]
    quarantine.set_aside(lake, WAL, found, "it failed", 4)
    writer.commit(lake)
    assert _ids(lake) == others

    assert retry(lake).rows == 4

    assert _ids(lake) == ids | others
    quarantine.set_aside_content(lake, found, _content(first), "died before it was removed", 1)
    again = retry(lake)
    assert (again.rows, again.duplicates, again.left) == (0, 4, [])
    assert _ids(lake) == ids | others


def _content(body: bytes) -> bytes:
    from mcpobs.lake import wal

    return wal.encoded([body])


def test_a_retry_keeps_the_requests_that_still_fail(lake: Path) -> None:
    body, ids = request(4)
    _logged(lake, body, NO_REQUEST)
    (found,) = backlog.segments(lake, WAL)
    quarantine.set_aside(lake, WAL, found, "it killed the process", 4)

    done = retry(lake)

    assert (done.tried, done.stored_files, done.rows) == (1, 0, 4)
    (left,) = done.left
    assert left.size_bytes == 8 + len(NO_REQUEST)
    assert _ids(lake) == ids
    assert retry(lake).rows == 0


@pytest.mark.parametrize("name", ["readme.txt", "x.1.otlp.json", "not a segment.otlp", ".hidden"])
def test_foreign_files_in_its_folder_are_left_alone(lake: Path, name: str) -> None:
    _aside(lake, request(1)[0])
    (lake / "quarantine" / name).write_text("foreign")

    assert len(quarantine.listed(lake)) == 1
    assert retry(lake).stored_files == 1
    assert (lake / "quarantine" / name).read_text() == "foreign"


@pytest.mark.parametrize("note", [None, b"", b"[]", b'{"why": "x"}', b"\xff"])
def test_a_note_that_is_missing_or_damaged_costs_nothing(lake: Path, note: bytes | None) -> None:
    found = _aside(lake, request(3)[0])
    path = lake / "quarantine" / f"{found.path.name}.json"
    path.unlink() if note is None else path.write_bytes(note)

    (aside,) = quarantine.listed(lake)
    assert aside.why
    assert retry(lake).rows == 3


# -- what a user sees -------------------------------------------------------------------------------------------------


def test_info_lists_quarantined_segments_and_retry_brings_them_back(lake: Path) -> None:
    found = _aside(lake, request(3)[0])
    path = str(lake / "quarantine" / found.path.name)

    shown = mcpobs("info", "--lake", str(lake))
    facts = json.loads(mcpobs("info", "--lake", str(lake), "--json").stdout)

    assert "quarantined  1 segment of" in shown.stdout
    assert path in shown.stderr
    assert "mcpobs lake retry" in shown.stderr
    assert facts["quarantined_segments"] == 1
    assert facts["quarantined"][0]["path"] == path
    assert facts["quarantined"][0]["why"] == "it failed"
    assert inspect(lake).set_aside[0].attempts == 4

    done = mcpobs("retry", "--lake", str(lake), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "tried": 1,
        "stored": 1,
        "rows": 3,
        "duplicates": 0,
        "quarantined_segments": 0,
        "quarantined_bytes": 0,
        "quarantined": [],
    }
    assert mcpobs("retry", "--lake", str(lake)).returncode == 0


SECRET = "password=hunter2"


@pytest.mark.parametrize(
    "error",
    [
        duckdb.InvalidInputException(f'Invalid Input Error: Malformed JSON at byte 0. Input: "{SECRET}"'),
        duckdb.ConversionException(f"Conversion Error: Could not convert string '{SECRET}' to INT32"),
        ValueError(f"invalid literal: {SECRET}"),
        KeyError(SECRET),
        OSError(errno.EIO, SECRET, SECRET),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_note_names_the_class_of_an_error_and_quotes_no_data(error: Exception) -> None:
    try:
        quarantine._write(Path("/nowhere/at/all"), b"")
    except OSError as real:
        error.__traceback__ = real.__traceback__

    said = quarantine.described(error)

    assert type(error).__name__ in said
    assert "hunter2" not in said
    assert isinstance(error, OSError) or "mcpobs.safefile.open_own" in said


def test_nothing_that_lake_commands_say_of_what_is_set_aside_is_content(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "Receiving", _Failing)
    monkeypatch.setattr(_Failing, "error", duckdb.ConversionException(f"Conversion Error: {SECRET}"))
    log = Wal(lake, redact=True)
    log.append([_deadly()[0]])
    log.close()
    writer.commit(lake)
    (aside,) = quarantine.listed(lake)

    shown = [mcpobs(command, "--lake", str(lake)) for command in ("info", "compact")]

    assert aside.why.startswith("ConversionException in ")
    assert not any("hunter2" in done.stdout + done.stderr for done in shown)
    assert "its content is not redacted" in shown[0].stderr
    assert stat.S_IMODE(aside.path.stat().st_mode) == 0o600


def test_retry_ends_with_one_if_something_is_still_set_aside(lake: Path) -> None:
    _logged(lake, NO_REQUEST)
    done = mcpobs("compact", "--lake", str(lake))
    assert done.returncode == 0
    assert "1 segment could not be committed and was quarantined" in done.stderr
    assert "Traceback" not in done.stderr

    tried = mcpobs("retry", "--lake", str(lake))

    assert tried.returncode == 1
    assert "not a valid protobuf message" in tried.stderr or "some of its requests" in tried.stderr
    assert "Traceback" not in tried.stderr
    assert mcpobs("retry", "--lake", str(lake / "nowhere")).returncode == 3


def test_compaction_sets_aside_what_it_cannot_move(lake: Path) -> None:
    body, ids = request(2)
    _logged(lake, NO_REQUEST, body)

    assert compact(lake).committed.set_aside == 1

    assert _ids(lake) == ids


def test_the_decoder_refuses_what_the_tests_call_no_request() -> None:
    with pytest.raises(ValueError, match="not a valid protobuf"):
        decode([NO_REQUEST])


# -- readers ----------------------------------------------------------------------------------------------------------


def test_a_folder_or_link_in_the_place_of_a_segment_is_none_and_blocks_no_other(lake: Path) -> None:
    spooled(lake, [row(1)])
    (lake / "spool" / "abcdefgh-1.1.jsonl").mkdir()
    (lake / "wal").mkdir()
    (lake / "wal" / "abcdefgh-1.1.otlp").symlink_to("/dev/zero")
    body, ids = request(2)
    _logged(lake, body)

    with open_reading(lake) as reading:
        assert reading.damaged_files == []
    writer.commit(lake)

    assert _ids(lake) == ids | {f"{1:016x}"}
    assert quarantine.listed(lake) == []


@pytest.mark.parametrize("bad", [{1}, {3}, {1, 2}, {1, 2, 3}, {2, 5, 6}])
@pytest.mark.parametrize("error", [duckdb.ConversionException("Conversion Error: no such time"), MemoryError()])
def test_a_reader_leaves_out_segments_that_it_cannot_load(
    lake: Path, monkeypatch: pytest.MonkeyPatch, bad: set[int], error: Exception
) -> None:
    for number in range(1, 7):
        spooled(lake, [row(number)])
    paths = {found.path for place, found in enumerate(backlog.segments(lake, SPOOL), 1) if place in bad}
    load = hot.load

    def failing(connection: Any, table: str, contents: Any, copy: Path) -> Any:
        if any(content.path in paths for content in contents):
            raise error
        return load(connection, table, contents, copy)

    monkeypatch.setattr(hot, "load", failing)

    with open_reading(lake) as reading:
        assert {path for path, _ in reading.damaged_files} == paths
        assert reading.connection.execute("select count(*) from spans").fetchall() == [(6 - len(bad),)]


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("command", [("compact",), ("info",), ("prune", "--older-than", "30d"), ("retry",)])
def test_a_command_that_runs_out_of_memory_says_so_in_one_error(lake: Path, command: tuple[str, ...]) -> None:
    for _ in range(8):
        spooled(lake, [row(number, attributes='{"k":"' + os.urandom(500_000).hex() + '"}') for number in range(20)])
    body, _ = request(10)
    _aside(lake, body)

    done = subprocess.run(
        [sys.executable, "-m", "mcpobs", "lake", command[0], "--lake", str(lake), *command[1:]],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (420 << 20, 420 << 20)),
    )

    assert "Traceback" not in done.stderr
    # where the C library or the engine get no memory for a thread they end the process by a signal
    assert done.returncode in (0, 1, 3) or done.returncode < 0, done.stderr
    if done.returncode == 3:
        assert done.stderr.startswith("mcpobs: error: ")
        assert "\nhint: " in done.stderr
