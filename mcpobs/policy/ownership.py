"""Keeps which tenant an id belongs to: notes the ids of results, and judges those of calls. Ids leave here as keyed
digests only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Condition
from mcpobs.policy.rules.tenant import Tenant
from mcpobs.policy.state import Store, StoreError


class Ownership:
    """The ids in one store. `key` is asked for once, when the first id comes; all who share a store share it."""

    def __init__(self, store: Store, key: Callable[[], bytes]) -> None:
        self._store = store
        self._make_key = key
        self._key: bytes | None = None

    def allows(self, rule: str, condition: Condition, facts: CallFacts) -> bool:
        """Whether all ids that a call uses are its tenant's. Raises RuleError, UndecidableError and StoreError."""
        if not isinstance(condition, Tenant):
            return True
        for used in condition.used(facts):
            owner = self._store.owner(rule, self._digest(rule, used))
            if owner is None and condition.on_unseen == "pass":
                continue
            if owner != facts.identity.tenant:
                return False
        return True

    def note(self, rule: str, condition: Condition, result: object, facts: CallFacts) -> Code | None:
        """Notes the ids of a result. Returns why that failed; None if it did not."""
        tenant = facts.identity.tenant
        if not isinstance(condition, Tenant) or not condition.ids or tenant is None:
            return None
        shown = condition.shown(result)
        if shown is None:
            return Code.RESULT
        try:
            if shown:
                self._store.own(rule, tenant, [self._digest(rule, one) for one in shown], condition.ttl_ns)
        except StoreError:
            return Code.STORE_ERROR
        return None

    def _digest(self, rule: str, id_: str) -> str:
        if self._key is None:
            self._key = self._make_key()
        text = f"{rule}\0{id_}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key[:64], digest_size=16, person=b"tenant-id").hexdigest()
