"""Writes a file to standard output, so many bytes per second: throttle.py FILE BYTES."""

import os
import sys
import time

PIECE = 1 << 17


def main(path: str, rate: int):
    due = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            while piece:
                piece = piece[os.write(1, piece):]
            # What a slow reader has cost is not made up for later.
            due = max(due + PIECE / rate, time.monotonic() - 0.05)
            time.sleep(max(0.0, due - time.monotonic()))


main(sys.argv[1], int(sys.argv[2]))
