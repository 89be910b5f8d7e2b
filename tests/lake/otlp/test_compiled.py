"""decode.c under the compiler's eyes: warnings, sanitizers, and memory that runs out."""

from __future__ import annotations

import ctypes
from itertools import count
from pathlib import Path
from random import Random

import pytest
from arro3.core import Table

from mcpobs.lake.otlp.columns import RAW
from mcpobs.lake.otlp.native.library import LIBRARY, Native
from mcpobs.lake.otlp.request import MalformedError
from tests.compiling import NEEDS_COMPILER, SANITIZERS, compiled, run_under_sanitizers
from tests.lake.otlp import wire

SOURCE = LIBRARY.with_name("decode.c")
pytestmark = NEEDS_COMPILER


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_it_compiles_without_a_warning(tmp_path: Path, level: str) -> None:
    compiled(SOURCE, tmp_path, level, "-g")


def test_wherever_memory_runs_out_nothing_is_lost_and_the_next_call_works(tmp_path: Path) -> None:
    library = compiled(SOURCE, tmp_path, "-O1", "-g", "-include", str(Path(__file__).with_name("failing_malloc.h")))
    decoder = Native(library)
    handle = ctypes.CDLL(str(library))
    handle.allow_allocations.argtypes = [ctypes.c_long]
    handle.held_allocations.restype = ctypes.c_long
    before = handle.held_allocations()
    body = b"".join(filter(lambda body: _spans(decoder, body), (wire.request(Random(seed)) for seed in range(300))))
    assert decoder.check(body).spans > 100
    for allowed in count():
        handle.allow_allocations(allowed)
        try:
            batch = decoder.decode([body])
        except MemoryError:
            assert handle.held_allocations() == before
            continue
        finally:
            handle.allow_allocations(-1)
        break
    assert allowed > 100
    assert batch.rows == decoder.check(body).spans
    made = handle.held_allocations()
    for allowed in count():
        handle.allow_allocations(allowed)
        try:
            table = Table.from_arrow(batch)
        except Exception:  # what the reader makes of ENOMEM
            assert handle.held_allocations() == made
            continue
        finally:
            handle.allow_allocations(-1)
        break
    assert allowed > len(RAW)
    assert table.num_rows == batch.rows
    del table
    assert handle.held_allocations() == made
    capsule = batch.__arrow_c_stream__()
    del batch
    assert handle.held_allocations() > before
    del capsule
    assert handle.held_allocations() == before


def _spans(decoder: Native, body: bytes) -> int:
    try:
        return decoder.check(body).spans
    except MalformedError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("limit", [(), ("50000",)], ids=["as it is", "with a low limit on what spans repeat"])
def test_the_sanitizers_find_nothing_in_random_requests(tmp_path: Path, limit: tuple[str, ...]) -> None:
    compare_under_sanitizers(tmp_path, 1000, *limit)


def compare_under_sanitizers(tmp_path: Path, requests: int, *limit: str) -> str:
    """Compares both decoders on random requests; returns the counts. `make soak` compares more."""
    library = compiled(SOURCE, tmp_path, *SANITIZERS)
    done = run_under_sanitizers("tests.lake.otlp.fuzz", str(library), "0", str(requests), *limit)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{requests} requests")
    return done.stdout
