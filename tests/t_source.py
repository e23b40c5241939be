"""Seeded random bytes on standard output, as fast as they are taken or not.

usage: t_source.py BYTES SEED [rate=BYTES_PER_SECOND] [hold=OFFSET:FILE ...]

The bytes depend on SEED only. hold: at that offset, wait until the file exists,
as long as it takes. rate: not faster than that. Ends with status 0 when all
were taken, by SIGPIPE when nobody takes them any more.
"""

import os
import random
import signal
import sys
import time

BLOCK = 65536


def write_all(view):
    while view:
        view = view[os.write(1, view):]


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    total, seed = int(sys.argv[1]), int(sys.argv[2])
    rate, holds = 0, []
    for word in sys.argv[3:]:
        key, value = word.split("=", 1)
        if key == "rate":
            rate = int(value)
        else:
            offset, path = value.split(":", 1)
            holds.append((int(offset), path))
    holds.sort()
    generator = random.Random(seed)
    step = min(BLOCK, max(1, rate // 50)) if rate else BLOCK
    began, sent = time.monotonic(), 0
    while sent < total:
        # Always whole blocks from the generator, so that the bytes are the
        # same however they are cut and held.
        block = memoryview(generator.randbytes(BLOCK))[:total - sent]
        while block:
            if holds and holds[0][0] == sent:
                while not os.path.exists(holds[0][1]):
                    time.sleep(0.02)
                holds.pop(0)
                began = time.monotonic() - (sent / rate if rate else 0)
            n = min(step, len(block))
            if holds:
                n = min(n, holds[0][0] - sent)
            if rate:
                ahead = sent / rate - (time.monotonic() - began)
                if ahead > 0:
                    time.sleep(ahead)
            write_all(block[:n])
            sent += n
            block = block[n:]
    if holds and holds[0][0] == sent:
        while not os.path.exists(holds[0][1]):
            time.sleep(0.02)


if __name__ == "__main__":
    main()
