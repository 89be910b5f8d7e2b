"""Judges the tree of a SQL statement: the kinds of its parts, its functions, and the tables that it names.

Everything is refused that is not listed here: what a later release of sqlglot or of a database adds, too. Does not
parse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot.expressions import Expr


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOTS: Final = frozenset({"Select", "Union", "Except", "Intersect", "Subquery", "Values"})
WRITES: Final = frozenset({"Insert", "Update", "Delete"})
PARTS: Final = _words(
    """
    Alias Aliases All And Any Array AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor Boolean Bracket ByteString CTE Case Cast Column Cube DPipe DataType DataTypeParam
    Distinct Div Dot EQ Escape Except Exists Fetch Filter From GT GTE Glob Group GroupingSets Having HexString ILike
    Identifier If IgnoreNulls In IntDiv Intersect Interval IntervalSpan Is JSONPath JSONPathKey JSONPathRoot
    JSONPathSubscript JSONPathWildcard Join LT LTE Lateral Like Limit Literal Mod Mul NEQ National Neg Not Null
    NullSafeEQ NullSafeNEQ Offset Or Order Ordered Paren Placeholder Qualify RawString RegexpILike RegexpLike
    RespectNulls Rollup Select SimilarTo Slice Star Sub Subquery Table TableAlias TableSample TryCast Tuple Add
    UnicodeString Union Unnest Values Var Where Window WindowSpec With WithinGroup Xor
    """
)
WRITE_PARTS: Final = PARTS | WRITES | {"Returning", "Schema", "OnConflict"}
FUNCTIONS: Final = _words(
    """
    Abs AnyValue ApproxDistinct ArgMax ArgMin ArrayAgg ArraySize Avg Ceil Coalesce Concat ConcatWs Corr Count CountIf
    CumeDist CurrentDate CurrentDatetime CurrentTime CurrentTimestamp Date DateAdd DateDiff DateSub DateTrunc Datetime
    DatetimeAdd DatetimeDiff DatetimeSub DatetimeTrunc Day DayOfMonth DayOfWeek DayOfYear DenseRank EndsWith Exp
    Extract FirstValue Floor Greatest GroupConcat Hour Initcap JSONBExtract JSONBExtractScalar JSONExtract
    JSONExtractScalar Lag LastDay LastValue Lead Least Left Length Ln Localtime Localtimestamp Log Lower Max Median
    Min Minute Month NthValue Ntile Nullif Nvl2 PercentRank PercentileCont PercentileDisc Pow Quarter Rank Replace
    Reverse Right Round RowNumber Second Sign SplitPart Sqrt StartsWith Stddev StddevPop StddevSamp StrPosition
    StrToDate StrToTime Substring Sum Time TimeToStr Timestamp TimestampAdd TimestampDiff TimestampSub TimestampTrunc
    Trim Trunc TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToTimestamp Upper Variance VariancePop Week WeekOfYear Year
    """
)
"""Functions that read nothing but their arguments, and whose results are not much larger."""
NAMES: Final = _words(
    """
    adddate age btrim char_length character_length curdate curtime date_part dayname getdate ifnull instr isnull
    julianday lcase len ltrim mid monthname now nvl rtrim subdate sysdate total ucase
    """
)
"""Functions like these that sqlglot knows by their names alone, in some dialects."""
QUERIES: Final = ROOTS | WRITES | {"Table", "Join", "With"}
NAMED: Final = frozenset({"Alias", "Aliases", "Column", "Dot", "Join", "Schema", "Table", "TableAlias", "Window"})
"""Parts whose names stand for what they say, and are judged with them."""
CLAUSES: Final = _words(
    "for_ format hint hints into is_function locks operation_modifiers options overwrite pattern rows_from settings "
    "source stored udfs"
)
"""Clauses of those that write, lock, or reach files and settings."""
TYPES: Final = _words(
    """
    ARRAY BIGDECIMAL BIGINT BINARY BIT BOOLEAN CHAR DATE DATE32 DATETIME DATETIME2 DATETIME64 DECIMAL DECIMAL128
    DECIMAL256 DECIMAL32 DECIMAL64 DOUBLE FLOAT INT INT128 INT256 INTERVAL JSON JSONB MEDIUMINT MONEY NCHAR NVARCHAR
    SMALLINT TEXT TIME TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ TIMETZ TINYINT UBIGINT UINT USMALLINT UTINYINT
    UUID VARBINARY VARCHAR YEAR
    """
)


@dataclass(frozen=True)
class Allowed:
    """The tables and further functions that a statement may name. Tables None: any."""

    tables: frozenset[str] | None
    functions: frozenset[str] = frozenset()
    read_only: bool = True


def is_allowed(root: Expr, allowed: Allowed) -> bool:
    kind = type(root).__name__
    if kind not in ROOTS and (allowed.read_only or kind not in WRITES):
        return False
    parts = PARTS if allowed.read_only else WRITE_PARTS
    return all(_is_allowed(node, parts, allowed) for node in root.walk())


def _is_allowed(node: Expr, parts: frozenset[str], allowed: Allowed) -> bool:
    kind = type(node).__name__
    if kind in QUERIES and any(value and name in CLAUSES for name, value in node.args.items()):
        return False
    match kind:
        case "Table":
            return _is_table(node, allowed)
        case "Identifier":  # elsewhere it may stand for a table: `in secrets`, `cross apply secrets`
            return type(node.parent).__name__ in NAMED
        case "In":
            return not node.args.get("field")
        case "DataType":
            return getattr(node.this, "name", "") in TYPES
        case "Dot":  # a member of a column; a function here is one of a schema
            return type(node.expression).__name__ in ("Identifier", "Star")
    return kind in parts or kind in FUNCTIONS or not (allowed.functions | NAMES).isdisjoint(_function_names(node))


def _function_names(node: Expr) -> Iterator[str]:
    from sqlglot import expressions

    if isinstance(node, expressions.Anonymous):
        if isinstance(node.this, str):
            yield node.this.lower()
    elif isinstance(node, expressions.Func):
        yield from (name.lower() for name in node.sql_names())


def _is_table(node: Expr, allowed: Allowed) -> bool:
    from sqlglot import expressions

    if isinstance(node.this, expressions.Func):
        return not node.args.get("db")  # the function is judged for itself
    names = [node.args[part] for part in ("catalog", "db", "this") if node.args.get(part)]
    if not all(isinstance(name, expressions.Identifier) for name in names):
        return False
    if len(names) == 1 and _is_cte(node, names[0]):
        return True
    if allowed.tables is None:  # databases read files by a name in quotes
        return all(name.this.replace("_", "").isalnum() for name in names)
    return any(_is_listed(names, listed.split(".")) for listed in allowed.tables)


def _is_listed(names: list[Expr], listed: list[str]) -> bool:
    """Case counts for names in quotes only."""
    return len(names) == len(listed) and all(
        name.this == one or (not name.args.get("quoted") and name.this.lower() == one.lower())
        for name, one in zip(names, listed, strict=True)
    )


def _is_cte(table: Expr, name: Expr) -> bool:
    """Whether a name stands for a `with` query that is visible from here; otherwise it is a table."""
    at: Expr = table
    while at.parent is not None:
        above = at.parent
        with_ = above.args.get("with_")
        if with_ is not None and with_ is not at and _names_one(with_.expressions, name):
            return True
        if type(above).__name__ == "With":
            before = above.expressions[: at.index or 0]
            if _names_one(before, name) or (above.args.get("recursive") and _names_one([at], name)):
                return True
        at = above
    return False


def _names_one(queries: list[Expr], name: Expr) -> bool:
    for query in queries:
        alias = query.args.get("alias")
        named = alias.this if alias is not None else None
        if named is not None and named.this == name.this and named.args.get("quoted") == name.args.get("quoted"):
            return True
    return False
