"""Sends an odd answer, byte for byte, for servers in tests."""

from __future__ import annotations

from aiohttp import web

from tests.proxy.http.answers import OddAnswer


class _Bare(web.StreamResponse):
    """A response with no header but its own: aiohttp adds a content type."""

    async def _prepare_headers(self) -> None:
        names = set(self.headers)
        await super()._prepare_headers()
        if "Content-Type" not in names:
            self.headers.popall("Content-Type", None)


async def send(request: web.BaseRequest, answer: OddAnswer, request_id: int) -> web.StreamResponse:
    """Answers the request; a body of several parts comes in chunks."""
    body = answer.body(request_id)
    response = _Bare(status=answer.status, headers=answer.all_headers())
    if answer.parts == 1:
        response.content_length = len(body)
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    step = -(-len(body) // answer.parts) or 1
    for at in range(0, len(body), step):
        await response.write(body[at : at + step])
    await response.write_eof()
    return response
