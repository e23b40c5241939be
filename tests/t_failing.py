"""Every call fails once, and what can be done without fails always: short
transfers, in each of which one call of one side fails with one errno, or moves
one byte only.

usage: t_failing.py LIBRARY PROGRAM SCRATCH quick|all [WORKERS [CALL ...]]
       t_failing.py LIBRARY PROGRAM SCRATCH told [WORKERS]

LIBRARY is failing.c, built; it is preloaded into the side that is tested, and
tells in a file whether it came to pass. In "all", each call in FAULTS, on tx
and on rx, fails with each of its errors at the first such call, at the second,
and so on until there are no more; in a plain transfer from a pipe to a pipe, in
a checked one from a file to a file, in one between commands, and in a longer
one whose legs are reset all the time. "quick" takes a few of them.

Each run ends with the exact bytes and 0 at both ends, or with another status
than 0 and with a message; always within its time, by itself, and what was
written is never anything but the beginning of what was sent. What a program is
to survive (errors that a call is to be repeated for, or that concern one leg)
must end with 0. tx never ends with 0 unless rx does.

ALWAYS has the calls that a filter of system calls, an emulator or an old kernel
may refuse each time, and without which the transfer has to go on, in silence and
without the loss of a leg; both "quick" and "all" try each of them with each of its
errors.  An accept that is always refused ends with a message instead.

"told" looks for the messages in TOLD: the first, the second ... of a kind of call
fails until one of them leads to the message.

Prints the number of runs, and each that went wrong with how to repeat it.
Exits with 1 if there was one.
"""

import errno
import glob
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SIZE = 300000
LONGER = 3000000    # of the transfer with resets
LIMIT_S = 40.0      # of a run; the sides' own limits are these
MOST = 2000         # calls of one kind in a run, far beyond what there are
WORDS = ["heartbeat", "3", "wait"]
WAITS_S = {"tx": "3", "rx": "5"}    # a machine that is busy starts tx late
TIMEOUTS_S = {"plain": "3", "report": "3", "checked": "3", "commands": "3",
              "resets": "10", "sluiced": "3"}
# A reset takes with it what was not read, and slower legs have smaller frames:
# with many more resets there is hardly any progress.
RESETS = ["checksum", "frame", "128k", "chaos", "30:reset"]

AGAIN = ["EINTR", "EAGAIN", "short"]
GONE = ["ECONNRESET", "ETIMEDOUT", "EPIPE", "ENOBUFS", "ENOMEM"]
FAULTS = {
    "read": AGAIN + ["EIO"],
    "readv": AGAIN + ["EIO"],
    "write": AGAIN + ["EIO", "ENOSPC", "EPIPE"],
    "writev": AGAIN + ["EIO", "ENOSPC", "EPIPE"],
    "send": AGAIN + GONE,
    "sendmsg": AGAIN + GONE,
    "recv": AGAIN + ["ECONNRESET", "ETIMEDOUT", "ENOMEM"],
    "recvmsg": AGAIN + ["ECONNRESET", "ETIMEDOUT", "ENOMEM"],
    "splice": AGAIN + ["ECONNRESET", "ETIMEDOUT", "ENOMEM", "EINVAL", "EPIPE"],
    "tee": AGAIN + ["EINVAL", "ENOMEM"],
    "poll": ["EINTR", "EAGAIN", "ENOMEM"],
    "accept": ["EINTR", "EAGAIN", "ECONNABORTED", "EMFILE", "ENFILE", "ENOBUFS",
               "ENOMEM", "EPROTO"],
    "connect": ["EINTR", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH",
                "EHOSTUNREACH", "EADDRNOTAVAIL", "EACCES", "ENOBUFS"],
    "socket": ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"],
    "bind": ["EADDRINUSE", "EACCES", "ENOMEM"],
    "listen": ["EADDRINUSE"],
    "setsockopt": ["ENOPROTOOPT", "EINVAL", "ENOMEM", "ENOBUFS"],
    "getsockopt": ["ENOPROTOOPT", "ENOBUFS"],
    "getsockname": ["ENOBUFS"],
    "getpeername": ["ENOTCONN", "ENOBUFS"],
    "getnameinfo": ["EAI_AGAIN", "EAI_MEMORY", "EAI_FAIL"],
    "ioctl": ["EINVAL", "ENOTTY"],
    "shutdown": ["ENOTCONN"],
    "eventfd": ["EMFILE", "ENFILE", "ENOMEM"],
    "dup2": ["EBUSY"],
    "pipe": ["EMFILE", "ENFILE"],
    "posix_spawnp": ["EAGAIN", "ENOMEM"],
    "waitid": ["EINTR"],
    "waitpid": ["EINTR"],
    "close": ["EINTR", "EIO", "ENOSPC"],
    "fcntl": ["EMFILE", "EINVAL", "ENOMEM"],
    "open": ["EMFILE", "ENFILE", "ENOMEM", "EACCES"],
    "getaddrinfo": ["EAI_AGAIN", "EAI_MEMORY", "EAI_SYSTEM", "EAI_NONAME",
                    "EAI_FAIL"],
    "malloc": ["ENOMEM"],
    "calloc": ["ENOMEM"],
    "realloc": ["ENOMEM"],
    "mmap": ["ENOMEM"],
    "pthread_create": ["EAGAIN", "EPERM"],
    "fork": ["EAGAIN", "ENOMEM"],
}
# Whatever these say, it concerns one leg, which is made anew.
ONE_LEG = {"send", "sendmsg", "recv", "recvmsg", "poll", "accept", "connect",
           "getpeername", "getnameinfo", "ioctl"}
FORMS = ("plain", "checked", "commands", "resets")  # of the transfer
REFUSED = ["EPERM", "EACCES", "ENOSYS", "EINVAL", "EOPNOTSUPP"]
ALWAYS = {      # sides, forms and errors
    "splice": (("rx",), ("plain", "sluiced"), REFUSED + ["ENOMEM", "EIO"]),
    "tee": (("rx",), ("sluiced",), REFUSED + ["ENOMEM"]),
    "fcntl F_SETPIPE_SZ": (("tx", "rx"), ("plain", "sluiced"), REFUSED),
    "eventfd": (("tx", "rx"), ("plain", "commands"), REFUSED + ["EMFILE"]),
    "setsockopt TCP": (("tx", "rx"), ("plain",), REFUSED + ["ENOPROTOOPT"]),
    "getsockopt TCP": (("tx", "rx"), ("plain",), REFUSED + ["ENOPROTOOPT"]),
    "getsockopt TCP_INFO": (("tx", "rx"), ("plain",), ["short", "ENOPROTOOPT"]),
    "setsockopt TCP_CONGESTION": (("tx",), ("plain",), ["EPERM", "ENOENT"]),
    "setsockopt SOCKET": (("tx", "rx"), ("plain",), REFUSED),
    "setsockopt IPV6": (("tx", "rx"), ("plain",), REFUSED),
    "socket INET6": (("tx", "rx"), ("plain",), REFUSED + ["EAFNOSUPPORT"]),
    "ioctl": (("tx", "rx"), ("plain",), REFUSED + ["ENOTTY"]),
    "getrandom": (("tx", "rx"), ("plain",), REFUSED),
    "prctl": (("tx", "rx"), ("commands",), REFUSED),
    "getpeername": (("tx", "rx"), ("plain",), REFUSED),
    "accept": (("rx",), ("plain",), REFUSED),
}
TOLD = (        # one of these calls leads to this message
    ("tx", "plain", "calloc", "ENOMEM", "cannot make the window: "),
    ("tx", "report", "calloc", "ENOMEM", "cannot keep events for the report: "),
    ("tx", "resets", "malloc", "ENOMEM", "cannot keep what is read: "),
    ("tx", "plain", "malloc", "ENOMEM", "cannot add a leg: "),
    ("rx", "checked", "malloc", "ENOMEM", "cannot keep a frame: "),
    ("rx", "plain", "pthread_create", "EAGAIN", "cannot start a thread for leg "),
    ("rx", "commands", "pipe", "EMFILE", "cannot make a pipe to the command: "),
    ("rx", "commands", "fork", "EAGAIN",
     "cannot start the guardian of the command: "),
)
QUICK = {       # which of the calls, in the quick form; the errors take turns
    "malloc": (1, 2, 3, 5), "calloc": (1, 2, 3, 5), "fcntl": (1, 2, 4, 6, 9),
    "recvmsg": (1, 2, 4, 7), "sendmsg": (1, 2, 4, 7), "poll": (1, 3, 8),
    "read": (1, 3, 6), "writev": (1, 2, 3), "pthread_create": (1, 2, 3, 4, 5),
    "close": (1, 2, 4), "open": (1, 2), "eventfd": (1, 2, 3),
}


class Fault:
    """The call that fails is the at-th, or each of them if that is 0."""

    def __init__(self, side, form, call, error, at):
        self.side, self.form = side, form
        self.call, self.error, self.at = call, error, at

    def __str__(self):
        return "%s, %s: %s %s: %s" % (
            self.side, self.form, self.call, self.at or "always", self.error)

    def environment(self, library, note):
        if self.error == "short":
            number = "short"
        elif self.error.startswith("EAI_"):
            number = str(int(getattr(socket, self.error)))
        else:
            number = str(getattr(errno, self.error))
        return dict(os.environ, LD_PRELOAD=library, FAILING_CALL=self.call,
                    FAILING_AT=str(self.at), FAILING_WITH=number,
                    FAILING_NOTE=note)

    def must_be_survived(self):
        if self.at == 0:
            return self.call != "accept"
        if self.error in ("EINTR", "short"):
            return True
        if (self.error == "EAGAIN" and
                self.call not in ("pthread_create", "posix_spawnp", "fork")):
            return True
        if self.side == "tx" and self.call in ("socket", "getaddrinfo"):
            return True
        return self.call in ONE_LEG


class Run:
    """One transfer; the result is in .fired and .wrong (a text or None)."""

    def __init__(self, setting, fault, name):
        self.setting, self.fault = setting, fault
        self.base = os.path.join(setting.scratch, name)
        os.mkdir(self.base)
        self.data = setting.data
        if fault.form in ("resets", "sluiced"):
            self.data = setting.longer
        self.got = bytearray()
        self.threads, self.processes = [], {}
        self.wrong, self.mixed = None, False

    def path(self, name):
        return os.path.join(self.base, name)

    def words(self, side):
        return WORDS + [WAITS_S[side], "timeout", TIMEOUTS_S[self.fault.form]]

    def said(self, side):
        with open(self.path(side + ".err"), "rb") as f:
            return f.read().decode("utf-8", "replace")

    def start(self, side, words, stdin, stdout):
        env = os.environ
        if side == self.fault.side:
            env = self.fault.environment(self.setting.library,
                                         self.path("note"))
        with open(self.path(side + ".err"), "wb") as err:
            p = subprocess.Popen([self.setting.program] + words, stdin=stdin,
                                 stdout=stdout, stderr=err, env=env)
        self.processes[side] = p
        return p

    def thread(self, target, *arguments):
        t = threading.Thread(target=target, args=arguments, daemon=True)
        t.start()
        self.threads.append(t)

    def feed(self, pipe):
        try:
            pipe.write(self.data)
        except OSError:
            pass
        try:
            pipe.close()
        except OSError:
            pass

    def take(self, pipe):
        while True:
            part = os.read(pipe.fileno(), 65536)
            if not part:
                break
            self.got += part
        pipe.close()

    def start_rx(self):
        if self.fault.form == "checked":
            with open(self.path("out"), "wb") as out:
                self.start("rx", ["rx", "0"] + self.words("rx"), subprocess.DEVNULL, out)
        elif self.fault.form == "commands":
            command = ["exec", "sh", "-c", "cat >\"$1\"", "sh", self.path("out")]
            self.start("rx", ["rx", "0"] + self.words("rx") + command,
                       subprocess.DEVNULL, subprocess.DEVNULL)
        else:
            p = self.start("rx", ["rx", "0"] + self.words("rx"), subprocess.DEVNULL,
                           subprocess.PIPE)
            self.thread(self.take, p.stdout)

    def start_tx(self, port):
        words = ["tx", "127.0.0.1", port, "legs", "2"] + self.words("tx")
        if self.fault.form == "resets":
            words += RESETS
        if self.fault.form == "report":
            words += ["report", self.path("report")]
        if self.fault.form in ("checked", "sluiced"):
            words += ["checksum"]
        if self.fault.form == "commands":
            words += ["source", "cat", self.setting.input]
        if self.fault.form in ("checked", "commands"):
            with open(self.setting.input, "rb") as source:
                self.start("tx", words, source, subprocess.DEVNULL)
        else:
            p = self.start("tx", words, subprocess.PIPE, subprocess.DEVNULL)
            self.thread(self.feed, p.stdin)

    def port(self):
        """Where rx listens, also when the line that says so was what failed;
        None when it has ended."""
        began = time.monotonic()
        while self.processes["rx"].poll() is None:
            found = re.search(r"listening on .*:(\d+)$", self.said("rx"), re.M)
            if found:
                return found.group(1)
            # Not one that it has only tried and will give up.
            patience = 0.5 if "listening on" in self.said("rx") else 1.5
            if time.monotonic() - began > patience:
                number = listening(self.processes["rx"].pid)
                if number:
                    return str(number)
            if time.monotonic() - began > self.setting.limit:
                return None
            time.sleep(0.005)
        return None

    def wait(self):
        until = time.monotonic() + self.setting.limit
        late = []
        for side, p in self.processes.items():
            try:
                p.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                late.append(side)
        for side in late:
            self.processes[side].kill()
            self.processes[side].wait()
        for t in self.threads:
            t.join(5)
        return late

    def go(self):
        self.start_rx()
        port = self.port()
        if port:
            self.start_tx(port)
        late = self.wait()
        if os.path.exists(self.path("out")):
            with open(self.path("out"), "rb") as f:
                self.got = f.read()
        self.fired = os.path.exists(self.path("note"))
        self.heard = self.said(self.fault.side) if self.fault.side in self.processes else ""
        if late:
            self.wrong = "%s did not end" % " and ".join(late)
        else:
            self.wrong = self.judge()
        if self.wrong and not self.fired:
            self.wrong += " (nothing failed)"
        elif not self.wrong:
            for name in os.listdir(self.base):
                os.unlink(self.path(name))
            os.rmdir(self.base)

    def judge(self):
        status = {side: p.returncode for side, p in self.processes.items()}
        exact = bytes(self.got) == self.data
        for side, code in status.items():
            if code < 0:
                return "%s died of signal %d" % (side, -code)
            if code > 6:
                return "%s ended with %d" % (side, code)
            text = self.said(side)
            if "Assertion" in text:
                return "an assertion of %s" % side
            lines = [line for line in text.splitlines()
                     if "listening on" not in line]
            if code != 0 and not lines:
                return "%s ended with %d without a word" % (side, code)
            if code == 0 and not exact:
                return "%s ended with 0, but the bytes are not all there" % side
        if not self.data.startswith(bytes(self.got)):
            return "what was written is not what was sent"
        if "tx" not in status and self.fault.at == 0:
            return "rx did not even listen"
        if "tx" not in status:
            return "" if status["rx"] != 0 else "rx ended with 0, too early"
        if status["tx"] == 0 and status["rx"] != 0:
            return "tx ended with 0, but rx with %d" % status["rx"]
        self.mixed = status["rx"] == 0 and status["tx"] != 0
        if self.fault.must_be_survived() and status["tx"] != 0:
            return "not survived: tx %d, rx %d" % (status["tx"], status["rx"])
        if self.fault.at == 0:
            return self.judge_always()
        return ""

    def judge_always(self):
        if self.fault.call == "accept":
            return "" if "cannot accept" in self.said("rx") else "not a word of it"
        for side in self.processes:
            for line in self.said(side).splitlines():
                if "listening on" not in line:
                    return "%s said: %s" % (side, line)
        return ""


def listening(pid):
    """The port of a process's listening socket, or None."""
    inodes = set()
    for entry in glob.glob("/proc/%d/fd/*" % pid):
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(entry))
        except OSError:
            continue
        if found:
            inodes.add(found.group(1))
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as f:
                next(f, None)
                for line in f:
                    field = line.split()
                    # They come first, and what follows may be long.
                    if field[3] != "0A":
                        break
                    if field[9] in inodes:
                        return int(field[1].rsplit(":", 1)[1], 16)
        except OSError:
            continue
    return None


class Setting:
    def __init__(self, library, program, scratch, slow):
        self.library = os.path.abspath(library)
        self.program = os.path.abspath(program)
        self.scratch = scratch
        self.limit = LIMIT_S * slow
        # No part of it is like another, and it needs no seed.
        self.longer = b"".join(b"%08x" % (n * 2654435761 % 2**32)
                               for n in range(LONGER // 8))
        self.data = self.longer[:SIZE]
        self.input = os.path.join(scratch, "input")
        with open(self.input, "wb") as f:
            f.write(self.data)


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.runs = self.survived = self.mixed = self.names = 0
        self.most = {}
        self.ended = {}
        self.wrong = []

    def name(self):
        with self.lock:
            self.names += 1
            return "%d" % self.names

    def add(self, run):
        with self.lock:
            fault = run.fault
            if run.wrong:
                self.wrong.append(fault)
                print("WRONG: %s: %s" % (fault, run.wrong))
                for side in run.processes:
                    for line in run.said(side).splitlines()[-8:]:
                        print("    | %s: %s" % (side, line))
                sys.stdout.flush()
            if not run.fired:
                return
            self.runs += 1
            self.mixed += run.mixed
            good = all(p.returncode == 0 for p in run.processes.values())
            self.survived += good
            key = (fault.side, fault.call)
            if not good:
                times = self.ended.setdefault(key, {})
                times[fault.error] = times.get(fault.error, 0) + 1
            self.most[key] = max(self.most.get(key, 0), fault.at)


def once(setting, tally, fault):
    run = Run(setting, fault, tally.name())
    run.go()
    tally.add(run)
    return run


def sweep(setting, tally, side, form, call, error):
    """The runs in which the first call fails, the second ... the last."""
    missed, at = 0, 0
    while missed < 2 and at < MOST:
        at += 1
        run = once(setting, tally, Fault(side, form, call, error, at))
        yield run
        missed = 0 if run.fired else missed + 1


def series(setting, tally, side, form, call, error):
    for _ in sweep(setting, tally, side, form, call, error):
        pass


def told(setting, tally, side, form, call, error, message):
    for run in sweep(setting, tally, side, form, call, error):
        if message in run.heard:
            print("%s: %s" % (run.fault, message))
            return
    print("WRONG: never told: %s" % message)
    tally.wrong.append(message)


def main():
    library, program, scratch, how = sys.argv[1:5]
    workers = int(sys.argv[5]) if len(sys.argv) > 5 else 4
    calls = sys.argv[6:] or list(FAULTS)
    setting = Setting(library, program, scratch,
                      int(os.environ.get("TEST_SLOW", "1")))
    tally = Tally()
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(told, setting, tally, *row) for row in TOLD if how == "told"]
        turn = 0
        for call in calls if how != "told" else ():
            for side in ("tx", "rx") if call in FAULTS else ():
                if how == "all":
                    for form in FORMS:
                        for error in FAULTS[call]:
                            jobs.append(pool.submit(series, setting, tally, side,
                                                    form, call, error))
                    continue
                for at in QUICK.get(call, (1, 2)):
                    error = FAULTS[call][turn % len(FAULTS[call])]
                    form = FORMS[turn % len(FORMS)]
                    if call == "splice":
                        form = "plain"      # nothing else does it
                    jobs.append(pool.submit(once, setting, tally, Fault(
                        side, form, call, error, at)))
                    turn += 1
        for call, (sides, forms, errors) in ALWAYS.items() if how != "told" else ():
            if sys.argv[6:] and call not in calls:
                continue
            for side in sides:
                for form in forms:
                    for error in errors:
                        jobs.append(pool.submit(once, setting, tally, Fault(
                            side, form, call, error, 0)))
        for job in jobs:
            job.result()
    for call in calls if how != "told" else ():
        print("%-16s tx %4d  rx %4d" % (call, tally.most.get(("tx", call), 0),
                                       tally.most.get(("rx", call), 0)))
    for (side, call), times in sorted(tally.ended.items()):
        print("not survived: %s %s: %s" % (side, call, ", ".join(
            "%s (%d)" % pair for pair in sorted(times.items()))))
    print("%d runs in %.0f s: %d survived, %d failed and said so, %d wrong; "
          "in %d rx had all of it and tx could not learn of it" % (
              tally.runs, time.monotonic() - began, tally.survived,
              tally.runs - tally.survived - len(tally.wrong), len(tally.wrong),
              tally.mixed))
    sys.exit(1 if tally.wrong or tally.runs == 0 else 0)


main()
