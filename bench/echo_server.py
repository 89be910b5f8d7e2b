"""The least MCP server: answers each tools/call with a text of about 1 KB. So what is timed is what lies between."""

import sys

TEXT = "x" * 900


def main() -> None:
    write, flush = sys.stdout.write, sys.stdout.flush
    for line in sys.stdin:
        id_ = line.split('"id":', 1)[1].split(",", 1)[0]
        write('{"jsonrpc":"2.0","id":' + id_ + ',"result":{"content":[{"type":"text","text":"' + TEXT + '"}]}}\n')
        flush()


if __name__ == "__main__":
    main()
