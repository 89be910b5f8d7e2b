// See echo_server.py.
const text = "x".repeat(Number(process.argv[2]));
let rest = "";
process.stdin.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const id = line.split('"id":', 2)[1].split(",", 1)[0];
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}\n`);
  }
});
