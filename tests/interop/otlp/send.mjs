// Sends the spans of a plan with the OpenTelemetry SDK for JavaScript and writes down which ids they got.
//   node send.mjs NODE_MODULES PLAN LEDGER ENDPOINT PROTOCOL COMPRESSION
// NODE_MODULES holds the SDK 2 (sdk-trace-node) or 3 (sdk-trace). Ends with 1 where an export fails.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, planFile, ledgerFile, endpoint, protocol, compression] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const { ROOT_CONTEXT, trace, createTraceState } = load("@opentelemetry/api");
const { resourceFromAttributes } = load("@opentelemetry/resources");
const plan = JSON.parse(readFileSync(planFile, "utf8"));

const PACKAGES = { "http/json": "http", "http/protobuf": "proto", grpc: "grpc" };
const { OTLPTraceExporter } = load(`@opentelemetry/exporter-trace-otlp-${PACKAGES[protocol]}`);
const url = protocol === "grpc" ? endpoint : `${endpoint}/v1/traces`;
const exporter = new OTLPTraceExporter({ url, compression, timeoutMillis: 60_000 });

const ended = [];
const keep = { onStart() {}, onEnd: (span) => ended.push(span), forceFlush: async () => {}, shutdown: async () => {} };
const resource = resourceFromAttributes(natives(plan.resource));
const options = { resource, spanProcessors: [keep] };
const provider = sdk3() ? new (load("@opentelemetry/sdk-trace").TracerProvider)(options)
  : new (load("@opentelemetry/sdk-trace-node").NodeTracerProvider)(options);
const { name, version, schema_url: schemaUrl } = plan.scope;
const tracer = provider.getTracer(name, version, { schemaUrl });

function sdk3() {
  try {
    load.resolve("@opentelemetry/sdk-trace-node");
    return false;
  } catch {
    return true;
  }
}

function native(value) {
  const [[kind, inner]] = Object.entries(value);
  switch (kind) {
    case "s": return inner;
    case "b": return inner;
    case "i": return Number(inner);
    case "d": return Number(inner === "nan" ? NaN : inner.replace("inf", "Infinity"));
    case "a": return inner.map(native);
    case "m": return natives(inner);
    case "y": return new Uint8Array(Buffer.from(inner, "base64"));
  }
  throw new Error(`no such kind: ${kind}`);
}

function natives(values) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, native(value)]));
}

function time(ns) {
  return [Number(BigInt(ns) / 1_000_000_000n), Number(BigInt(ns) % 1_000_000_000n)];
}

function contextOf(remote) {
  return {
    traceId: remote.trace_id, spanId: remote.span_id, traceFlags: 1, isRemote: true,
    traceState: remote.trace_state ? createTraceState(remote.trace_state) : undefined,
  };
}

const spans = [];
for (const planned of plan.spans) {
  let context = ROOT_CONTEXT;
  if (planned.remote) context = trace.setSpanContext(context, contextOf(planned.remote));
  if (planned.parent !== null) context = trace.setSpan(context, spans[planned.parent]);
  const links = planned.links.map((link) => ({
    context: spans[link.to].spanContext(), attributes: natives(link.attributes),
  }));
  const made = { kind: planned.kind - 1, startTime: time(planned.start), attributes: natives(planned.attributes), links };
  const span = tracer.startSpan(planned.name, made, context);
  for (const event of planned.events) span.addEvent(event.name, natives(event.attributes), time(event.time));
  if (planned.status) span.setStatus({ code: planned.status, message: planned.status_message ?? undefined });
  spans.push(span);
}
spans.forEach((span, place) => span.end(time(plan.spans[place].end)));

for (let from = 0; from < ended.length; from += plan.batch) {
  const batch = ended.slice(from, from + plan.batch);
  const result = await new Promise((done) => exporter.export(batch, done));
  if (result.code !== 0) {
    console.error(result.error);
    process.exit(1);
  }
}
await exporter.shutdown();
const ids = spans.map((span) => [span.spanContext().traceId, span.spanContext().spanId]);
writeFileSync(ledgerFile, JSON.stringify(ids));
