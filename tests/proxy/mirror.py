"""A server for byte comparisons: keeps the bytes that it gets, and sends the reply file in pieces of one size.

python mirror.py RECEIVED_FILE REPLY_FILE PIECE_BYTES
"""

import os
import sys
import threading


def main() -> None:
    received, reply, piece = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def listen() -> None:
        with open(received, "wb") as file:
            while chunk := os.read(0, 1 << 16):
                file.write(chunk)

    listener = threading.Thread(target=listen)
    listener.start()
    with open(reply, "rb") as file:
        while chunk := file.read(piece):
            view = memoryview(chunk)
            while view:
                view = view[os.write(1, view) :]
    os.write(2, b"a word on stderr\n")
    listener.join()
    os.close(1)
    sys.exit(5)


if __name__ == "__main__":
    main()
