"""Which texts of received spans are stored without personal data and secrets: error texts always, all with --scrub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import writer
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.otlp.scrubbing import ERROR_TEXTS, TEXTS, scrubbed
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import Wal
from tests.queries.recorded import SECOND, START

MAIL = "ada@mail.calc.org"
KEY = "AKIA" + "Q3EGRL5XH2MZ7TWB"
KNOWN = f"{MAIL} {KEY} password=h7Gd-q2wX"
SECRETS = (MAIL, KEY, "h7Gd-q2wX")


def request(spans: int = 1) -> bytes:
    """Spans with the secrets in every text that a sender may write."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "svc"
    group.resource.attributes.add(key="process.command_line").value.string_value = f"serve --mail {KNOWN}"
    scope = group.scope_spans.add()
    scope.scope.name = "app"
    for number in range(1, spans + 1):
        span: Any = scope.spans.add(
            trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="tools/call t"
        )
        span.start_time_unix_nano, span.end_time_unix_nano = START + number * SECOND, START + number * SECOND + 10
        span.kind, span.status.code, span.status.message = 2, 2, f"no user {KNOWN} 😀"
        event = span.events.add(name="exception", time_unix_nano=START)
        event.attributes.add(key="exception.message").value.string_value = f"no user {KNOWN}"
        event.attributes.add(
            key="exception.stacktrace"
        ).value.string_value = f'File "x"\n  {{"card": 4111111111111111}} {KNOWN}'
        for key, value in {
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "t",
            "gen_ai.tool.call.arguments": json.dumps({"to": MAIL, "phone": 4930901820, "password": "h7Gd-q2wX"}),
            "url.full": f"https://svc:h7Gd-q2wX@db.calc.org/{MAIL}?key={KEY}",
            "user_agent.original": f"bot ({MAIL})",
            "enduser.id": MAIL,
        }.items():
            span.attributes.add(key=key).value.string_value = value
    return bytes(message.SerializeToString())


def stored(lake: Path, **content: bool) -> list[dict[str, Any]]:
    open_folder(lake)
    log = Wal(lake, **content)
    log.append([request()])
    log.close()
    writer.commit(lake, wait=True)
    with open_reading(lake) as reading:
        found = reading.connection.execute("select * from spans")
        return [dict(zip([c[0] for c in found.description], row, strict=True)) for row in found.fetchall()]


def test_error_texts_are_scrubbed_and_the_rest_is_as_sent(tmp_path: Path) -> None:
    (row,) = stored(tmp_path / "lake")
    assert row["error_message"] == "no user [email] [aws_key] password=[password] 😀"
    (event,) = json.loads(row["events"])
    assert event["attributes"] == {
        "exception.message": "no user [email] [aws_key] password=[password]",
        "exception.stacktrace": 'File "x"\n  {"card": "[card]"} [email] [aws_key] password=[password]',
    }
    assert (row["principal"], row["tool"], row["outcome"]) == (MAIL, "t", "server_error")
    assert KEY in row["attributes"]


def test_with_scrub_no_text_has_any(tmp_path: Path) -> None:
    (row,) = stored(tmp_path / "lake", scrub=True)
    (other,) = stored(tmp_path / "other", scrub=True)
    assert not [secret for secret in SECRETS if secret in str(row)]
    assert row["principal"].startswith("[email:"), "callers stay apart"
    arguments = json.loads(json.loads(row["attributes"])["gen_ai.tool.call.arguments"])
    assert arguments["to"] == row["principal"], "equal values stay equal"
    assert arguments["phone"].startswith("[phone:")
    assert (row["tool"], row["outcome"]) == ("t", "server_error")
    assert row["principal"] != other["principal"], "the hashes have the key of the lake"
    files = [path for path in (tmp_path / "lake" / "spans").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files for secret in SECRETS if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("columns", [ERROR_TEXTS, TEXTS], ids=["errors", "all"])
def test_both_decoders_lead_to_the_same(columns: tuple[str, ...]) -> None:
    from arro3.core import Table

    body = request(3)
    tables = [Table.from_arrow(scrubbed(batch, columns)) for batch in (decode([body]), plain.decode([body]))]
    one, other = ({name: table.column(name).to_pylist() for name in table.column_names} for table in tables)
    assert one == other
    assert "[aws_key]" in str(one)


def test_spans_without_any_are_the_same_object() -> None:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, name="x")
    span.start_time_unix_nano, span.status.message = START, "broken"
    batch = decode([message.SerializeToString()])
    assert scrubbed(batch, TEXTS) is batch
