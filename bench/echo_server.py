"""The least MCP server: answers each tools/call with a text of as many bytes as its argument says.

`echo_server.js` and `echo_server.go` do the same, so that a bench can measure before a server of another speed.
"""

import sys


def main() -> None:
    text = "x" * int(sys.argv[1])
    write, flush = sys.stdout.write, sys.stdout.flush
    for line in sys.stdin:
        id_ = line.split('"id":', 1)[1].split(",", 1)[0]
        write('{"jsonrpc":"2.0","id":' + id_ + ',"result":{"content":[{"type":"text","text":"' + text + '"}]}}\n')
        flush()


if __name__ == "__main__":
    main()
