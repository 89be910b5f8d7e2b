// Calls each tool of answering_server.py with a JavaScript client; the arguments and the output are those of
// answered_client.py, behind the folder of the packages and the client's package.

import { createRequire } from "node:module";

const [packages, clientPackage, fallback, cases, command, ...args] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const first = clientPackage.endsWith("/sdk");
const { Client } = require(first ? "@modelcontextprotocol/sdk/client/index.js" : clientPackage);
const { StdioClientTransport } = require(`${clientPackage}${first ? "/client/stdio.js" : "/stdio"}`);
const GIVE_UP_MS = 20_000;

function meaning(result) {
  if (result.content?.some((block) => block.text === fallback)) return "ignored";
  return result.isError ? "tool_error" : "ok";
}

async function played(name) {
  const client = new Client({ name: "answered", version: "1" });
  client.onerror = () => {};
  await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
  try {
    const timeout = { timeout: GIVE_UP_MS };
    const params = { name, arguments: {} };
    return meaning(await (first ? client.callTool(params, undefined, timeout) : client.callTool(params, timeout)));
  } catch (error) {
    if (/timed? ?out/i.test(String(error))) return "hangs";
    return /broken|-32603/.test(String(error)) && "code" in error ? "error" : "rejected";
  } finally {
    await client.close();
  }
}

const found = {};
for (const name of cases.split(",")) found[name] = await played(name);
console.log(JSON.stringify(found));
