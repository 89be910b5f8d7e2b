"""An ASGI application on a real socket, served by uvicorn in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

START_S = 20


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[str]:
    """The URL of the served application."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(START_S)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_S)


def as_user(app: Any, user: object) -> Any:
    """The application behind an authentication that verified this user."""

    async def authenticated(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["user"] = user
        await app(scope, receive, send)

    return authenticated
