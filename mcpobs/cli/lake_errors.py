"""Says in one error what stopped a command on the lake, whatever lies in the lake. Never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mcpobs.errors import LakeError
from mcpobs.lake.engine import EngineError

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

OUT_OF_MEMORY = LakeError(
    "out of memory", "free some memory, or run the command on another machine; nothing in the lake is lost"
)


def explained(command: Callable[_Given, _Answer]) -> Callable[_Given, _Answer]:
    """Makes a LakeError of what the engine, the decoder and the disk raise."""

    @wraps(command)
    def run(*args: _Given.args, **options: _Given.kwargs) -> _Answer:
        try:
            return command(*args, **options)
        except MemoryError:
            raise OUT_OF_MEMORY from None
        except BrokenPipeError:
            raise
        except (EngineError, UnicodeError, RecursionError, OSError) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise LakeError(
                f"the lake cannot be read or written: {reason}", "`mcpobs lake info` names what is damaged"
            ) from error

    return run
