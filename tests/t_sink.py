"""A consumer that reads so much and no more until it is told.

usage: t_sink.py BYTES READ GO OUT

Reads BYTES from standard input, creates the file READ, waits until the file GO
exists, reads the rest; everything goes to OUT.
"""

import os
import sys
import time


def main():
    first, read, go, out = int(sys.argv[1]), *sys.argv[2:]
    with open(out, "wb", buffering=0) as f:
        while first > 0:
            block = os.read(0, min(first, 65536))
            if not block:
                sys.exit("end of file, %d bytes early" % first)
            f.write(block)
            first -= len(block)
        open(read, "w").close()
        while not os.path.exists(go):
            time.sleep(0.02)
        while True:
            block = os.read(0, 65536)
            if not block:
                return
            f.write(block)


if __name__ == "__main__":
    main()
