"""Sends signals to processes, about a thousand a second to each.

usage: t_signals.py COUNT SIGNAL[,SIGNAL...] PID...

The signals take turns. Prints how many each process got, and how many seconds that
took; ends early when one of them is gone. Says on standard error when the first hundred were sent.
"""

import os
import signal
import sys
import time


def main():
    count, names = int(sys.argv[1]), sys.argv[2].split(",")
    numbers = [getattr(signal, "SIG" + name) for name in names]
    pids = [int(pid) for pid in sys.argv[3:]]
    begin = time.monotonic()
    sent = 0
    try:
        while sent < count:
            for pid in pids:
                os.kill(pid, numbers[sent % len(numbers)])
            sent += 1
            if sent == 100:
                print("a hundred", file=sys.stderr, flush=True)
            # A late one is made up for.
            time.sleep(max(0, begin + sent / 1000 - time.monotonic()))
    except ProcessLookupError:
        pass
    print(sent, round(time.monotonic() - begin))


if __name__ == "__main__":
    main()
