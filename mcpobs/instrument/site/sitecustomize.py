"""What Python runs at its start under `mcpobs instrument --in-process`: instruments the process, and nothing more.

It takes itself out of the way first: a `sitecustomize` of the user's own runs as it would have without us. It may run
in any Python 3, so it imports mcpobs only in `_instrument`.
"""

import importlib
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_OPTIONS = "MCPOBS_IN_PROCESS"  # as launched.py has it
_DISTRIBUTION = "mcpobs-otel"  # another distribution of the index is called mcpobs


def _step_aside() -> None:
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")  # the user's
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:  # the import of ours ends with a look at its entry, and fails without one
            sys.modules["sitecustomize"] = ours


def _instrument(options: str) -> None:
    try:
        from mcpobs.instrument.launched import start

        start(options)
    except Exception as error:  # the server goes on, whatever is wrong with us, unless a policy must be enforced
        _explain(options, _reason(error))


def _explain(options: str, reason: str) -> None:
    """Leaves it to the watcher, because this process may only start the server; without one, writes it to stderr."""
    import json

    given = json.loads(options)
    reports, enforces = given.get("reports"), bool(given.get("policy"))
    if reports is not None or enforces:
        _report(reports, f"failed {reason}")
        sys.meta_path.insert(0, _Sdks(reports, reason, enforces))
        return
    hint = f"hint: install the distribution {_DISTRIBUTION} for {sys.executable}, or leave out --in-process"
    sys.stderr.write(f"mcpobs: warning: nothing is recorded: {reason}\n{hint}\n")


class _Sdks:
    """Notices that this process, which cannot load mcpobs, loads an SDK: its calls are lost. With a policy it must not
    serve them: it ends with 2."""

    def __init__(self, reports: str | None, reason: str, enforces: bool) -> None:
        self._reports = reports
        self._reason = reason
        self._enforces = enforces

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in ("mcp", "fastmcp"):
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
            _report(self._reports, f"lost {self._reason}")
            if self._enforces:
                sys.stderr.write(f"mcpobs: error: cannot enforce the policy: {self._reason}\n")
                sys.stderr.flush()
                os._exit(2)


def _report(reports: str | None, line: str) -> None:
    """As launched.report, which cannot be imported here."""
    if reports is None:
        return
    try:
        descriptor = os.open(reports, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)
    except OSError:
        pass  # the watcher has ended


def _reason(error: Exception) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return type(error).__name__
    name = error.name or "a package"
    if name.startswith("mcpobs."):
        return f"a package of somebody else has the name mcpobs there ({sys.executable})"
    return f"{name} is not installed there ({sys.executable})"


_options = os.environ.get(_OPTIONS)
try:
    _step_aside()
finally:
    if _options is not None:
        _instrument(_options)
