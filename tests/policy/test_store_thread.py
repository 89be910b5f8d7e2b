"""A thread for stores that block: in order, bounded, never in the caller's thread."""

from __future__ import annotations

import os
import threading
import warnings
from queue import Queue

import pytest

from mcpobs.policy.state import StoreError
from mcpobs.policy.store_thread import StoreThread


def test_results_and_exceptions_come_in_order_from_one_other_thread() -> None:
    thread, got = StoreThread(), Queue()
    fault = StoreError("locked")

    def fail() -> None:
        raise fault

    def note(result: object) -> None:
        got.put((result, threading.current_thread()))

    for function in (lambda: 1, fail, threading.current_thread):
        thread.submit(function, note)
    found = [got.get(timeout=30) for _ in range(3)]
    assert [result for result, _ in found[:2]] == [1, fault]
    assert len({worker for _, worker in found}) == 1
    assert found[2][0] is found[0][1] is not threading.current_thread()
    assert found[0][1].daemon
    assert thread.close(30)


def test_a_full_queue_refuses_at_once_and_what_was_accepted_is_done() -> None:
    thread, got = StoreThread(most_waiting=2), Queue()
    begun, go = threading.Event(), threading.Event()

    def block() -> str:
        begun.set()
        go.wait()
        return "first"

    thread.submit(block, got.put)
    assert begun.wait(30)
    thread.submit(lambda: "second", got.put)
    thread.submit(lambda: "third", got.put)
    with pytest.raises(StoreError, match="2 calls wait") as refused:
        thread.submit(lambda: "never", got.put)
    assert refused.value.hint
    go.set()
    assert [got.get(timeout=30) for _ in range(3)] == ["first", "second", "third"]
    thread.submit(lambda: "fourth", got.put)
    assert got.get(timeout=30) == "fourth"
    assert thread.close(30)
    assert got.empty()


def test_a_closed_thread_finishes_what_it_took_and_takes_no_more() -> None:
    thread, got = StoreThread(), Queue()
    go = threading.Event()
    thread.submit(go.wait, got.put)
    thread.submit(lambda: "last", got.put)
    assert not thread.close(0)
    with pytest.raises(StoreError, match="closed"):
        thread.submit(lambda: "never", got.put)
    go.set()
    assert thread.close(30)
    assert [got.get(timeout=30) for _ in range(2)] == [True, "last"]
    assert got.empty()


def test_a_thread_that_was_never_used_closes() -> None:
    assert StoreThread().close()


def test_a_fault_of_whoever_waits_does_not_stop_the_thread() -> None:
    thread, got = StoreThread(), Queue()

    def faulty(_: object) -> None:
        raise SystemExit

    thread.submit(lambda: 1, faulty)
    thread.submit(lambda: 2, got.put)
    assert got.get(timeout=30) == 2
    assert thread.close(30)


def test_a_call_may_submit_the_next_one() -> None:
    thread, got = StoreThread(), Queue()
    thread.submit(lambda: 1, lambda one: thread.submit(lambda: one + 1, got.put))
    assert got.get(timeout=30) == 2
    assert thread.close(30)


def test_a_forked_process_has_a_thread_of_its_own() -> None:
    thread, got = StoreThread(), Queue()
    begun, go = threading.Event(), threading.Event()
    thread.submit(lambda: (begun.set(), go.wait())[1], got.put)
    thread.submit(lambda: os.write(writer, b"parent"), got.put)
    assert begun.wait(30)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        pid = os.fork()
    if pid == 0:
        done = threading.Event()
        thread.submit(lambda: os.write(writer, b"child"), lambda _: done.set())
        done.wait(30)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(reader, 100) == b"child"
    go.set()
    assert thread.close(30)
    assert os.read(reader, 100) == b"parent"
    os.close(reader)
    os.close(writer)
    assert thread.close(30)
