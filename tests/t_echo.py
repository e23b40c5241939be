"""The two ends of a trickle: each line is written when the last one has come.

usage: t_echo.py source SEEN LINES   writes lines; after each waits until the
                                     file SEEN has it, then 20 ms; prints the
                                     longest wait as "slowest N ms"
       t_echo.py sink SEEN           copies standard input to SEEN, unbuffered
"""

import os
import sys
import time

PATIENCE_S = 20


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def source(seen, lines):
    sent, slowest = 0, 0.0
    for number in range(lines):
        sent += os.write(1, b"line %d\n" % number)
        began = time.monotonic()
        while size(seen) < sent:
            if time.monotonic() - began > PATIENCE_S:
                sys.exit("line %d has not come in %d s" % (number, PATIENCE_S))
            time.sleep(0.001)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    print("slowest %d ms" % (slowest * 1000), file=sys.stderr)


def sink(seen):
    with open(seen, "wb", buffering=0) as f:
        while True:
            block = os.read(0, 65536)
            if not block:
                return
            f.write(block)


if __name__ == "__main__":
    if sys.argv[1] == "source":
        source(sys.argv[2], int(sys.argv[3]))
    else:
        sink(sys.argv[2])
