"""Write as many bytes as the argument says, in lines of 100."""

import os
import sys

LINES = (b"x" * 99 + b"\n") * 640

if __name__ == "__main__":
    remaining = int(sys.argv[1])
    while remaining:
        remaining -= os.write(1, LINES[:remaining])
