"""Undone, everything is as it was: classes, modules, servers, the import system and the signal's handler."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import ModuleType

import mcp.server._streamable_http_modern
import mcp.server.sse
import mcp.server.streamable_http
import pytest
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.lowlevel.server import Server

import mcpobs
from mcpobs.instrument.imports import Imports
from mcpobs.instrument.patches import Patches

PATCHED = (
    Server,
    OpenTelemetryMiddleware,
    mcp.server.sse.SseServerTransport,
    mcp.server.streamable_http.StreamableHTTPServerTransport,
    mcp.server._streamable_http_modern,
)


def _state() -> list[object]:
    return [
        *(dict(vars(owner)) for owner in PATCHED),
        list(sys.meta_path),
        signal.getsignal(signal.SIGTERM),
    ]


def test_undoing_restores_every_attribute(home: Path) -> None:
    before = _state()
    mcpobs.instrument(lake=home / "lake")
    assert _state() != before
    mcpobs.uninstrument()
    assert _state() == before


def test_undoing_restores_the_middleware_of_every_server(home: Path) -> None:
    earlier = Server("earlier")
    native = list(earlier.middleware)
    mcpobs.instrument(lake=home / "lake")
    later = Server("later")
    assert len(earlier.middleware) == len(later.middleware) == len(native) + 1
    assert earlier.middleware[1:] == native
    mcpobs.uninstrument()
    assert earlier.middleware == native
    assert [type(one) for one in later.middleware] == [type(one) for one in native]


def test_instrumenting_twice_is_instrumenting_once(home: Path) -> None:
    before = _state()
    mcpobs.instrument(lake=home / "lake")
    mcpobs.instrument(lake=home / "other")
    assert len(Server("one").middleware) == 2
    mcpobs.uninstrument()
    mcpobs.uninstrument()
    assert _state() == before


def test_it_can_be_instrumented_from_another_thread(home: Path) -> None:
    before = _state()
    thread = threading.Thread(target=lambda: mcpobs.instrument(lake=home / "lake"))
    thread.start()
    thread.join()
    assert len(Server("one").middleware) == 2
    mcpobs.uninstrument()
    assert _state() == before


def test_what_somebody_wrapped_after_us_is_left_alone() -> None:
    class Owner:
        def greet(self) -> str:
            return "hello"

    patches = Patches()
    patches.replace(Owner, "greet", lambda before: lambda self: before(self).upper())
    ours = Owner.greet
    Owner.greet = theirs = lambda self: ours(self) + "!"  # type: ignore[method-assign]
    patches.undo()
    assert Owner.greet is theirs


def test_an_inherited_attribute_is_inherited_again() -> None:
    class Parent:
        def greet(self) -> str:
            return "hello"

    class Child(Parent):
        pass

    patches = Patches()
    patches.replace(Child, "greet", lambda before: lambda self: before(self).upper())
    assert Child().greet() == "HELLO"
    patches.undo()
    assert "greet" not in vars(Child)


def test_a_module_is_acted_on_once_it_is_imported_and_keeps_its_own_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_later.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[tuple[ModuleType, int]] = []
    imports = Imports({"imported_later": lambda module: seen.append((module, module.value))}, pytest.fail)
    imports.open()
    try:
        assert seen == []
        import imported_later
    finally:
        imports.close()
        sys.modules.pop("imported_later", None)
    assert seen == [(imported_later, 1)]
    assert type(imported_later.__loader__).__name__ == "SourceFileLoader"
    assert imported_later.__spec__.loader is imported_later.__loader__


def test_a_failing_action_fails_no_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_badly.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    failed: list[Exception] = []

    def action(module: ModuleType) -> None:
        raise LookupError("an unknown release")

    imports = Imports({"imported_badly": action}, failed.append)
    imports.open()
    try:
        import imported_badly
    finally:
        imports.close()
        sys.modules.pop("imported_badly", None)
    assert imported_badly.value == 1
    assert [type(error) for error in failed] == [LookupError]
