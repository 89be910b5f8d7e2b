"""Trains the linear model: hashes texts, and runs `descent.c`, which is compiled for the run."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from bench.injection.hashing import BLOCK
from mcpobs.detect.native.library import Ngrams

SOURCE: Final = Path(__file__).with_name("descent.c")
READING_CHARACTERS: Final = 100_000
BLOCKS_MOST: Final = 8000
"""Of one text, as `descent.c` has room for; an attack after so many is not learnt."""

WINDOW_LEAST: Final = 2
WINDOW_MOST: Final = 6
"""Blocks of a window, as in `descent.c` and `ngrams.c`."""
LEVELS: Final = 255
FLAGS: Final = ("-std=c11", "-O2", "-fPIC", "-shared", "-ffp-contract=off")  # a fused product would differ per machine


@dataclass(frozen=True)
class Settings:
    bits: int = 17
    least: int = 3
    warm: int = 4
    epochs: int = 10
    rate: float = 0.003
    decay: float = 1e-4
    seed: int = 20261130


class Hashed:
    """The n-gram hashes of one text's readings, block by block. Empty blocks keep two readings out of one window."""

    def __init__(self, library: Ngrams, readings: Sequence[str]) -> None:
        self.hashes, self.counts = array("I"), array("I")
        for number, reading in enumerate(readings):
            if len(self.counts) + len(reading) // BLOCK > BLOCKS_MOST:
                break
            pairs = library.hashes(reading[:READING_CHARACTERS])
            counts = [0] * (pairs[-1][0] + 1 if pairs else 1)
            for block, _ in pairs:
                counts[block] += 1
            self.hashes.extend(hash_ for _, hash_ in pairs)
            self.counts.extend([*([0] * WINDOW_MOST if number else []), *counts])


@dataclass(frozen=True)
class Model:
    weights: array[float]
    bias: float
    bits: int

    def rounded(self) -> tuple[array[int], float]:
        """The weights as the product holds them, and the scale that turns them back. Few levels: they pack well."""
        scale = max(map(abs, self.weights)) / LEVELS or 1.0
        return array("h", [round(weight / scale) for weight in self.weights]), scale

    def score(self, text: Hashed) -> float:
        """The margin of the worst window, with the weights before they are rounded."""
        shift, start, best, sums = 32 - self.bits, 0, -1e30, []
        for number, count in enumerate(text.counts):
            sums.append(sum([self.weights[hash_ >> shift] for hash_ in text.hashes[start : start + count]]))
            start += count
            least = 1 if len(text.counts) == 1 else WINDOW_LEAST
            for size in range(least, min(WINDOW_MOST, number + 1) + 1):
                best = max(best, sum(sums[-size:]))
        return best + self.bias


def train(
    texts: Sequence[Hashed], labels: Sequence[int], shares: Sequence[float], groups: Sequence[str], given: Settings
) -> Model:
    order = sorted(range(len(texts)), key=lambda index: groups[index])  # groups have to be together
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups[index] for index in order))}
    hashes, block_ends, text_ends = array("I"), array("Q"), array("Q")
    end = 0
    for index in order:
        hashes.extend(texts[index].hashes)
        for count in texts[index].counts:
            end += count
            block_ends.append(end)
        text_ends.append(len(block_ends))
    weights, bias = array("f", bytes(4 << given.bits)), ctypes.c_float()
    failed = _library().descend(
        *(_address(hashes), _address(block_ends), _address(text_ends)),
        _address(array("B", [labels[index] for index in order])),
        _address(array("f", [shares[index] for index in order])),
        _address(array("I", [numbers[groups[index]] for index in order])),
        *(len(order), given.bits, given.least, given.warm, given.epochs),
        *(ctypes.c_float(given.rate), ctypes.c_float(given.decay), ctypes.c_uint64(given.seed)),
        *(_address(weights), ctypes.byref(bias)),
    )
    if failed:
        raise MemoryError
    return Model(weights, bias.value, given.bits)


def _address(numbers: array[int] | array[float]) -> ctypes.Array[ctypes.c_char]:
    return (ctypes.c_char * (len(numbers) * numbers.itemsize)).from_buffer(numbers)


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "descent.so")
        subprocess.run(["cc", *FLAGS, str(SOURCE), "-o", str(made), "-lm"], check=True)
        library = ctypes.CDLL(str(made))
    library.descend.restype = ctypes.c_int
    return library
