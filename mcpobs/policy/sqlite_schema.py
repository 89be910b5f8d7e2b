"""The tables of the shared file. Names that callers choose are bytes: a lone surrogate is no text for SQLite."""

from __future__ import annotations

VERSION = 1
"""A version that older ones must not write renames the table `clock_v1`, so that running processes stop too."""
APPLICATION = 0x6D63706F  # "mcpo"
KINDS = ("sessions", "counters", "scoped", "halts", "owned", "charged")

_TABLES = """
create table clock_v1 (
    id integer primary key, boot text not null unique, offset_ns integer not null, seen_ns integer not null
);
create table totals (kind text primary key, n integer not null, swept) without rowid;
create table sessions (
    id integer primary key, key blob not null, shadow integer not null, session blob not null,
    verified integer not null, first_ns integer not null, last_ns integer not null,
    denial blob not null, denied integer not null, shared integer not null, counters integer not null,
    unique (key, shadow, session)
);
create table facts (id integer primary key, done blob not null);
create table counters (
    key blob primary key, window_ns integer not null, used_ns integer not null, disposable integer not null,
    packed blob not null
) without rowid;
create table halts (
    scope text not null, name blob not null, shadow integer not null, session blob not null,
    verified integer not null, at_ns integer not null, until_ns integer, reason blob not null, by blob not null,
    primary key (scope, name, shadow, session)
) without rowid;
create table owners (
    rule blob not null, id blob not null, tenant blob not null, until_ns integer not null, primary key (rule, id)
) without rowid;
create table charged (id blob primary key, until_ns integer not null) without rowid;
"""


def _counted(table: str, kind: str) -> str:
    """Triggers that keep the number of rows: counting them takes as long as there are many."""
    return "".join(
        f"create trigger {table}_{event} after {event} on {table} begin "
        f"update totals set n = n {sign} 1 where kind = {kind.format(row=row)}; end;\n"
        for event, sign, row in (("insert", "+", "new"), ("delete", "-", "old"))
    )


SCHEMA = (
    _TABLES
    + "".join(f"insert into totals values ('{kind}', 0, null);\n" for kind in KINDS)
    + _counted("sessions", "'sessions'")
    + _counted("counters", "case when {row}.key < x'02' then 'counters' else 'scoped' end")
    + _counted("halts", "'halts'")
    + _counted("owners", "'owned'")
    + _counted("charged", "'charged'")
    + f"pragma application_id = {APPLICATION}; pragma user_version = {VERSION};"
)
