"""Loads the decoder in C (`decode.c`) as a shared library. `otlp/plain.py` does the same in Python.

The library is built with the package if there is a C compiler (`hatch_build.py`). It runs without the interpreter's
lock, and returns its columns through the Arrow C stream interface.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES, PROMOTED, RAW, RawType
from mcpobs.lake.otlp.request import Body, Checked, MalformedError, why

DECODER_VARIABLE: Final = "MCPOBS_OTLP_DECODER"
LIBRARY: Final = Path(__file__).with_name("_decode.so")

_TYPES: Final[dict[RawType, int]] = {"text": 0, "json": 1, "bigint": 2, "smallint": 3, "boolean": 4}
_NO_MEMORY: Final = 4


class _Place(ctypes.Structure):
    _fields_ = (("request", ctypes.c_uint64), ("byte", ctypes.c_uint64))


class Batch:
    """Decoded spans. Its stream can be requested any number of times; each has all spans."""

    def __init__(self, library: ctypes.CDLL, pointer: ctypes.c_void_p) -> None:
        self._library = library
        self._pointer = pointer
        self.rows: int = library.mcpobs_otlp_rows(pointer)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        stream = self._library.mcpobs_otlp_stream(self._pointer)
        if not stream:
            raise MemoryError
        return _new_capsule(stream, b"arrow_array_stream", self._library.mcpobs_otlp_end_capsule)

    def __del__(self) -> None:
        self._library.mcpobs_otlp_release(self._pointer)  # memory that a stream still needs stays until the stream ends


class Native:
    """The prepared library. Raises OSError if it is not built."""

    def __init__(self, path: Path = LIBRARY, expanded_bytes: int = MAX_EXPANDED_BYTES) -> None:
        library = ctypes.CDLL(str(path))
        try:
            _declare(library)
        except AttributeError as error:  # built from an older source
            raise OSError(f"{path} does not fit this version of mcpobs ({error})") from None
        names, types = list(RAW), list(RAW.values())
        columns = [names.index(promoted.column) for promoted in PROMOTED]
        prepared = library.mcpobs_otlp_prepare(
            len(names),
            _strings(names),
            bytes(_TYPES[type_] for type_ in types),
            len(PROMOTED),
            _strings([promoted.attribute for promoted in PROMOTED]),
            (ctypes.c_uint32 * len(columns))(*columns),
            bytes(promoted.kept for promoted in PROMOTED),
            int.from_bytes(os.urandom(8), "little"),
            _powers_of_ten(),
            expanded_bytes,
            ctypes.cast(ctypes.pythonapi.PyCapsule_GetPointer, ctypes.c_void_p),
        )
        if prepared:
            raise OSError(f"{path} does not fit this version of mcpobs ({prepared})")
        self._library = library

    def check(self, body: bytes) -> Checked:
        counts, place = (ctypes.c_uint64 * len(Checked._fields))(), _Place()
        _raise(self._library.mcpobs_otlp_check(body, len(body), counts, ctypes.byref(place)), place)
        return Checked(*counts)

    def expanded(self, body: Body) -> int:
        size, place = ctypes.c_uint64(), _Place()
        failed = self._library.mcpobs_otlp_expanded(_address(body), len(body), ctypes.byref(size), ctypes.byref(place))
        _raise(failed, place)
        return size.value

    def json_values(self, text: bytes, most: int) -> int:
        return int(self._library.mcpobs_otlp_json_values(text, len(text), most))

    def decode(self, bodies: Sequence[Body]) -> Batch:
        pointer, place, count = ctypes.c_void_p(), _Place(), len(bodies)
        failed = self._library.mcpobs_otlp_decode(
            (ctypes.c_void_p * count)(*map(_address, bodies)),
            (ctypes.c_size_t * count)(*map(len, bodies)),
            count,
            ctypes.byref(pointer),
            ctypes.byref(place),
        )
        _raise(failed, place)
        return Batch(self._library, pointer)


def _address(body: Body) -> int | None:
    """Returns the body's address, valid as long as the body lives."""
    if isinstance(body, bytes):
        return ctypes.cast(ctypes.c_char_p(body), ctypes.c_void_p).value
    return ctypes.addressof(ctypes.c_char.from_buffer(body)) if body else None


def _raise(code: int, place: _Place) -> None:
    if code == 0:
        return
    if code == _NO_MEMORY:
        raise MemoryError
    raise MalformedError(why(code, None if place.byte == 2**64 - 1 else place.byte))


def _strings(strings: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    made = (ctypes.c_char_p * len(strings))(*(string.encode() for string in strings))
    _KEPT.append(made)
    return made


_KEPT: Final[list[object]] = []
"""Buffers that the library keeps using."""


def _powers_of_ten() -> ctypes.Array[ctypes.c_uint64]:
    """Returns, for k from -292 to 324, the upper 128 bits of 10^k, rounded up: the high 64, then the low 64."""
    halves: list[int] = []
    for k in range(-292, 325):
        exponent = (k * 1741647 >> 19) - 127  # so that 2^127 <= 10^k / 2^exponent < 2^128
        above, below = (10**k, 1) if k >= 0 else (1, 10**-k)
        above, below = (above << max(-exponent, 0)), (below << max(exponent, 0))
        high, low = divmod(-(-above // below), 2**64)
        halves += high, low
    return (ctypes.c_uint64 * len(halves))(*halves)


def _declare(library: ctypes.CDLL) -> None:
    void, size, pointer = ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER
    strings = pointer(ctypes.c_char_p)
    library.mcpobs_otlp_prepare.argtypes = [
        *(size, strings, ctypes.c_char_p),
        *(size, strings, pointer(ctypes.c_uint32), ctypes.c_char_p),
        *(ctypes.c_uint64, pointer(ctypes.c_uint64), ctypes.c_uint64, void),
    ]
    library.mcpobs_otlp_prepare.restype = ctypes.c_int
    library.mcpobs_otlp_check.argtypes = [ctypes.c_char_p, size, pointer(ctypes.c_uint64), pointer(_Place)]
    library.mcpobs_otlp_check.restype = ctypes.c_int
    library.mcpobs_otlp_expanded.argtypes = [void, size, pointer(ctypes.c_uint64), pointer(_Place)]
    library.mcpobs_otlp_expanded.restype = ctypes.c_int
    library.mcpobs_otlp_json_values.argtypes = [ctypes.c_char_p, size, ctypes.c_uint64]
    library.mcpobs_otlp_json_values.restype = ctypes.c_uint64
    library.mcpobs_otlp_decode.argtypes = [pointer(void), pointer(size), size, pointer(void), pointer(_Place)]
    library.mcpobs_otlp_decode.restype = ctypes.c_int
    library.mcpobs_otlp_rows.argtypes = [void]
    library.mcpobs_otlp_rows.restype = ctypes.c_int64
    library.mcpobs_otlp_stream.argtypes = [void]
    library.mcpobs_otlp_stream.restype = void
    library.mcpobs_otlp_release.argtypes = [void]
    library.mcpobs_otlp_release.restype = None


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_new_capsule.restype = ctypes.py_object
