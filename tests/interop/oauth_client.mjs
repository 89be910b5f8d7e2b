// Logs in at a protected server and calls a tool: `node oauth_client.mjs (1|2) URL`, with the TypeScript SDK 1.x or 2.x.
// Prints the tool's answer. The user's browser is a request that does not follow redirects.
const [generation, url] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  generation === "1"
    ? {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
      }
    : await import("@modelcontextprotocol/client");

let code, issuer;
const kept = {};
const authProvider = {
  redirectUrl: "http://localhost:1/back",
  clientMetadata: { client_name: "c", redirect_uris: ["http://localhost:1/back"], token_endpoint_auth_method: "none" },
  clientInformation: () => kept.client,
  saveClientInformation: (found) => void (kept.client = found),
  tokens: () => kept.tokens,
  saveTokens: (found) => void (kept.tokens = found),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (found) => void (kept.verifier = found),
  async redirectToAuthorization(to) {
    const response = await fetch(to, { redirect: "manual" });
    const back = new URL(response.headers.get("location"));
    code = back.searchParams.get("code");
    issuer = back.searchParams;
  },
};

const connected = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const client = new Client({ name: "c", version: "1" });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || code === undefined) throw error;
    await transport.finishAuth(generation === "1" ? code : issuer);
    return null;
  }
};
const client = (await connected()) ?? (await connected());
const result = await client.callTool({ name: "open_box", arguments: { number: 7 } });
console.log(result.content[0].text);
await client.close();
