"""Transfers without end: `t_many.py PROGRAM NUMBER SCRATCH` makes so many empty
ones, four at once, each from a command to a command, every fifth with one that leaves
a process behind and fails.

Both ends must end with 0, or with 6, and in the end no process and no file may
be left of them. A message and status 1 say what is wrong.
"""

import concurrent.futures
import glob
import os
import subprocess
import sys
import time

LIMIT = 20 * int(os.environ.get("TEST_SLOW", "1"))
MARK = "MANY"
AT_ONCE = 4


def transfer(program, environment, status):
    words = ["timeout", "5", "heartbeat", "3", "wait", "10"]
    rx = subprocess.Popen(
        [program, "rx", "0", "bind", "127.0.0.1"] + words +
        ["exec", "cat; sleep 100 & exit 6" if status else "cat"], env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    port = rx.stderr.readline().decode().rsplit(":", 1)[1].strip()
    tx = subprocess.run([program, "tx", "127.0.0.1", port] + words + ["source", ":"],
                        env=environment, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
    out, err = rx.communicate(timeout=LIMIT)
    if tx.returncode != status or rx.returncode != status or out or tx.stdout:
        return "tx %d, rx %d, not %d; %r %r" % (tx.returncode, rx.returncode, status,
                                                tx.stderr, err)
    return None


def left(mark):
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if mark in f.read().split(b"\0"):
                    found.append(path)
        except OSError:
            pass
    return found


def main():
    program, number, scratch = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    mark = "%s=%d" % (MARK, os.getpid())
    os.mkdir(scratch)
    environment = dict(os.environ, TMPDIR=scratch, **dict([mark.split("=")]))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        made = pool.map(lambda i: transfer(program, environment, 6 if i % 5 == 4 else 0),
                        range(number))
        wrong = [why for why in made if why]
    if wrong:
        sys.exit("\n".join(wrong))
    until = time.monotonic() + 2
    while left(mark.encode()) and time.monotonic() < until:
        time.sleep(0.05)
    if left(mark.encode()):
        sys.exit("left behind: %s" % left(mark.encode()))
    if os.listdir(scratch):
        sys.exit("left behind: %s" % os.listdir(scratch))


main()
