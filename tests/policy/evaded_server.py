"""A server that notes every byte that it is sent, and answers any request: python evaded_server.py FILE."""

from __future__ import annotations

import json
import sys


def main() -> None:
    with open(sys.argv[1], "ab", buffering=0) as seen:
        for line in sys.stdin.buffer:
            seen.write(line)
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and message.get("id") is not None:
                result = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
                print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
