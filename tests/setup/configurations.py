"""Configurations as people have them, each by the name of its client."""

from __future__ import annotations

from pathlib import Path

from mcpobs.setup import clients, files, plan
from mcpobs.setup.clients import Client, Place
from mcpobs.setup.plan import Plan
from mcpobs.setup.wrapping import Front

FOLDER = Path(__file__).with_name("configurations")
ALL = sorted(FOLDER.iterdir())
FRONT = Front(("/opt/tools/mcpobs",))
CLIENTS = {client.name: client for client in clients.CLIENTS}


def client_of(path: Path) -> Client:
    return CLIENTS[path.stem.rpartition("-")[0]]


def planned(path: Path, client: Client, front: Front = FRONT, only: tuple[str, ...] = ()) -> Plan:
    return plan.wrap(Place(client, path), files.read(path), front, only)


def reverted(path: Path, client: Client, only: tuple[str, ...] = ()) -> Plan:
    """Without a backup: what mcpobs can tell from the text alone."""
    return plan.unwrap(Place(client, path), files.read(path), only, None)
