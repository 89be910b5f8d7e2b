"""Owns the columns of a decoded OTLP span. Knows no dialect: `lake/dialects/` derives the lake's columns from these.

JSON columns hold attribute values in this form, which keeps the kind of each AnyValue:

    string, bool, array, kvlist   JSON's own
    int                           a JSON number without fraction or exponent
    double                        a JSON number with one or the other, which reads back as the same double
    NaN, +-Infinity               {"doubleValue":"NaN"}, {"doubleValue":"Infinity"}, {"doubleValue":"-Infinity"}
    bytes                         {"bytesValue":"<base64>"}
    no value                      null
    a kvlist whose only key is doubleValue, bytesValue or kvlistValue    {"kvlistValue":{...}}

Of a key repeated in one list the last value counts. Invalid UTF-8 becomes U+FFFD.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from mcpobs.semconv import CONVERSATION_ID, MCP_SESSION_ID, NAMES, NETWORK_TRANSPORT, SERVICE_NAME

RawType = Literal["text", "json", "bigint", "smallint", "boolean"]
"""As semconv.ColumnType. `json` is text that holds JSON; null if empty."""

SPAN: Final[dict[str, RawType]] = {
    "trace_id": "text",  # 32 lower-case hex digits
    "span_id": "text",  # 16 lower-case hex digits
    "parent_span_id": "text",  # null if empty
    "trace_state": "text",  # null if empty
    "flags": "bigint",  # as sent: W3C flags in the low 8 bits
    "name": "text",
    "kind": "bigint",  # as sent: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    "start_unix_nano": "bigint",  # as sent; beyond a signed 64-bit integer the value less 2^64, so below 0
    "end_unix_nano": "bigint",  # likewise
    "status": "smallint",  # 0 unset, 1 ok, 2 error
    "status_message": "text",  # null if empty
    "scope_name": "text",  # null if empty
    "scope": "json",  # {"version","attributes","dropped_attributes_count","schema_url","resource_schema_url"}
    "service_name": "text",  # the resource's service.name, if it is a string
    "sent_service": "json",  # a service.name that is not a string; if it is not UTF-8, its base64 as a JSON string
    "resource": "json",  # the other resource attributes; null if there are none
    "attributes": "json",  # those that are not promoted; null if there are none
    "events": "json",  # [{"name","time_unix_nano","attributes","dropped_attributes_count"}]
    "links": "json",  # [{"trace_id","span_id","trace_state","attributes","dropped_attributes_count","flags"}]
    "dropped": "json",  # {"attributes","events","links"}: how many the sender dropped
}
"""Empty or 0 members of the JSON objects are left out; a column without any member is null."""


class Promoted(NamedTuple):
    """An attribute that gets a column of its own.

    A value of the column's type moves there: a string for `text`, an int for `bigint` and `smallint`, a bool for
    `boolean`, any value for `json` (a string as it is, because it is already JSON, any other in the form above). An int
    for a `text` column is written there in decimal AND stays in `attributes`; any other value that does not fit, also
    an int beyond a smallint, stays in `attributes` alone. With `kept` it always stays there.
    """

    attribute: str
    column: str
    type: RawType
    kept: bool = False


PROMOTED: Final[tuple[Promoted, ...]] = (
    *(
        Promoted(name.attribute, f"at_{name.column}", name.type)
        for name in NAMES
        if name.attribute is not None and name.column is not None and name.attribute != SERVICE_NAME
    ),
    Promoted(MCP_SESSION_ID, "at_mcp_session_id", "text", kept=True),
    Promoted(CONVERSATION_ID, "at_conversation_id", "text", kept=True),
    Promoted(NETWORK_TRANSPORT, "at_network_transport", "text", kept=True),
)

RAW: Final[dict[str, RawType]] = SPAN | {promoted.column: promoted.type for promoted in PROMOTED}
"""All columns of a decoded batch, in order."""

MAX_DEPTH: Final = 100
"""Maximum nesting depth of messages and groups; a deeper request is malformed. The limit is protobuf's own in Python,
C++ and Java. A value in an array is two deeper than the array, a value in a map three."""

MAX_BYTES: Final = 128 << 20
"""Maximum request size; a larger one is malformed. So the size of a column's text fits into 32 bits."""

MAX_EXPANDED_BYTES: Final = 64 << 20
"""Maximum bytes that the spans of one request may repeat: for each accepted span, in the order of `decode`, the text of
service_name, sent_service, resource, scope_name and scope. Each row has them all, so their size times the number of
spans determines how much is written. A span that would exceed the sum is left out; smaller ones after it are accepted.
`decode.c` gets the limit when it is loaded.

A Collector's default batch of 8,192 spans may have 8 kB of resource, one of 40,000 spans 1.6 kB. Committing as much in
values of 4 MB, all spans with one id, takes 340 MB of memory, and with 128 MiB it takes 940 MB."""

_EXPANDING_BYTES: Final = 256 << 10
_EXPANDING_RATIO: Final = 8


def is_expanding(size_bytes: int, expanded_bytes: int) -> bool:
    """Returns whether requests of this size repeat much more than they hold. 500 spans of 300 bytes with 2 kB of
    resource repeat 7 times their size."""
    return expanded_bytes > max(_EXPANDING_BYTES, _EXPANDING_RATIO * size_bytes)


MAX_JSON_VALUES: Final = 3_000_000
"""Maximum values of a JSON request, counted as containers and commas; with more it is malformed. A container takes up
to 200 bytes of memory and 3 on the wire. Dense OTLP has 4 values in 35 bytes, so 20 MiB of it are accepted."""
