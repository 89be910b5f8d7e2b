"""What Python runs at its start under `mcpobs instrument --in-process`: instruments the process, and nothing after it.

It takes itself out of the way first: what this process starts is not instrumented, and a `sitecustomize` of the
user's own runs as it would have without us.
"""

import importlib
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_OPTIONS = "MCPOBS_IN_PROCESS"  # as launcher.py sets it
_DISTRIBUTION = "mcpobs-otel"  # another distribution of the index is called mcpobs


def _step_aside() -> None:
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _HERE]
    left = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != _HERE]
    if left:
        os.environ["PYTHONPATH"] = os.pathsep.join(left)
    else:
        os.environ.pop("PYTHONPATH", None)
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
        import json

        from mcpobs.instrument.entry import instrument

        instrument(**json.loads(options))
    except Exception as error:
        if '"policy"' in options:  # a server whose policy is not enforced must not serve
            sys.stderr.write(f"mcpobs: error: cannot enforce the policy: {_reason(error)}\n")
            sys.stderr.flush()
            os._exit(2)
        # Otherwise the server goes on, whatever is wrong with us.
        hint = f"hint: install the distribution {_DISTRIBUTION} for {sys.executable}, or leave out --in-process"
        sys.stderr.write(f"mcpobs: warning: nothing is recorded: {_reason(error)}\n{hint}\n")


def _reason(error: Exception) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return type(error).__name__
    name = error.name or "a package"
    if name.startswith("mcpobs."):
        return "a package of somebody else has the name mcpobs there"
    return f"{name} is not installed there"


_options = os.environ.pop(_OPTIONS, None)
try:
    _step_aside()
finally:
    if _options is not None:
        _instrument(_options)
