"""The halts of a store in memory: by name, and those of sessions by their key."""

from __future__ import annotations

from collections import OrderedDict

from mcpobs.policy.rows import Bounds, verified
from mcpobs.policy.state import Halt, HaltScope, StoreError


class Halts:
    """Halts of unverified callers make room, the oldest first."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.count = 0
        self.named: dict[tuple[HaltScope, str], Halt] = {}
        self.sessions: OrderedDict[tuple[str, bool], dict[str, Halt]] = OrderedDict()
        self._unverified: OrderedDict[tuple[str, bool, str], None] = OrderedDict()

    def keep(self, halt: Halt, shadow: bool, now_ns: int) -> None:
        if halt.scope != "session":
            self._drop_expired(now_ns)
        known = (
            halt.session in self.sessions.get((halt.name, shadow), {})
            if halt.scope == "session"
            else (halt.scope, halt.name) in self.named
        )
        if not known:
            self._make_room(now_ns)
            self.count += 1
        if halt.scope != "session":
            self.named[halt.scope, halt.name] = halt
            return
        self.sessions.setdefault((halt.name, shadow), {})[halt.session] = halt
        if not verified(halt.name):
            self._unverified[halt.name, shadow, halt.session] = None

    def drop(self, scope: HaltScope, name: str, session: str, shadow: bool) -> bool:
        if scope != "session":
            gone = self.named.pop((scope, name), None)
        else:
            ours = self.sessions.get((name, shadow), {})
            gone = ours.pop(session, None)
            self._unverified.pop((name, shadow, session), None)
            if not ours:
                self.sessions.pop((name, shadow), None)
        self.count -= gone is not None
        return gone is not None

    def _drop_expired(self, now_ns: int) -> None:
        for (scope, name), halt in list(self.named.items()):
            if halt.until_ns is not None and halt.until_ns <= now_ns:
                self.drop(scope, name, "", False)

    def _make_room(self, now_ns: int) -> None:
        if self.count < self._bounds.halts:
            return
        self._drop_expired(now_ns)
        if self.count < self._bounds.halts:
            return
        if not self._unverified:
            raise StoreError(f"{self._bounds.halts} halts of verified callers at once", "resume some: `mcpobs resume`")
        name, shadow, session = next(iter(self._unverified))
        self.drop("session", name, session, shadow)
