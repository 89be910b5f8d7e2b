"""The collector's disk fills up and is freed: clients are asked to retry, and everything acknowledged is stored."""

from __future__ import annotations

import http.client
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from mcpobs.lake.reader import open_reading
from tests.collector.test_same_lake import collecting
from tests.sending import by_http, request
from tests.soak import disk

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a tmpfs")


def _status(port: int, body: bytes) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("Retry-After")


def test_a_full_disk_is_refused_until_it_is_free_and_loses_nothing(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    with disk.small_disk(tmp_path / "disk", "24m") as folder:
        with collecting(folder / "lake") as endpoints:
            port = int(endpoints["http/protobuf"].rpartition(":")[2])
            for _ in range(3):
                body, ids = request()
                assert by_http(port, body)
                acknowledged |= ids
                filler = folder / "filler"
                disk.fill(filler)
                refused, answers = 0, {(200, None)}
                for _ in range(200):  # what is left of the last page may still take some
                    body, ids = request()
                    status, again = _status(port, body)
                    answers.add((status, again))
                    if status == 200:
                        acknowledged |= ids
                    else:
                        refused += 1
                assert refused > 100
                assert {status for status, _ in answers} == {200, 503}
                assert all(again for status, again in answers if status == 503)
                filler.unlink()
        with open_reading(folder / "lake") as reading:
            found = Counter(row[0] for row in reading.connection.execute("select span_id from spans").fetchall())
    assert set(found.values()) == {1}
    assert acknowledged <= set(found)
