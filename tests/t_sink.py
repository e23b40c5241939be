"""A consumer that reads so much and no more until it is told.

usage: t_sink.py BYTES READ GO OUT [LISTEN]

Reads BYTES from standard input, creates the file READ, waits until the file GO
exists, reads the rest; everything goes to OUT. With LISTEN, standard input is who
connects to that path.
"""

import os
import socket
import sys
import time


def accept(path):
    s = socket.socket(socket.AF_UNIX)
    # Where it is waited for, it listens.
    s.bind(path + ".new")
    s.listen(1)
    os.rename(path + ".new", path)
    os.dup2(s.accept()[0].detach(), 0)


def main():
    first, read, go, out = int(sys.argv[1]), *sys.argv[2:5]
    if len(sys.argv) > 5:
        accept(sys.argv[5])
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
