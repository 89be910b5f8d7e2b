"""The filters of a report: which tool, session and server are meant, and what is near where none is."""

from __future__ import annotations

from dataclasses import dataclass

from mcpobs.errors import UsageError, nearest
from mcpobs.lake.engine import Connection
from mcpobs.protocol.naming import conversation_name, session_digest
from mcpobs.queries.run import create_views

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """What a report is narrowed to. `session` may be the beginning of an id until it is resolved."""

    tool: str | None = None
    session: str | None = None
    server: str | None = None

    def params(self) -> dict[str, str | None]:
        return {"tool": self.tool, "session": self.session, "server": self.server}

    def __bool__(self) -> bool:
        return not (self.tool is None and self.session is None and self.server is None)


def resolve(connection: Connection, filters: Filters) -> Filters:
    """The filters with the session's whole id, which its beginning, its Mcp-Session-Id or its conversation may name.

    Raises UsageError where it is unknown or several are meant."""
    if filters.session is None:
        return filters
    create_views(connection, ("operations",))
    begun = filters.session
    found, how = _sessions(connection, "starts_with(session_id, $named)", begun), "begin with"
    if not found:
        found, how = _named(connection, begun), "are named"
    if not found:
        raise _unknown("session", begun, _distinct(connection, "session_id"))
    if begun not in found and len(found) > 1:
        listed = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise UsageError(f"several sessions {how} {begun!r}", f"say more of the id: {listed}")
    return Filters(filters.tool, begun if begun in found else found[0], filters.server)


def _named(connection: Connection, name: str) -> list[str]:
    """Sessions by what a user has in hand and no id begins with: the session id on the wire, or a conversation."""
    digests = (session_digest(name), conversation_name(name))
    begins = "starts_with(session_id, $named)"
    found = [session for digest in digests for session in _sessions(connection, begins, digest)]
    if found:
        return found
    conversation = "try(json_extract_string(session_candidates, '$.conversation')) = $named"
    return _sessions(connection, conversation, conversation_name(name))


def _sessions(connection: Connection, condition: str, named: str) -> list[str]:
    rows = connection.execute(
        f"select distinct session_id from operations where session_id is not null and {condition} "
        "order by session_id limit $most",
        {"named": named, "most": _SHOWN + 1},
    ).fetchall()
    return [str(row[0]) for row in rows]


def check_known(connection: Connection, filters: Filters) -> None:
    """Raises UsageError where the lake has never seen the tool or the server: for an answer that is empty."""
    create_views(connection, ("operations",))
    for word, column, name in (("tool", "tool", filters.tool), ("server", "service_name", filters.server)):
        if name is not None:
            known = _distinct(connection, column)
            if name not in known:
                raise _unknown(word, name, known)


def _distinct(connection: Connection, column: str) -> list[str]:
    sql = f"select distinct {column} from operations where {column} is not null order by {column}"
    return [str(row[0]) for row in connection.execute(sql).fetchall()]


def _unknown(word: str, name: str, known: list[str]) -> UsageError:
    close = nearest(name, known)
    if close:
        hint = f"did you mean {close!r}?"
    elif known:
        hint = f"known: {', '.join(known[:_SHOWN])}" + (
            f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
        )
    else:
        hint = "the lake holds no calls yet"
    return UsageError(f"the lake has no {word} {name!r}", hint)
