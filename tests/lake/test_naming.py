"""The SQL that names sessions of received spans says what the fronts say."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.lake.dialects import naming as sql
from mcpobs.protocol import naming

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


def test_every_character_is_judged_alike():
    for first in range(0, 0x110000, 64):
        texts = [chr(code) for code in range(first, first + 64) if not 0xD800 <= code < 0xE000]
        rows = _connection.execute(
            f"select {sql.conversation_name('c')} from (select unnest($texts) as c)", {"texts": texts}
        ).fetchall()
        assert [row[0] for row in rows] == [naming.conversation_name(text) for text in texts]
