"""Puts the judge of a policy together for a front: files, store, prices. Every fault is a UsageError: a policy that
cannot be read must not leave a server without one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcpobs.errors import UsageError
from mcpobs.folders import config_folder, lake_folder, names_policy
from mcpobs.keys import digest_key
from mcpobs.settings import load_config

if TYPE_CHECKING:
    from mcpobs.gate.inspecting import Inspecting
    from mcpobs.gate.policy_judge import PolicyJudge
    from mcpobs.policy.inspect.schemas import OutputSchemas
    from mcpobs.policy.model import Policy
    from mcpobs.policy.state import Store
    from mcpobs.prices.book import Book

_ID_KEY = "tenant-ids"
"""Names the key of the digests of tenants' ids, for all fronts of this user."""
_MASK_KEY = "masks"
"""Names the key of masks: equal values have equal masks in all fronts."""


STATE = Path("policy", "state.db")
"""Where counters are kept, below the lake, unless [policy] state says otherwise."""


def judge_of(
    files: Sequence[str],
    server: str,
    lake: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] = os.environ,
    *,
    forks: bool = False,
) -> PolicyJudge | None:
    """The judge of a server's calls: by `files`, else by those that config.toml names; None without any.

    Takes changes of the files while the front runs; with `forks` also in processes that are forked off.
    Raises UsageError for a policy that is missing or wrong, and for one that is of another server."""
    chosen = files_of(files, env)
    if not chosen:
        return None
    from mcpobs.policy import file
    from mcpobs.policy.reload import Reloader

    config = load_config(env=env)
    policy = file.load(chosen)
    found = judge(policy, server, config.prices, _store(state_of(config.policy.state, lake, env)), env)
    Reloader(chosen, policy, found.use).start(after_fork=forks)
    return found


def files_of(files: Sequence[str], env: Mapping[str, str] = os.environ) -> list[str]:
    """The files to enforce, by absolute names: `files`, else those that config.toml names."""
    if not files and not names_policy(env):
        return []
    return [str(Path(one).expanduser().absolute()) for one in files or load_config(env=env).policy.files]


def state_of(
    state: str | None, lake: str | os.PathLike[str] | None, env: Mapping[str, str] = os.environ
) -> Path | None:
    """The file of the store that `state` of the configuration names: by default one beside the lake's data, which all
    processes of the lake share. None for the memory of each process."""
    return None if state == "memory" else Path(state) if state else lake_folder(lake, env) / STATE


def _store(path: Path | None) -> Store | None:
    if path is None:
        return None
    from mcpobs.policy.sqlite import SqliteStore
    from mcpobs.policy.state import StoreError

    try:
        return SqliteStore(path)
    except StoreError as error:
        raise UsageError(f"cannot use the policy's state {path}: {error.message}", error.hint or None) from None


def judge(
    policy: Policy,
    server: str,
    book: Book | None = None,
    store: Store | None = None,
    env: Mapping[str, str] = os.environ,
) -> PolicyJudge:
    """The judge of a policy that is read already. Without a store the counters are this process's own."""
    from mcpobs.gate.policy_judge import PolicyJudge
    from mcpobs.policy.engine import Engine
    from mcpobs.policy.memory import MemoryStore

    def price(tool: str) -> int | None:
        rule = None if book is None else book.of(server, tool)
        return None if rule is None else rule.call_microusd

    def id_key() -> bytes:
        return digest_key(_ID_KEY, config_folder(env))

    schemas: OutputSchemas | None = None  # of the server, whatever policy is in force

    def inspecting(engine: Engine) -> Inspecting | None:
        if not any(layer.inspect for layer in engine.policy.layers):
            return None
        from mcpobs.gate.inspecting import Inspecting  # loads detectors
        from mcpobs.policy.inspect.schemas import OutputSchemas

        nonlocal schemas
        schemas = schemas or OutputSchemas()
        folder = config_folder(env)
        return Inspecting(engine.policy, server, engine.kinds, lambda: digest_key(_MASK_KEY, folder), folder, schemas)

    store = store or MemoryStore()
    thread = None
    if store.blocks:
        from mcpobs.policy.store_thread import StoreThread

        thread = StoreThread()
    return PolicyJudge(Engine(policy, store, server, price, id_key), book, server, thread, inspecting)
