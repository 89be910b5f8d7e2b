"""Runs the detectors of the call path over pieces, and counts what they find by place and rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

from mcpobs.detect import injection, personal
from mcpobs.errors import UsageError, nearest
from mcpobs.scan.found import WHOLE, Found
from mcpobs.scan.piece import Piece, Window, shown

Classify = Callable[[str], float]
"""Scores a text between 0 and 1."""

INJECTION: Final = "injection"
MODEL: Final = "model"
CLASSIFIER: Final = "classifier"
WORDS: Final = (INJECTION, *personal.GROUPS, *sorted(personal.KINDS))
MAX_SHOWN: Final = 120


class _Hit(NamedTuple):
    """A match in a window of a piece."""

    window: int
    start: int
    end: int
    find: str
    rule: str
    family: str | None = None
    score: float | None = None


def words_of(text: str) -> frozenset[str]:
    """Returns the words of `--find`. Raises UsageError for an unknown one."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words or [""]:
        if word not in WORDS:
            close = nearest(word, WORDS)
            raise UsageError(
                f"--find {word!r} is not known",
                f"did you mean {close}?" if close else "write injection, personal or secrets, with commas between",
            )
    return frozenset(words)


class Scanners:
    """Looks for some kinds of findings. An injection counts above the threshold of a rate."""

    def __init__(
        self,
        finds: frozenset[str],
        rate: float,
        *,
        show: bool = False,
        classify: Classify | None = None,
        classifier_score: float = 1.0,
    ) -> None:
        self._injection = INJECTION in finds
        self._kinds = personal.expanded(finds - {INJECTION})
        self._threshold = injection.threshold(rate) if self._injection else 0.0
        self._show = show
        self._classify, self._classifier_score = classify, classifier_score

    def scan(self, piece: Piece) -> list[Found]:
        """Returns the findings of a piece in the order of their places."""
        texts = [window.text for window in piece.windows]
        hits = [*self._personal(piece.windows), *self._injections(texts), *self._classified(texts)]
        return _counted(piece, sorted(hits, key=lambda hit: hit[:5]), self._show)

    def _personal(self, windows: Sequence[Window]) -> Iterator[_Hit]:
        if not self._kinds:
            return
        for place, window in enumerate(windows):
            for kind, start, end in personal.find(window.text, self._kinds, window.key):
                yield _Hit(place, start, end, "secrets" if kind in personal.SECRETS else "personal", kind)

    def _injections(self, texts: Sequence[str]) -> Iterator[_Hit]:
        if not self._injection:
            return
        scanned = injection.scan(texts)
        if scanned.score <= self._threshold:
            return
        for hit in scanned.hits:
            yield _Hit(hit.text, hit.start, hit.end, INJECTION, hit.rule, hit.family, scanned.score)
        if not scanned.hits:
            yield _Hit(0, 0, 0, INJECTION, WHOLE, MODEL, scanned.score)

    def _classified(self, texts: Sequence[str]) -> Iterator[_Hit]:
        if self._classify is not None and (score := self._classify("\n".join(texts))) >= self._classifier_score:
            yield _Hit(0, 0, 0, INJECTION, WHOLE, CLASSIFIER, score)


def _counted(piece: Piece, hits: Sequence[_Hit], show: bool) -> list[Found]:
    """Returns one finding for each place and rule. Matches that the previous window has too are left out."""
    windows = piece.windows
    secret = {windows[hit.window].text for hit in hits if windows[hit.window].is_key}
    found: dict[tuple[str, str, str], list[_Hit]] = {}
    for hit in hits:
        if hit.end > windows[hit.window].fresh or hit.rule == WHOLE:
            found.setdefault((_place(piece, hit, secret), hit.find, hit.rule), []).append(hit)
    return [_found(piece, place, same, show) for (place, _, _), same in found.items()]


def _found(piece: Piece, place: str, same: Sequence[_Hit], show: bool) -> Found:
    first = same[0]
    window = piece.windows[first.window]
    return Found(
        piece.source,
        place,
        first.find,
        first.family,
        first.rule,
        None if first.rule == WHOLE else window.start + first.start,
        len(same),
        None if first.score is None else round(first.score, 3),
        window.text[first.start : min(first.end, first.start + MAX_SHOWN)] if show else None,
    )


def _place(piece: Piece, hit: _Hit, secret: Collection[str]) -> str:
    window = piece.windows[hit.window]
    if window.line is not None:
        return str(window.line + window.text.count("\n", 0, hit.start))
    path = "" if not window.path or hit.rule == WHOLE else shown(window.path, window.is_key, secret)
    return ":".join(part for part in (piece.place, path) if part) or "$"
