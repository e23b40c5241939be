"""Makes single calls fail under many streams; see failing.c.

usage: t_failing_streams.py LIBRARY PROGRAM SCRATCH [AT ...]

In each run a duplex with terminate to t_streams.py and one with initiate carry
connections, and the AT-th call of one kind (1, 4 by default) fails at one of
them. Whatever it is, no connection may get other bytes, or an end that is none; and the
program ends only with a status and a message. The messages in TOLD must be among those
that came. Prints the number of runs, and what went wrong.
"""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
STREAMS = [sys.executable, "-B", os.path.join(HERE, "t_streams.py")]
KINDS = ["size=150000", "at_once=8", "down=4", "up=4", "echo=4", "short=8", "reset=2"]
LIMIT_S = 30 * int(os.environ.get("TEST_SLOW", "1"))
FAULTS = {
    "read": ["EINTR", "EIO", "ECONNRESET", "short"],
    "write": ["EINTR", "EAGAIN", "EIO", "short"],
    "send": ["EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "short"],
    "splice": ["EINTR", "EAGAIN", "EINVAL", "ECONNRESET", "short"],
    "accept": ["EINTR", "ECONNABORTED", "EMFILE", "ENOMEM"],
    "connect": ["ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH"],
    "socket": ["EMFILE", "ENOBUFS"],
    "setsockopt": ["EINVAL"],
    "getsockopt": ["ENOBUFS"],
    "calloc": ["ENOMEM"],
    "malloc": ["ENOMEM"],
    "pipe": ["EMFILE"],
    "eventfd": ["EMFILE"],
    "pthread_create": ["EAGAIN"],
    "fcntl": ["EINVAL"],
    "ioctl": ["EINVAL"],
    "shutdown": ["ENOTCONN"],
    "close": ["EINTR"],
    "poll": ["EINTR"],
}
TOLD = ("cannot make the pipes of the streams: ", "cannot open a stream: ",
        "cannot pass on a record: ", "initiate: cannot take a connection: ",
        "cannot start the thread of the streams: ")
BAD = ("other bytes", "an end instead")


def await_text(path, pattern, process):
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        with open(path, encoding="utf-8", errors="replace") as f:
            found = re.search(pattern, f.read(), re.M)
        if found:
            return found.group(1)
        if process.poll() is not None:
            return None
        time.sleep(0.02)
    return None


class Run:
    def __init__(self, setting, number, side, call, error, at):
        self.library, self.program, self.scratch, self.server = setting
        self.name = "%s, %s %d: %s" % (side, call, at, error)
        self.side, self.base = side, os.path.join(self.scratch, str(number))
        code = "short" if error == "short" else str(getattr(errno, error))
        self.fault = dict(os.environ, LD_PRELOAD=self.library, FAILING_CALL=call,
                          FAILING_AT=str(at), FAILING_WITH=code,
                          FAILING_NOTE=self.base + ".note")
        self.failed, self.heard, self.wrong = False, "", []

    def start(self, side, words):
        path = "%s.%s" % (self.base, side)
        with open(path, "wb") as err:
            return path, subprocess.Popen(
                [self.program, "duplex"] + words, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err,
                env=self.fault if side == self.side else os.environ)

    def carry(self, port):
        try:
            done = subprocess.run(STREAMS + ["call"] + KINDS + [port], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            self.wrong.append("the connections hang")
            return
        self.wrong += [text for text in done.stdout.splitlines()
                       if "AssertionError" in text and any(bad in text for bad in BAD)]

    def go(self):
        words = ["linger", "1", "wait", "5", "heartbeat", "3"]
        l_err, listener = self.start("l", ["0", "terminate", "127.0.0.1", self.server] + words)
        port = await_text(l_err, r"listening on .*:(\d+)$", listener)
        paths, running = [l_err], [listener]
        if port is not None:
            c_err, caller = self.start("c", ["127.0.0.1", port, "initiate", "0"] + words)
            paths.append(c_err)
            running.append(caller)
            accepts = await_text(c_err, r"accepting on .*:(\d+)$", caller)
            if accepts is not None:
                self.carry(accepts)
        self.end(running, paths)
        return self

    def end(self, running, paths):
        time.sleep(0.05)
        ended = [p.poll() for p in running]
        for p in running:
            if p.poll() is None:
                p.terminate()
        for p, before, path in zip(running, ended, paths):
            try:
                p.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.wrong.append("does not end")
                p.kill()
                p.wait()
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            self.heard += text
            if p.returncode < 0 and p.returncode not in (-signal.SIGTERM, -signal.SIGKILL):
                self.wrong.append("ended by signal %d" % -p.returncode)
            if before is not None and (before == 0 or "viamillipede" not in text):
                self.wrong.append("ended with %d and said: %s" % (before, text[-200:]))
        self.failed = os.path.exists(self.base + ".note")


def main():
    library, program, scratch = sys.argv[1:4]
    ats = [int(word) for word in sys.argv[4:]] or [1, 4]
    server = subprocess.Popen(STREAMS + ["serve", scratch + "/port"],
                              stderr=subprocess.DEVNULL)
    while not os.path.exists(scratch + "/port"):
        time.sleep(0.02)
    with open(scratch + "/port", encoding="ascii") as f:
        setting = (library, program, scratch, f.read().strip())
    rows = []
    for call, errors in FAULTS.items():
        for n, at in enumerate(ats):
            for k, side in enumerate("lc"):
                rows.append((side, call, errors[(n + k) % len(errors)], at))
    # After those for the legs there may be.
    rows += [("l", "calloc", "ENOMEM", at) for at in (135, 142, 150)]
    # Which of them is a record, the threads' order decides.
    rows += [("c", "write", "EIO", at) for at in (2, 3, 5, 6, 8)]
    with ThreadPoolExecutor(6) as pool:
        runs = list(pool.map(lambda row: Run(setting, row[0], *row[1]).go(),
                             enumerate(rows)))
    server.kill()
    server.wait()
    wrong = ["%s: %s" % (run.name, "; ".join(run.wrong)) for run in runs if run.wrong]
    heard = "".join(run.heard for run in runs)
    wrong += ["never told: " + text for text in TOLD if text not in heard]
    print("%d runs, %d in which a call failed" % (len(runs), sum(r.failed for r in runs)))
    for text in wrong:
        print("WRONG: " + text)
    sys.exit(1 if wrong or sum(r.failed for r in runs) < len(runs) // 3 else 0)


main()
