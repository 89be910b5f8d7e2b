"""The SQL that names sessions of received spans says what the fronts say."""

from __future__ import annotations

import duckdb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcpobs.lake.dialects import naming as sql
from mcpobs.protocol import naming
from mcpobs.protocol.meta import conversation_of
from mcpobs.protocol.operation import Operation, Stamp
from mcpobs.protocol.session import Caller, Identity
from mcpobs.semconv import CONVERSATION_ID
from mcpobs.sessions.remote import RemoteSessions
from tests.lake.test_dialects import made

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=140)  # a surrogate alone is in no protobuf
CONVERSATIONS = TEXTS | st.from_regex(r"[a-z~]{0,9}~[0-9a-f]{15,17}\n?", fullmatch=True) | st.text("a", min_size=127)
_connection = duckdb.connect(":memory:")


@settings(max_examples=500)
@given(CONVERSATIONS, TEXTS, st.none() | TEXTS, st.none() | TEXTS)
def test_sql_and_fronts_name_a_session_alike(conversation, secret, principal, tenant):
    found = _connection.execute(
        f"select {sql.session_digest('s')}, {sql.conversation_name('c')}, {sql.qualified('c', 'p', 't')} "
        "from (select cast($c as varchar) as c, cast($s as varchar) as s, cast($p as varchar) as p, "
        "cast($t as varchar) as t)",
        {"c": conversation, "s": secret, "p": principal, "t": tenant},
    ).fetchall()[0]
    assert found == (
        naming.session_digest(secret),
        naming.conversation_name(conversation),
        naming.qualified(conversation, principal, tenant),
    )


LEGACY, MODERN = "2025-11-25", "2026-07-28"
NAMES = st.none() | st.sampled_from(["a", "b", "x" * 200, "a~0123456789abcdef", "a\n"])


@settings(max_examples=30, deadline=None)
@given(
    NAMES,
    NAMES,
    st.none() | st.sampled_from(["ann", "bob"]),
    st.none() | st.just("acme"),
    st.sampled_from([LEGACY, MODERN]),
)
def test_a_front_and_the_collector_find_the_same_session(session, conversation, principal, tenant, version):
    assume((session is not None and version == LEGACY) or conversation is not None)
    attributes = {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": version,
        "mcp.session.id": session,
        "gen_ai.conversation.id": conversation,
        "enduser.id": principal,
        "mcpobs.tenant": tenant,
    }
    row = made("app", "tools/call t", attributes={key: value for key, value in attributes.items() if value is not None})

    operation = Operation(0, "client", "tools/call", Stamp(1, 1), request_id="1", protocol_version=version)
    operation.conversation_id = conversation_of({CONVERSATION_ID: conversation})
    digest = None if session is None else naming.session_digest(session)
    of_front = RemoteSessions("p").begin(
        operation,
        Caller(
            "c",
            "http",
            protocol_session=digest,
            issued=True,
            identity=Identity(principal, tenant if principal else None),
        ),
    )
    assert (row["session_id"], row["session_source"], row["session_confidence"]) == (
        of_front.id,
        of_front.source,
        of_front.confidence,
    )


def test_every_character_is_judged_alike():
    for first in range(0, 0x110000, 4096):
        texts = [chr(code) for code in range(first, first + 4096) if not 0xD800 <= code < 0xE000]
        rows = _connection.execute(
            f"select {sql.conversation_name('c')} from (select unnest($texts) as c)", {"texts": texts}
        ).fetchall()
        assert [row[0] for row in rows] == [naming.conversation_name(text) for text in texts]
