"""`sql`: an argument must be one SQL statement of a harmless kind.

What it does: parses the text of `arg` with sqlglot in `dialect`. Allows one statement, a query unless `read_only` is
false, whose parts, types and functions are all known here, and that names only `tables`. `functions` allows more
functions. Refuses what does not parse, what is longer than 4 KB, hints, MySQL's version comments, quotes behind a
backslash and invisible characters, because databases read those in different ways. A table with its schema
(`sales.orders`) is listed so.
Why it matters: a tool that runs SQL can do all that its database user can.
What to do: list the tables. The real control is a user of the database that may only read them, or a replica: a parser
knows neither views, nor triggers, nor functions that somebody redefined, nor how long a query runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mcpobs.errors import nearest
from mcpobs.installed.extras import needing
from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, RuleError
from mcpobs.policy.fields import names, path
from mcpobs.policy.rules import sql_tree

if TYPE_CHECKING:
    from sqlglot.dialects.dialect import Dialect

MAX_BYTES: Final = 4_096
MAX_NESTED: Final = 32
MAX_CACHED: Final = 1_024
FIRST: Final = frozenset({"SELECT", "WITH", "L_PAREN", "VALUES"})
FIRST_WRITES: Final = FIRST | {"INSERT", "UPDATE", "DELETE"}
_ODD = re.compile(
    r"""/\*\s*(?:!|\+|M!)           # a comment that a database runs
    | /\*(?:(?!\*/).)*/\*        # a comment in a comment
    | \\+['"`]                   # a quote behind a backslash
    | \b[nN]?[qQ]['"]            # Oracle's q'[…]'
    | \w\$                       # a name to one, the end of $$ to another
    | \{[\#{%]                   # what sqlglot skips, as of a template
    | \r(?!\n)                   # the end of a line, and of a comment, to some
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Statement:
    """SQL of a harmless kind."""

    argument: tuple[str, ...]
    dialect: str
    allowed: sql_tree.Allowed
    parser: Dialect = field(compare=False, repr=False)
    quiet: Callable[[], AbstractContextManager[None]] = field(compare=False, repr=False)
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    cache: dict[bytes, bool] = field(default_factory=dict, compare=False, repr=False)
    """Verdicts by the digest of the text."""

    def __repr__(self) -> str:
        """In one order: rules are known by it."""
        of = self.allowed
        tables = None if of.tables is None else sorted(of.tables)
        return f"Statement{(self.argument, self.dialect, tables, sorted(of.functions), of.read_only)}"

    def holds(self, facts: CallFacts) -> bool:
        text = facts.argument(self.argument)
        if not isinstance(text, str):
            raise RuleError(f"the argument {'.'.join(self.argument)} is not a text")
        content = text[: MAX_BYTES + 1].encode("utf-8", "surrogatepass")
        if len(content) > MAX_BYTES:
            return False
        digest = hashlib.blake2b(content, digest_size=16).digest()
        verdict = self.cache.get(digest)
        if verdict is None:
            if len(self.cache) >= MAX_CACHED:
                self.cache.clear()
            verdict = self.cache[digest] = self.allows(text)
        return verdict

    def allows(self, text: str) -> bool:
        if _ODD.search(text) or not _is_plain(text):
            return False
        try:
            tokens = self.parser.tokenize(text)
            first = FIRST if self.allowed.read_only else FIRST_WRITES
            kinds = [token.token_type.name for token in tokens]
            if not kinds or kinds[0] not in first or _nested(text) > MAX_NESTED:
                return False
            if any(kind == "VALUES" and after != "L_PAREN" for kind, after in pairwise([*kinds, ""])):
                return False  # `from values` is a table to DuckDB
            with self.quiet():
                found = [root for root in self.parser.parser().parse(tokens, text) if root is not None]
            return len(found) == 1 and sql_tree.is_allowed(found[0], self.allowed)
        except Exception:  # the parser's own errors, and what it stumbles over: nested too deep, no Unicode
            return False

    def needs(self, facts: CallFacts) -> str:
        kind = "query" if self.allowed.read_only else "statement"
        tables = " of tables that are allowed here" if self.allowed.tables is not None else ""
        return f"the argument {'.'.join(self.argument)} has to be one plain {kind}{tables}"


def read(place: Place) -> Statement:
    fields = place.fields(("arg", "dialect", "read_only", "tables", "functions"))
    for key in ("arg", "dialect"):
        if key not in fields:
            place.refuse(f"no `{key}`", "write e.g. {arg: sql, dialect: postgres, tables: [orders]}")
    return Statement(
        argument=path(fields["arg"].text(), fields["arg"]),
        dialect=fields["dialect"].text(),
        allowed=sql_tree.Allowed(
            frozenset(names(fields["tables"])) if "tables" in fields else None,
            frozenset(one.lower() for one in names(fields["functions"])) if "functions" in fields else frozenset(),
            fields["read_only"].flag() if "read_only" in fields else True,
        ),
        parser=_parser(fields["dialect"]),
        quiet=_quiet(),
    )


def _parser(place: Place) -> Dialect:
    with needing("`sql`", "policy"):
        from sqlglot.dialects.dialect import Dialect, Dialects
    known = sorted(one.value for one in Dialects if one.value and one.value != "prql")
    name = place.text()
    if name not in known:
        like = nearest(name, known)
        place.refuse(f"{name!r} is not known", f"did you mean `{like}`?" if like else f"known here: {', '.join(known)}")
    return Dialect.get_or_raise(name)


def _quiet() -> Callable[[], AbstractContextManager[None]]:
    from mcpobs.policy.rules.sql_logs import QUIET  # loads logging

    return QUIET.judging


def _is_plain(text: str) -> bool:
    """Whether no character is invisible, or a space to one reader alone."""
    return text.isprintable() or all(one.isprintable() or one in "\t\r\n" for one in text)


def _nested(text: str) -> int:
    """How deep brackets nest, at most: those in texts count too."""
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest
