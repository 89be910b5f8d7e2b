"""The real servers: how each is started, and the calls that make it return given texts."""

from __future__ import annotations

import hashlib
import html
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from bench.clean_traffic.texts import Text
from tests.interop.packages import Packages

FETCH: Final = "mcp-server-fetch==2026.10.24"
LARGEST_PAGE: Final = 60_000
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Server:
    """A server's command, and a call for each of its texts."""

    name: str
    command: list[str]
    calls: list[Call]
    path: str = os.environ["PATH"]


def filesystem(packages: Packages, folder: Path, texts: Sequence[Text]) -> Server:
    files = folder.resolve() / "files"
    files.mkdir(parents=True)
    calls: list[Call] = []
    for number, text in enumerate(texts):
        path = files / f"{number}.txt"
        path.write_text(text.text, encoding="utf-8")
        calls.append(("read_text_file", {"path": str(path)}))
    script = packages.module("@modelcontextprotocol/server-filesystem") / "dist/index.js"
    return Server("filesystem", ["node", str(script), str(files)], calls)


def everything(packages: Packages, texts: Sequence[Text]) -> Server:
    script = packages.module("@modelcontextprotocol/server-everything") / "dist/index.js"
    calls: list[Call] = [("echo", {"message": text.text}) for text in texts]
    return Server("everything", ["node", str(script), "stdio"], calls)


def git(packages: Packages, folder: Path, texts: Sequence[Text]) -> Server:
    """Every text is a commit, which `git_show` returns as a difference."""
    repository = folder / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    stream = b"".join(_commit(number, text.text.encode()) for number, text in enumerate(texts))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository, input=stream, check=True)
    listed = subprocess.run(["git", "rev-list", "--reverse", "main"], cwd=repository, capture_output=True, check=True)
    calls: list[Call] = [
        ("git_show", {"repo_path": str(repository), "revision": revision})
        for revision in listed.stdout.decode().split()
    ]
    command = [str(packages.python / "bin" / "mcp-server-git"), "--repository", str(repository)]
    return Server("git", command, calls)


def _commit(number: int, text: bytes) -> bytes:
    head = b"commit refs/heads/main\ncommitter A <a@example.invalid> %d +0000\n" % (1_700_000_000 + number)
    message = b"add text %d" % number
    return head + b"data %d\n%s\ndeleteall\nM 644 inline text.txt\ndata %d\n%s\n" % (
        len(message),
        message,
        len(text),
        text,
    )


@contextmanager
def fetch(python: Path, texts: Sequence[Text]) -> Iterator[Server]:
    """Serves the texts, every other one as a web page, to mcp-server-fetch."""
    bodies = [text.text if number % 2 else _page(text) for number, text in enumerate(texts)]

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(self.path.strip("/"))
            body = bodies[number].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8" if number % 2 else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    pages = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{pages.server_port}"
        calls: list[Call] = [
            ("fetch", {"url": f"{url}/{number}", "max_length": LARGEST_PAGE}) for number in range(len(bodies))
        ]
        command = [str(python.parent / "mcp-server-fetch"), "--ignore-robots-txt", "--allow-private-ips"]
        yield Server("fetch", command, calls, path="")  # it starts npm for each page if it finds it: 8 s a call
    finally:
        pages.shutdown()


def _page(text: Text) -> str:
    paragraphs = "".join(f"<p>{html.escape(part)}</p>\n" for part in text.text.split("\n\n"))
    head = f"<head><title>{html.escape(text.source)}</title></head>"
    return f"<html>{head}<body><article>{paragraphs}</article></body></html>"


def fetch_python(cache: Path) -> Path:
    """Returns the interpreter of an environment with mcp-server-fetch; makes it if it is missing."""
    from tests.interop import environments

    folder = cache / f"fetch-{hashlib.sha256(json.dumps(FETCH).encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        environments._run([sys.executable, "-m", "venv", "--clear", str(folder)])
        environments._pip(python, "install", "--quiet", FETCH)
        (folder / "complete").touch()
    return python
