"""Runs the sample MCP server: a shop with five tools, on the MCP SDK. Run by `python -m mcpobs.sample.server`."""

from __future__ import annotations

import zlib

import anyio
from mcp.server import MCPServer

shop = MCPServer("shop", version="1.0", log_level="CRITICAL")

CITIES = ("Lisbon", "Oslo", "Turin", "Gdansk")
PAYMENTS_DOWN = "DOWN"


def _steady(text: str, low: float, high: float) -> float:
    """Returns a duration in seconds between two bounds, always the same for the same text."""
    return low + (high - low) * (zlib.crc32(text.encode()) % 1000) / 1000


@shop.tool()
async def search_orders(query: str, limit: int = 5) -> list[str]:
    """Order numbers that match a query."""
    await anyio.sleep(_steady(query, 0.004, 0.03))
    if "unknown" in query:
        return []
    return [f"A{zlib.crc32(query.encode()) % 9000 + i}" for i in range(min(limit, 5))]


@shop.tool()
async def get_order(order_id: str) -> dict[str, str]:
    """One order."""
    await anyio.sleep(_steady(order_id, 0.002, 0.012))
    return {"order_id": order_id, "city": CITIES[len(order_id) % 4], "state": "shipped"}


@shop.tool()
async def list_products(page: int = 1) -> list[dict[str, str]]:
    """A page of the catalogue."""
    await anyio.sleep(_steady(str(page), 0.003, 0.01))
    return [{"sku": f"P{page * 10 + i}", "name": f"Product {page * 10 + i}"} for i in range(10)]


@shop.tool()
async def refund(order_id: str, amount: float) -> str:
    """Pays money back."""
    await anyio.sleep(_steady(order_id, 0.08, 0.2))
    if order_id.endswith(PAYMENTS_DOWN):
        raise RuntimeError("payment backend is not reachable")
    return f"refunded {amount} for {order_id}"


@shop.tool()
async def send_mail(to: str, subject: str, body: str) -> str:
    """Writes to a customer."""
    await anyio.sleep(_steady(to + subject, 0.02, 0.06))
    return f"sent to {to}"


if __name__ == "__main__":
    shop.run("stdio")
