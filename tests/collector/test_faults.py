"""The collector's log of its own faults: where they happened, never what was sent."""

from __future__ import annotations

import logging

import pytest

from mcpobs.collector import faults


def test_a_fault_is_logged_once_by_class_and_place_without_its_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_logged", set())
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            try:
                raise ValueError("Authorization: Bearer sk-4711")
            except ValueError as error:
                faults.log(error)
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert "test_faults.py" in caplog.text
    assert "sk-4711" not in caplog.text.replace('raise ValueError("Authorization: Bearer sk-4711")', "")
