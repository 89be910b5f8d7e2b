// Carries out a plan with a JavaScript client and writes the ledger; both are described in python_driver.py.
//
//   node javascript_driver.mjs PACKAGES_FOLDER CLIENT_PACKAGE PLAN_FILE LEDGER_FILE
//
// CLIENT_PACKAGE is @modelcontextprotocol/sdk (1.x) or @modelcontextprotocol/client (2.x).

import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync, openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout } from "node:timers/promises";

const [packages, clientPackage, planFile, ledgerFile] = process.argv.slice(2);
const AT_A_TIME = 3;
const MODERN = "2026-07-28";
const require = createRequire(`${packages}/package.json`);
const api = clientPackage.endsWith("/sdk") ? version1() : version2();
const plan = JSON.parse(readFileSync(planFile, "utf8"));
const ledger = openSync(ledgerFile, "w");
const current = new AsyncLocalStorage();
const overHttp = plan.transport !== undefined;
const wires = new Map(); // a 2.x client may start a second process of its own, to ask which era the server speaks
let lastWire = 0;

function version1() {
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
  const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
  const types = require("@modelcontextprotocol/sdk/types.js");
  return {
    transports: { stdio: StdioClientTransport, http: StreamableHTTPClientTransport, sse: SSEClientTransport },
    client: (info, capabilities) => new Client(info, { capabilities }),
    answer: (client, method, handler) =>
      client.setRequestHandler(
        {
          "sampling/createMessage": types.CreateMessageRequestSchema,
          "roots/list": types.ListRootsRequestSchema,
          "elicitation/create": types.ElicitRequestSchema,
        }[method],
        handler,
      ),
    request: (client, method) => client.request({ method }, types.EmptyResultSchema),
    call: (client, params, options) => client.callTool(params, undefined, options),
    version: (client, transport) => transport.negotiated,
    codeOf: (error) => (error instanceof types.McpError ? error.code : undefined),
    timedOut: (error) => error.code === types.ErrorCode.RequestTimeout,
  };
}

function version2() {
  const { Client, ProtocolError, SdkError, SdkErrorCode, StreamableHTTPClientTransport, SSEClientTransport } =
    require("@modelcontextprotocol/client");
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  const empty = require("@modelcontextprotocol/core").EmptyResultSchema;
  const mode = () => (["legacy", "auto"].includes(plan.mode) ? plan.mode : { pin: plan.mode });
  return {
    transports: { stdio: StdioClientTransport, http: StreamableHTTPClientTransport, sse: SSEClientTransport },
    client: (info, capabilities) => new Client(info, { capabilities, versionNegotiation: { mode: mode() } }),
    answer: (client, method, handler) => client.setRequestHandler(method, handler),
    request: (client, method) => client.request({ method }, empty),
    call: (client, params, options) => client.callTool(params, options),
    version: (client) => client.getNegotiatedProtocolVersion(),
    codeOf: (error) => (error instanceof ProtocolError ? error.code : codeIn(error.data?.text)),
    timedOut: (error) => error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout,
  };
}

// Since 2026-07-28 an unknown method is answered with HTTP 404, of which the client tells the body.
function codeIn(text) {
  try {
    return JSON.parse(text).error.code;
  } catch {
    return undefined;
  }
}

// Not AbortSignal.timeout(): that one tells the server that the call timed out.
function aborted(after_ms) {
  const controller = new AbortController();
  setTimeout(after_ms).then(() => controller.abort("no longer wanted"));
  return controller.signal;
}

const write = (entry) => writeSync(ledger, JSON.stringify(entry) + "\n");

function note(kind, transport, message) {
  if (message.method === undefined) return;
  const entry = current.getStore();
  if (kind === "sent" && message.id !== undefined && entry && entry.id === null) entry.id = message.id;
  write({ kind, ...wires.get(transport), method: message.method, id: message.id ?? null, token: message.params?.progressToken ?? null });
}

// A client may put another handler in place of the first, which may call the one before it; and a stream that is
// resumed brings messages a second time. Either way a message is noted once; if it has no id and no token, so that
// two may well be equal, it is noted once for each object.
function tellMessages(transport) {
  const noted = new Set();
  const telling = (handler) =>
    handler &&
    function (message, ...more) {
      const named = message.id !== undefined || message.params?.progressToken !== undefined;
      const key = named ? JSON.stringify(message) : message;
      if (!noted.has(key)) note("got", transport, message);
      noted.add(key);
      return handler.call(transport, message, ...more);
    };
  let current = telling(transport.onmessage);
  Object.defineProperty(transport, "onmessage", { get: () => current, set: (given) => (current = telling(given)) });
}

// The message on a line; nothing for a log line, which the client ignores.
function messageOf(line) {
  try {
    const message = JSON.parse(line);
    return message.jsonrpc === "2.0" ? message : undefined;
  } catch {
    return undefined;
  }
}

// Patched on the class, so that every process that a client starts is seen.
function watch(Transport) {
  const { start, send } = Transport.prototype;
  Transport.prototype.start = async function () {
    wires.set(this, { wire: lastWire++, client: this._serverParams?.client ?? this.client });
    if (overHttp) {
      tellMessages(this);
      return start.call(this);
    }
    await start.call(this);
    const decoder = new TextDecoder(); // not setEncoding(): the client's own listener wants bytes
    let half = "";
    this._process.stdout.prependListener("data", (bytes) => {
      const lines = (half + decoder.decode(bytes, { stream: true })).split("\n");
      half = lines.pop();
      for (const message of lines.map(messageOf).filter(Boolean)) note("got", this, message);
    });
  };
  Transport.prototype.send = function (message, ...more) {
    note("sent", this, message);
    return send.call(this, message, ...more);
  };
}

class Connection {
  constructor(client, transport) {
    this.client = client;
    this.transport = transport;
  }

  async step(step) {
    if (step.together) await Promise.all(step.together.map((one) => this.step(one)));
    else if (step.request !== "ping" || this.version < MODERN) await this.measured(step);
  }

  async measured(step) {
    const entry = {
      method: step.call === undefined ? step.request : "tools/call",
      id: null,
      tool: step.call ?? null,
      conversation: step.conversation ?? null,
      code: null,
      at_least_ms: step.at_least_ms ?? 0,
    };
    const begun = process.hrtime.bigint();
    await current.run(entry, async () => {
      try {
        entry.status = await (step.call === undefined ? this.request(step) : this.call(step));
      } catch (error) {
        entry.status = this.statusOf(error, step);
        entry.code = api.codeOf(error) ?? null;
      }
    });
    entry.began_ns = Number(begun);
    entry.took_ns = entry.settled_ns = Number(process.hrtime.bigint() - begun);
    if (["cancelled", "timeout"].includes(entry.status)) {
      await this.measured({ request: "mcpobs/settle" });
      entry.settled_ns = Number(process.hrtime.bigint() - begun);
    }
    write({ kind: "call", ...wires.get(this.transport), ...entry });
  }

  statusOf(error, step) {
    if (step.cancel_ms !== undefined) return "cancelled";
    if (api.timedOut(error)) return "timeout";
    if (api.codeOf(error) === undefined) throw error;
    return "error";
  }

  async call(step) {
    const options = {};
    if (step.cancel_ms !== undefined) options.signal = aborted(step.cancel_ms);
    if (step.timeout_ms !== undefined) options.timeout = step.timeout_ms;
    if (step.progress) options.onprogress = () => {};
    const params = { name: step.call, arguments: step.arguments };
    if (step.conversation !== undefined) params._meta = { "gen_ai.conversation.id": step.conversation };
    const result = await api.call(this.client, params, options);
    return result.isError ? "is_error" : "ok";
  }

  async request(step) {
    const { client } = this;
    switch (step.request) {
      case "tools/list":
        await client.listTools();
        break;
      case "prompts/list":
        await client.listPrompts();
        break;
      case "prompts/get":
        await client.getPrompt(step.params);
        break;
      case "resources/list":
        await client.listResources();
        break;
      case "resources/read":
        await client.readResource(step.params);
        break;
      case "ping":
        await client.ping();
        break;
      default:
        await api.request(client, step.request);
    }
    return "ok";
  }
}

function transportFor(planned) {
  if (overHttp) return Object.assign(new api.transports[plan.transport](new URL(plan.url)), { client: planned.name });
  const [command, ...args] = plan.command;
  return new api.transports.stdio({ command, args, env: plan.env, client: planned.name });
}

async function connect(planned) {
  const transport = transportFor(planned);
  const { setProtocolVersion } = transport;
  transport.setProtocolVersion = (version) => {
    transport.negotiated = version;
    setProtocolVersion?.call(transport, version);
  };
  const client = api.client(
    { name: planned.name, version: "1" },
    { sampling: {}, roots: {}, elicitation: {} },
  );
  api.answer(client, "sampling/createMessage", async () => {
    await setTimeout(50);
    return { role: "assistant", content: { type: "text", text: "yes" }, model: "none" };
  });
  api.answer(client, "roots/list", async () => ({ roots: [{ uri: "file:///nowhere", name: "nowhere" }] }));
  api.answer(client, "elicitation/create", async () => ({ action: "decline" }));
  await client.connect(transport);
  const connection = new Connection(client, transport);
  connection.version = api.version(client, transport);
  write({ kind: "connected", ...wires.get(transport), version: connection.version });
  for (const step of planned.steps) await connection.step(step);
  await client.close();
}

watch(api.transports[plan.transport ?? "stdio"]);
const waiting = [...plan.connections];
await Promise.all(
  Array.from({ length: AT_A_TIME }, async () => {
    for (let planned = waiting.shift(); planned; planned = waiting.shift()) await connect(planned);
  }),
);
