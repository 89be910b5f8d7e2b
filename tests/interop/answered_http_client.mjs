// Calls a tool at each path of answering_http_server.py with a JavaScript client; the arguments and the output are those
// of answered_http_client.py, behind the folder of the packages and the client's package.

import { createRequire } from "node:module";

const [packages, clientPackage, origin, mode, name, cases] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const first = clientPackage.endsWith("/sdk");
const { Client } = require(first ? "@modelcontextprotocol/sdk/client/index.js" : clientPackage);
const { StreamableHTTPClientTransport } = require(first ? "@modelcontextprotocol/sdk/client/streamableHttp.js" : clientPackage);
const GIVE_UP_MS = 8_000;
const AT_A_TIME = 6;

async function played(testCase) {
  const options = mode === "legacy" ? {} : { versionNegotiation: { mode: { pin: mode } } };
  const client = new Client({ name, version: "1" }, options);
  client.onerror = () => {};
  await client.connect(new StreamableHTTPClientTransport(new URL(`${origin}/${testCase}/mcp`)));
  try {
    await client.listTools();
    const timeout = { timeout: GIVE_UP_MS };
    const params = { name: testCase, arguments: {} };
    const result = await (first ? client.callTool(params, undefined, timeout) : client.callTool(params, timeout));
    return result.isError ? "tool_error" : "ok";
  } catch (error) {
    if (/Request timed out/.test(String(error)) && testCase !== "code_timed_out") return "hangs";
    return typeof error.code === "number" && error.code < 0 ? `error ${error.code} ${error.message}` : "rejected";
  } finally {
    await client.close().catch(() => {});
  }
}

const found = {};
const waiting = cases.split(",");
async function work() {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) found[next] = await played(next);
}
await Promise.all(Array.from({ length: AT_A_TIME }, work));
console.log(JSON.stringify(found));
