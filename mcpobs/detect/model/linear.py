"""Scores texts with the shipped weights. Off (None) if the library in C is not built.

`weights.bin` holds 2**bits weights (int16, little-endian, compressed by zlib); `training.json` beside it holds the
scale, the bias, and the record of the training (`bench/injection/train.py`).
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mcpobs.detect.native.library import Ngrams


@dataclass(frozen=True, slots=True)
class Linear:
    library: Ngrams
    weights: bytes
    bits: int
    scale: float
    bias: float

    def score(self, texts: Iterable[str]) -> float:
        """Returns the margin of the worst window of the worst text: above 0 looks like an attack."""
        worst = max((self.library.score(text, self.weights, self.bits) for text in texts), default=0)
        return worst * self.scale + self.bias


def score(texts: Iterable[str]) -> float | None:
    """Returns the margin of the worst window, or None if the model is off."""
    model = _loaded()
    return model.score(texts) if isinstance(model, Linear) else None


def missing() -> str | None:
    """Returns why the model is off, or None if it is in use."""
    model = _loaded()
    return None if isinstance(model, Linear) else model


@cache
def _loaded() -> Linear | str:
    try:
        library = Ngrams()
    except OSError as error:
        return str(error)
    folder = files(__package__)
    record = json.loads(folder.joinpath("training.json").read_bytes())
    weights = array("h", zlib.decompress(folder.joinpath("weights.bin").read_bytes()))
    if sys.byteorder == "big":
        weights.byteswap()
    return Linear(library, weights.tobytes(), record["bits"], record["scale"], record["bias"])
