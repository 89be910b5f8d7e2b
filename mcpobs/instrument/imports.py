"""Runs an action on a module once it has been imported. Imports nothing itself.

An exception of an action never reaches the import that caused it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Action = Callable[[ModuleType], None]
Failed = Callable[[Exception], None]


class Imports(MetaPathFinder):
    """The actions that wait for their modules; on `sys.meta_path` until `close`."""

    def __init__(self, actions: dict[str, Action], failed: Failed) -> None:
        self._actions = actions
        self._failed = failed

    def open(self) -> None:
        """Runs the actions of modules that are imported already, and waits for the others."""
        sys.meta_path.insert(0, self)
        for name in self._actions:
            module = sys.modules.get(name)
            if module is not None and not _is_being_imported(module):
                self.apply(name, module)

    def close(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._actions = {}

    def apply(self, name: str, module: ModuleType) -> None:
        action = self._actions.get(name)
        if action is None:
            return
        try:
            action(module)
        except Exception as error:  # a release that we do not know: it is served all the same
            self._failed(error)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._actions:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _NotifyingLoader(spec.loader, self)
                return spec
        return None


class _NotifyingLoader(Loader):
    """A module's own loader, which reports the module once it has run. The module keeps its own loader."""

    def __init__(self, loader: Loader, imports: Imports) -> None:
        self._loader = loader
        self._imports = imports

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imports.apply(module.__name__, module)

    def __getattr__(self, name: str) -> object:  # get_source and the like, by whatever looks at the spec meanwhile
        return getattr(self._loader, name)


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(module.__spec__, "_initializing", False))
