"""A server whose user exports spans in batches, to a file: `exporting_server.py FILE (stdio|http) [PORT]`.

A batch waits longer than any test, so what is in the file got there at the end of the process.
"""

import signal
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import mcpobs


class ToFile(SpanExporter):
    def export(self, spans):
        with Path(sys.argv[1]).open("a") as file:
            for span in spans:
                file.write(f"{span.instrumentation_scope.name} {span.name}\n")
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ToFile(), schedule_delay_millis=600_000))
trace.set_tracer_provider(provider)


def told(number, frame):
    print("the user's handler ran", file=sys.stderr, flush=True)
    sys.exit(3)


if "--handler" in sys.argv:
    signal.signal(signal.SIGTERM, told)

from tests.instrument.shop import new_shop  # noqa: E402

mcpobs.instrument()
if sys.argv[2] == "stdio":
    new_shop().run("stdio")
else:
    new_shop().run("streamable-http", port=int(sys.argv[3]))
