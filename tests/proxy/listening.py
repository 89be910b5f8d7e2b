"""A server that tells which signals it gets, on stdout, one number a line. Ends at `end` or at the end of its input,
with the number of signals as its exit code."""

import os
import signal
import sys

FORWARDED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def main() -> None:
    got = 0

    def tell(number: int, _frame: object) -> None:
        nonlocal got
        got += 1
        os.write(1, b"%d\n" % number)

    for name in FORWARDED:
        signal.signal(getattr(signal, name), tell)
    os.write(1, b"listening\n")
    while (words := os.read(0, 1 << 10)) and b"end" not in words:
        pass
    sys.exit(got)


if __name__ == "__main__":
    main()
