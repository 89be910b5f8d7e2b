"""What is known of a server and of its clients beyond one connection."""

from __future__ import annotations

from mcpobs.protocol.declared import Declarations
from mcpobs.protocol.operation import Peer

MAX_PEERS = 1_024


class Known:
    """Shared by the conversations with one server. Where each request is a conversation of its own, this is all that
    lasts: what the server declared, who it is, and the places of the operations."""

    def __init__(self) -> None:
        self.tools = Declarations()
        self.prompts = Declarations()
        self.place = 0
        self._peers: dict[tuple[str | None, str | None], Peer] = {}
        self.server = self.peer(None, None)

    def next_place(self) -> int:
        """The sequence of the next operation."""
        place = self.place
        self.place = place + 1
        return place

    def peer(self, name: str | None, version: str | None) -> Peer:
        """The same object for the same peer: rows that share it share what is written of it."""
        found = self._peers.get((name, version))
        if found is None:
            if len(self._peers) >= MAX_PEERS:
                self._peers.clear()
            found = self._peers[name, version] = Peer(name, version)
        return found
