"""Has a separate process convert large JSON requests to protobuf, one at a time. Parses nothing."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

from mcpobs import interpreter
from mcpobs.collector.converting import HEAD, Status
from mcpobs.collector.intake import RefusedError
from mcpobs.lake.otlp.request import MalformedError, TooManyValuesError

RETRY_S = 5.0
KEPT_BYTES = 2 << 20
"""A process is ended after a larger request: it would not release the memory otherwise."""


class Converter:
    """Owns the converting process, which is started on demand. `close` it."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def convert(self, body: bytes) -> bytes:
        """Returns the request as protobuf. Raises MalformedError; RefusedError if the process cannot convert it now."""
        async with self._turn:
            kept = False
            try:
                status, content = await self._asked(body)
                kept = len(body) <= KEPT_BYTES
            except (OSError, asyncio.IncompleteReadError):
                raise RefusedError("unavailable", "the process that reads JSON has ended", RETRY_S) from None
            finally:
                if not kept:
                    await self._end()
        if status is Status.CONVERTED:
            return content
        if status is Status.OUT_OF_MEMORY:
            raise RefusedError("unavailable", "there is not enough memory to read this JSON", RETRY_S)
        kind = TooManyValuesError if status is Status.TOO_MANY_VALUES else MalformedError
        raise kind(content.decode())

    async def close(self) -> None:
        async with self._turn:
            await self._end()

    async def _asked(self, body: bytes) -> tuple[Status, bytes]:
        process = self._process = self._process or await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HEAD.pack(0, len(body)))
        process.stdin.write(body)
        await process.stdin.drain()
        status, size = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        return Status(status), await process.stdout.readexactly(size)

    async def _started(self) -> Process:
        command = interpreter.command("mcpobs.collector.converting")
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)

    async def _end(self) -> None:
        """Ends the process. Nothing is lost: nobody waits for a request that it still holds."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
