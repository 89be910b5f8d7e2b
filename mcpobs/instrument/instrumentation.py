"""What the patches of all SDKs share: on or off, the recorder, the calls under way. Never raises into an SDK."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from mcpobs.gate.waiting import Waiting
from mcpobs.instrument.patches import Patches
from mcpobs.instrument.served import EXITED, Message, ServedCall
from mcpobs.instrument.tracing import Tracing
from mcpobs.instrument.watch import Watch
from mcpobs.protocol.call import Call
from mcpobs.protocol.registry import Catalog, Registry
from mcpobs.protocol.session import Caller
from mcpobs.stderr import Faults, Warn

if TYPE_CHECKING:
    from mcpobs.gate.judge import Judge
    from mcpobs.instrument.process import ProcessRecorder

Result = TypeVar("Result")


class Instrumentation:
    """One instrumentation of this process, from `instrument` to `uninstrument`."""

    def __init__(
        self,
        *,
        lake: Path | None,
        name: str | None,
        warn: Warn,
        run: str | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.on = True
        self.patches = Patches()
        self.registry = Registry()
        self.judge = judge
        self.watched_servers: WeakSet[Any] = WeakSet()
        self._lake = lake
        self._name = name
        self._run = run
        self._warn = warn
        self._faults = Faults("a message could not be observed", "the server goes on", warn)
        self._tracing = Tracing()
        self._under_way: set[ServedCall] = set()
        self._watch = self._new_watch()
        self._recording: ProcessRecorder | None = None
        self._opening = Lock()
        os.register_at_fork(after_in_child=self._start_anew)

    @property
    def enforcing(self) -> bool:
        """Whether each message waits for a judge."""
        return self.judge is not None

    def begin(self, message: Message, caller: Caller | None, catalog: Catalog) -> ServedCall:
        """Begins a message; `caller` is None on stdio, `catalog` that of the server which serves it."""
        recording = self._recording or self._open(caller)
        call = ServedCall(message, caller, catalog, recording, self._tracing, self._faults, self._under_way)
        self._watch.wake()
        return call

    def try_to(self, work: Callable[[], Result]) -> Result | None:
        """Runs our own code beside the SDK's. Returns None if it failed, and reports the first failure."""
        try:
            return work()
        except Exception as error:
            self.report(error)
            return None

    def report(self, error: Exception) -> None:
        """Writes the first fault of ours to stderr."""
        self._faults.report(error)

    def instances_of(self, cls: type) -> list[Any]:
        """The instances of a class and its subclasses that were made before it was patched."""
        classes, found = [cls], []
        while classes:
            one = classes.pop()
            classes += one.__subclasses__()
            found += [made for made in gc.get_referrers(one) if type(made) is one]
        return found

    def exit(self) -> None:
        """Ends the calls under way at the end of the process: they get no answer any more."""
        for call in list(self._under_way):
            call.given_up(EXITED, by_client=False)
        self.close()

    def _new_watch(self) -> Watch:
        waiting = Waiting(self._record_pending, self._faults.report)

        def look(mono_ns: int) -> None:
            waiting.look([served.call for served in list(self._under_way) if not served.is_ended], mono_ns)

        return Watch(lambda: bool(self._under_way), look)

    def _record_pending(self, call: Call) -> None:
        recording = self._recording
        if recording is not None:
            recording.record_pending(call)

    def close(self) -> None:
        self._watch.close()
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def _open(self, caller: Caller | None) -> ProcessRecorder:
        from mcpobs.instrument.process import ProcessRecorder

        with self._opening:
            if self._recording is None:
                transport = "stdio" if caller is None else caller.transport
                self._recording = ProcessRecorder.open(
                    lake=self._lake,
                    name=self._name,
                    run=self._run,
                    transport=transport,
                    registry=self.registry,
                    judge=self.judge,
                    warn=self._warn,
                )
            return self._recording

    def _start_anew(self) -> None:
        """Starts anew in a forked child: ids, segment and threads are the parent's."""
        self._opening = Lock()
        self._under_way.clear()
        self._watch = self._new_watch()
        self._recording = None
        self.registry = Registry()
