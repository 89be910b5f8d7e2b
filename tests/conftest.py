"""What all tests share: a home of their own, so that no test touches the user's lake, keys or configuration."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, max_examples=50)  # no test may fail for a slow machine
settings.load_profile("steady")  # for more: --hypothesis-profile=default

_OURS = ("MCPOBS_", "OTEL_", "XDG_")
_numbers = count(1)


def _new_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder of its own. pytest's `mktemp` lists all folders for each new one: 4 ms each after 6,000 tests."""
    folder = factory.getbasetemp() / f"{next(_numbers)}-{name}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return _new_folder(tmp_path_factory, re.sub(r"[^0-9A-Za-z]+", "_", request.node.name)[:30])


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME; no variable of ours or of OpenTelemetry comes in from outside."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    folder = _new_folder(tmp_path_factory, "home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    return folder
