"""The OTLP decoder in C under sanitizers and against the decoder in Python, for minutes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp import json_request, plain
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES, PROMOTED, RAW
from mcpobs.lake.otlp.native import library
from tests.lake.otlp import wire
from tests.lake.otlp.decoders import outcome
from tests.lake.otlp.requests import REQUEST
from tests.lake.otlp.test_compiled import compare_under_sanitizers
from tests.lake.otlp.test_json_request import as_otlp

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
FUZZ = Path(__file__).with_name("fuzz")
GCC, CLANG = shutil.which("gcc"), shutil.which("clang")
SANITIZED = ("-std=gnu11", "-g", "-O1", "-fno-sanitize-recover=all", "-Wno-unused-function")
pytestmark = [pytest.mark.soak, pytest.mark.skipif(not door.NATIVE, reason="no compiled decoder")]
many = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))


def _tables() -> str:
    names, types = list(RAW), [library._TYPES[type_] for type_ in RAW.values()]
    arrays = {
        "char *const COLUMNS": [json.dumps(name) for name in names],
        "uint8_t TYPES": types,
        "char *const KEYS": [json.dumps(promoted.attribute) for promoted in PROMOTED],
        "uint32_t PLACES": [names.index(promoted.column) for promoted in PROMOTED],
        "uint8_t KEPT": [int(promoted.kept) for promoted in PROMOTED],
        "uint64_t POWERS": [f"{number}u" for number in library._powers_of_ten()],
    }
    lines = [f"static const {name}[] = {{{','.join(map(str, values))}}};" for name, values in arrays.items()]
    return "\n".join([*lines, f"#define EXPANDED_MAX {MAX_EXPANDED_BYTES}", ""])


def test_the_sanitizers_find_nothing_in_mutated_requests(tmp_path: Path) -> None:
    (tmp_path / "tables.h").write_text(_tables())
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for seed in range(200):
        (corpus / str(seed)).write_bytes(wire.request(Random(seed)))
    fuzzer, include = tmp_path / "fuzzer", [f"-I{library.LIBRARY.parent}", f"-I{tmp_path}"]
    if CLANG:
        build = [CLANG, *SANITIZED, "-fsanitize=fuzzer,address,undefined", *include, str(FUZZ / "target.c")]
        run = [str(fuzzer), "-seed=1", f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/", str(corpus)]
    else:
        sources = [str(FUZZ / "target.c"), str(FUZZ / "driver.c")]
        build = [str(GCC), *SANITIZED, "-fsanitize=address,undefined", *include, *sources]
        run = [str(fuzzer), "1", str(SECONDS), str(tmp_path / "crash"), *map(str, sorted(corpus.iterdir()))]
    subprocess.run([*build, "-o", str(fuzzer)], check=True, timeout=300)

    done = subprocess.run(run, capture_output=True, text=True, timeout=SECONDS + 120)

    print(f"\n{'libFuzzer' if CLANG else 'gcc and driver.c'}, {SECONDS} s: {done.stdout}{done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("limit", [(), ("50000",)], ids=["as it is", "with a low limit on what spans repeat"])
def test_random_requests_are_decoded_alike_under_sanitizers(tmp_path: Path, limit: tuple[str, ...]) -> None:
    print("\n" + compare_under_sanitizers(tmp_path, 3_000, *limit))


@many
@given(body=st.binary() | st.integers(0, 2**32).map(lambda seed: wire.request(Random(seed))))
def test_arbitrary_bytes_are_decoded_alike(body: bytes) -> None:
    assert outcome(door, body) == outcome(plain, body)


@many
@given(request=REQUEST, random=st.randoms(use_true_random=False))
def test_mutated_json_is_refused_or_decoded_alike(request: ExportTraceServiceRequest, random: Random) -> None:
    text = wire.broken(random, json.dumps(as_otlp(request)).encode())
    try:
        body = json_request.from_json(text, plain.json_values)
    except door.MalformedError:
        with pytest.raises(door.MalformedError):
            door.from_json(text)
        return
    assert door.from_json(text) == body
    assert outcome(door, body) == outcome(plain, body)
