"""Our reading of the Delta log, against deltalake's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mcpobs.lake import delta, maintain, sealed, snapshot, writer
from mcpobs.lake.engine import connect
from tests.lake.rows import DAY, NOON, numbers, row, spooled
from tests.seeds import seeds


@pytest.mark.parametrize("seed", seeds(1, 8, start=1))
def test_after_any_sequence_of_changes_it_is_what_deltalake_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    from deltalake import DeltaTable

    rng = random.Random(seed)
    monkeypatch.setattr(delta, "PROPERTIES", delta.PROPERTIES | {"delta.checkpointInterval": "4"})
    monkeypatch.setattr(sealed, "UNLINK_GRACE_S", 0.0)
    expected: dict[int, int] = {}
    writers: set[str] = set()
    for step in range(25):
        starts = {step * 10 + n: NOON + rng.randrange(3) * DAY + step * 1000 for n in range(rng.randrange(1, 4))}
        spooled(tmp_path, [row(n, start_unix_nano=at, session_start_unix_nano=at) for n, at in starts.items()])
        writers |= {path.name.split(".")[0] for path in (tmp_path / "spool").iterdir()}
        expected |= starts
        action = rng.choice(["commit"] * 6 + ["compact", "prune"])
        if action == "commit":
            writer.commit(tmp_path)
        elif action == "compact":
            maintain.compact(tmp_path, grace_s=0.0)
        else:
            cutoff = NOON + rng.randrange(2) * DAY + step * 500
            maintain.prune(tmp_path, cutoff, grace_s=0.0)
            expected = {n: at for n, at in expected.items() if at >= cutoff}
        theirs = DeltaTable((tmp_path / "spans").as_uri())
        with connect() as connection:
            ours = snapshot.load(tmp_path / "spans", lambda: connection)
        assert ours.version == theirs.version()
        actions = theirs.get_add_actions(flatten=True)
        adds = (
            {
                name: actions.column(name).to_pylist()
                for name in (
                    "path",
                    "size_bytes",
                    "num_records",
                    "partition.date",
                    "min.start_unix_nano",
                    "max.start_unix_nano",
                )
            }
            if actions.num_rows
            else {"path": []}
        )
        assert sorted(ours.files) == sorted(adds["path"])
        for place, path in enumerate(adds["path"]):
            file = ours.files[path]
            assert (file.size_bytes, file.rows, file.date, file.first_unix_nano, file.last_unix_nano) == tuple(
                values[place] for name, values in adds.items() if name != "path"
            )
        for each in writers:
            assert ours.covered(each) == (theirs.transaction_version(each) or 0)
        assert numbers(tmp_path) == sorted(expected)
    assert list((tmp_path / "spans" / "_delta_log").glob("*.checkpoint.parquet"))


def test_a_folder_without_a_log_is_no_table_yet(tmp_path: Path) -> None:
    assert snapshot.load(tmp_path, lambda: pytest.fail("no checkpoint to read")).version == -1
