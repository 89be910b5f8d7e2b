"""The keys that sign bearer tokens, from a file or a URL. Never blocks the event loop, and never raises once it runs.

A URL is fetched in a thread, by one fetch at a time. Keys that are known are used while new ones are fetched, so an
identity provider that hangs or fails delays no caller whose key is known.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from mcpobs import safefile
from mcpobs.errors import UsageError

if TYPE_CHECKING:
    from http.client import HTTPMessage

    import jwt

FRESH_S = 240.0  # then they are fetched again, in the background
STALE_S = 86_400.0  # keys of a provider that does not answer are used for so long
RETRY_S = 10.0  # between two fetches because of an unknown key, or a failure
FIRST_WAIT_S = 1.0  # for a request that comes before any keys are there
START_WAIT_S = 2.0  # for the start of the front
TIMEOUT_S = 5.0  # of one step of a fetch
FETCH_S = 15.0  # of all of it
MAX_BYTES = 1 << 20
MAX_KEYS = 256
MAX_RSA_BITS = 8192  # a signature takes 0.4 ms to verify; the time grows with the square
MAX_RSA_EXPONENT_BITS = 32
MAX_REDIRECTS = 3
_FIT = {"n": MAX_RSA_BITS, "e": MAX_RSA_EXPONENT_BITS, "x": 1024, "y": 1024}


class KeysError(Exception):
    """A document that holds no usable keys, or that may not be fetched."""


class Keys:
    """The keys of one file or URL. `key` may be called at any time; it never waits."""

    def __init__(self, place: str) -> None:
        self._is_url = place.lower().startswith(("http://", "https://"))
        self._place = place
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_s = self._tried_s = float("-inf")  # by the monotonic clock
        self._fetching: threading.Thread | None = None
        self._waiting: list[Callable[[], None]] = []
        self.fetches = 0
        self.failed: str | None = None
        """Why the last fetch failed."""
        if self._is_url:
            self._fetch_again().join(START_WAIT_S)
            return
        if "://" in place:
            raise UsageError(f"[identity] jwks {place.partition('://')[0]}:// cannot be fetched", "name an https URL")
        path = Path(place).expanduser()
        try:
            self._keys = read_keys(safefile.read_trusted(path, MAX_BYTES))
        except safefile.ExposedError as error:
            raise UsageError(f"[identity] jwks {path} is not used: {error.strerror}", error.remedy) from None
        except (OSError, KeysError) as error:
            raise UsageError(f"[identity] jwks {path} holds no keys: {error}", "name a JWK set, by RFC 7517") from None

    @property
    def are_known(self) -> bool:
        """Whether there are keys that may be used."""
        return bool(self._keys) and not (self._is_url and time.monotonic() - self._fetched_s > STALE_S)

    def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id; the only one without an id. Has them fetched in the background where that may help."""
        found = self._keys.get(key_id) if self.are_known else None
        if found is None and key_id is None and len(self._keys) == 1 and self.are_known:
            (found,) = self._keys.values()
        if self._is_url:
            now_s = time.monotonic()
            is_due = found is None or now_s - self._fetched_s > FRESH_S
            if is_due and now_s - self._tried_s > RETRY_S:
                self._fetch_again()
        return found

    async def wait(self) -> None:
        """Waits for the first keys, no longer than FIRST_WAIT_S; not at all once they were there, or could not be
        fetched."""
        if self.are_known or self._fetching is None:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ended.set)

        with self._lock:
            if self._fetching is None:
                return
            self._waiting.append(wake)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_WAIT_S):
                await ended.wait()

    def _fetch_again(self) -> threading.Thread:
        with self._lock:
            if self._fetching is None:
                self._tried_s = time.monotonic()
                self.fetches += 1
                self._fetching = threading.Thread(target=self._fetch, name="jwks", daemon=True)
                self._fetching.start()
            return self._fetching

    def _fetch(self) -> None:
        try:
            keys = read_keys(fetched(self._place))
        except Exception as error:  # of the network, of TLS, or of what came
            self.failed = type(error).__name__
        else:
            self.failed = None
            self._keys, self._fetched_s = keys, time.monotonic()
        with self._lock:
            self._fetching = None
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


def read_keys(document: bytes) -> dict[str | None, jwt.PyJWK]:
    """The usable keys of a JWK set, by their ids. Raises KeysError if there are none."""
    import jwt

    try:
        listed = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeysError("it is no JWK set") from None
    keys: dict[str | None, jwt.PyJWK] = {}
    for number, item in enumerate(listed[:MAX_KEYS] if isinstance(listed, list) else ()):
        if not isinstance(item, dict) or not _is_fit(item):
            continue
        with suppress(jwt.PyJWTError, ValueError, TypeError):  # of a kind that we do not know
            key = jwt.PyJWK.from_dict(item)
            keys[key.key_id if key.key_id is not None else f"\0{number}"] = key
    if not keys:
        raise KeysError("it has no usable keys")
    return keys


def _is_fit(item: Mapping[str, object]) -> bool:
    """Whether verifying with the key takes a short time, and it is a public key."""
    if item.get("kty") == "oct":
        return False
    for name, most_bits in _FIT.items():
        text = item.get(name)
        if text is None:
            continue
        try:
            number = base64.urlsafe_b64decode(text + "==") if isinstance(text, str) else None
        except (binascii.Error, ValueError):
            return False
        if number is None or len(number) > 4 * MAX_RSA_BITS or int.from_bytes(number).bit_length() > most_bits:
            return False
    return True


def fetched(url: str) -> bytes:
    """The document at a URL. Blocks; raises OSError or KeysError."""
    opener = urllib.request.build_opener(_Redirects)
    until_s = time.monotonic() + FETCH_S
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "mcpobs"})
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(65_536):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise KeysError(f"it is larger than {MAX_BYTES} bytes")
            if time.monotonic() > until_s:
                raise KeysError(f"it took longer than {FETCH_S:g} s")
    return b"".join(parts)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows few redirects, and none away from https or to another scheme."""

    max_redirections = MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        place = urlsplit(urljoin(req.full_url, newurl))
        if place.scheme not in ("http", "https") or (req.type == "https" and place.scheme != "https"):
            raise KeysError("it redirects to an unsafe URL")
        done: dict[str, Any] = getattr(req, "redirect_dict", {})
        if sum(done.values()) >= MAX_REDIRECTS:
            raise KeysError("it redirects too often")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
