"""Transfers with options, faults, sources and consumers drawn by a seed.

usage: stress.py [-n RUNS] [-f FIRST] [-j AT_ONCE] [-v] [SEED ...]

Each seed is one transfer over loopback: tx to rx, or offer to fetch, with random
options, chaos at either end, SIGSTOP and SIGCONT, a relay between them that resets,
cuts and silences connections, strangers and a second sender at the port, either end
started first, a source that is a file, a pipe, a socket or a command, a consumer of any
of these kinds, either of them slow or in bursts; in some one end is signalled, the
consumer leaves or a command fails. Judged:

  exact     0 at both ends, and every byte was delivered
  failed    as it had to: the statuses that the manual names for what was done
  late      right, but for more than 3 x heartbeat nothing was delivered although
            nobody held it up on purpose, or it took more than a minute in all
  hung      it had not ended when the driver lost patience
  lost      bytes missing, wrong, or too many, or an exit status of 0 that is false
  wrong     another exit status than the manual names, or a report that is not right
  stray     a process was left behind
  accident  a sanitizer, an assertion or a signal that nobody sent

Without a SEED, RUNS (300) of them from FIRST (1) on, AT_ONCE (2) at a time. What is not
exact or failed as it had to is told with the commands; `stress.py SEED` repeats it, and
-v prints the commands of each. Time is the driver's own: when it does not get to run,
nobody is blamed. Exit status 0: none was late, hung, lost, wrong, stray or an accident.

Environment: VIAMILLIPEDE, TEST_SLOW, TEST_KEEP=1 (keep the directories of bad runs).
"""

import collections
import ctypes
import json
import mmap
import os
import random
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

PROGRAM = os.path.abspath(os.environ.get("VIAMILLIPEDE", "./viamillipede"))
SLOW = float(os.environ.get("TEST_SLOW", "1"))
POOL = 64 << 20                     # the largest stream; each is the end of this
TICK = 0.05                         # the most that one round of the loop counts for
LATE = 60                           # seconds
GIVE_UP = 100
GOOD = ("exact", "failed")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def log_uniform(r, least, most):
    return int(least * (most / least) ** r.random())


# --- what a seed stands for -------------------------------------------------


class Plan:
    """All that is drawn, before anything runs."""

    def __init__(self, seed):
        self.r = r = random.Random(seed)
        self.seed = seed
        self.calls_sender = r.random() < 0.7        # tx and rx, else fetch and offer
        self.heartbeat = [r.choice((3, 3, 3, 4, 6)) for _ in "sr"]
        self.checksum = r.random() < 0.4
        self.key = r.random() < 0.3
        self.threads = r.choice((1, 1, 2, 2, 3, 4, 8, 16))
        self.frame = log_uniform(r, 4096, 1 << 20) if r.random() < 0.6 else 0
        self.window = [log_uniform(r, 1 << 20, 32 << 20) if r.random() < 0.4 else 0 for _ in "sr"]
        if self.frame:
            least = min(w for w in self.window + [64 << 20] if w)
            self.frame = max(4096, min(self.frame, least // 4))
        # A sender that is cut before it reads what it is told would never hear the end.
        self.chaos = [self.draw_chaos(least) for least in (40, 5)]
        if all(c and "stall" in c[1] for c in self.chaos):      # neither would give it up
            self.chaos[1][1].remove("stall")
            self.chaos[1][1].append("close")
        self.relay = self.draw_relay()
        self.size = self.draw_size()
        self.ending = r.choice(("consumer", "exec", "source", "signal", "signal", "early")) \
            if r.random() < 0.12 else None
        self.source = self.draw_end(("file", "pipe", "pipe", "socket", "source"),
                                    "source" if self.ending == "source" else None)
        self.consumer = self.draw_end(("file", "pipe", "pipe", "socket", "exec"), {
            "exec": "exec", "early": "exec",
            "consumer": r.choice(("pipe", "socket"))}.get(self.ending))
        self.stops = self.draw_stops()
        self.strangers = [r.random() * 2 for _ in range(r.randint(1, 5))] \
            if r.random() < 0.1 else []
        self.rival = r.random() * 0.5 if r.random() < 0.05 else None
        self.caller_first = r.random() if self.relay is None and r.random() < 0.1 else 0

    def draw_chaos(self, least):
        r = self.r
        if r.random() < 0.45:
            return None
        kinds = ["close", "reset", "short", "delay"]
        if self.checksum or self.key:
            kinds.append("corrupt")
        if r.random() < 0.25:
            kinds.append("stall")
        chosen = r.sample(kinds, r.randint(1, len(kinds)))
        every = log_uniform(r, max(least, 25) if "stall" in chosen else least, 400)
        return every, chosen, r.randrange(1000)

    def draw_relay(self):
        """(when, what, for how long) of a relay; None: there is none."""
        r = self.r
        if r.random() < 0.7:
            return None
        faults = []
        for _ in range(r.randint(0, 6)):
            what = r.choice(("reset", "cut", "reset all", "cut all", "silence", "silence all",
                             "refuse", "half"))
            faults.append((r.random() * 1.5, what, r.choice((0.1, 0.5, 1, 3))))
        return sorted(faults)

    def draw_size(self):
        """Small enough that the faults on the way take seconds, not minutes."""
        r = self.r
        dice = r.random()
        if dice < 0.04:
            return 0
        if dice < 0.1:
            return r.randint(1, 100)
        most = POOL if r.random() < 0.15 else 8 << 20
        frame = self.frame or 65536
        for chaos in self.chaos:
            if chaos is None:
                continue
            every, kinds, _ = chaos
            faults = 4 if "stall" in kinds else 60 if "delay" in kinds else 150
            most = min(most, frame * every * faults)
            if "short" in kinds:
                most = min(most, 3 << 20)
        return log_uniform(r, 1000, max(2000, most))

    def draw_end(self, kinds, kind):
        r = self.r
        pace = r.choice(("fast", "fast", "fast", "slow", "bursts"))
        return kind or r.choice(kinds), pace, r.random()

    def draw_stops(self):
        r = self.r
        if r.random() < 0.75:
            return []
        longest = 8 if r.random() < 0.05 else 0.6
        return sorted((r.random(), r.choice("sr"), 0.01 + r.random() * longest)
                      for _ in range(r.randint(1, 4)))


# --- the commands -----------------------------------------------------------


def words_of(plan, side, where):
    """The options of one side: 0 the sender's, 1 the receiver's."""
    r = plan.r
    # Who is stopped for longer than that, and has lost its legs meanwhile, is gone.
    linger = "15" if any(seconds > 4 for _, _, seconds in plan.stops) else "5"
    words = ["heartbeat", str(plan.heartbeat[side]), "linger", linger]
    if plan.window[side]:
        words += ["window", str(plan.window[side])]
    if plan.chaos[side]:
        every, kinds, seed = plan.chaos[side]
        words += ["chaos", "%d:%s:%d" % (every, ",".join(kinds), seed)]
    if plan.key:
        words += ["key", where + "/key"]
    if r.random() < 0.2:
        words += ["report", "%s/report.%s" % (where, "sr"[side])]
    if r.random() < 0.1:
        words += ["timeout", str(r.choice((60, 100, 0)))]
    words += ["verbose", str(r.choice((1, 1, 1, 2, 4, 6)))]
    if (side == 0) == plan.calls_sender:
        words += ["legs", str(plan.threads)]
    if side == 0:
        words += ["frame", str(plan.frame)] if plan.frame else []
        words += ["checksum"] if plan.checksum else []
        if r.random() < 0.2:
            with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as f:
                words += ["congestion", r.choice(f.read().split())]
    return words


def source_command(plan, pool):
    """A command that writes the stream, the whole of it or, to fail, a part."""
    whole = plan.size
    tail = "tail -c %d %s" % (whole, pool)
    _, pace, part = plan.source
    cut = int(whole * part)
    if plan.ending == "source":
        return ["%s | head -c %d; exit 3" % (tail, cut)]
    if pace == "fast":
        return ["tail", "-c", str(whole), pool]
    return ["%s | head -c %d; sleep 0.3; tail -c %d %s" % (tail, cut, whole - cut, pool)]


def exec_command(plan, out):
    """A command that takes the stream."""
    _, pace, part = plan.consumer
    if plan.ending == "exec":
        return ["cat >%s; exit 7" % out]
    if plan.ending == "early":
        return ["head -c %d >%s" % (int(plan.size * part / 2), out)]
    if pace == "fast":
        return ["cat >%s.new && mv %s.new %s" % (out, out, out)]
    return ["{ head -c %d; sleep 0.3; cat; } >%s; sleep 0.2" % (int(plan.size * part), out)]


def paths(plan, word, port, only):
    """The caller's words for the ways to the listener; some lead nowhere."""
    r = plan.r
    addresses = [only or "127.0.0.1"]
    if r.random() < 0.3 and not only:
        addresses = r.choice((["127.0.0.1", "127.0.0.2"], ["localhost"], ["127.0.0.3"] * 3,
                              ["127.0.0.1", "dead"], ["dead", "127.0.0.2"]))
    words = []
    for address in addresses:
        words += [word, "127.0.0.1", "1"] if address == "dead" else [word, address, str(port)]
        if r.random() < 0.1 and address.startswith("127."):
            words += ["from", "127.0.0.1"]
    return words


# --- a relay ----------------------------------------------------------------


class Relay:
    """Moves bytes between callers and the listener, and injures them as planned."""

    def __init__(self, port, faults, r, abrupt):
        self.to = port
        self.abrupt = abrupt        # who stalls on purpose sees nothing but a reset
        self.faults = list(faults)
        self.r = r
        self.listener = socket.create_server(("", 0), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.refuse_until = self.silent_until = 0.0

    def accept(self, now):
        try:
            a = self.listener.accept()[0]
        except OSError:
            return
        if now < self.refuse_until:
            a.close()
            return
        try:
            b = socket.create_connection(("127.0.0.1", self.to), 1)
        except OSError:
            a.close()
            return
        for s in a, b:
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs.append({"ends": (a, b), "held": [b"", b""], "eof": [False, False],
                           "silent": 0.0, "half": 1e9})

    def sockets(self, now):
        """What to read from and what to write to."""
        reads, writes = [self.listener], []
        for pair in self.pairs:
            if now < max(pair["silent"], self.silent_until):
                continue
            for i in 0, 1:
                if pair["held"][i]:
                    writes.append(pair["ends"][1 - i])
                elif not pair["eof"][i]:
                    reads.append(pair["ends"][i])
        return reads, writes

    def close(self, pair, reset):
        for s in pair["ends"]:
            if reset or self.abrupt:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        if pair in self.pairs:
            self.pairs.remove(pair)

    def move(self, pair, i, readable):
        """From end i to the other one; false when the connection is broken."""
        here, there = pair["ends"][i], pair["ends"][1 - i]
        try:
            if readable and not pair["held"][i] and not pair["eof"][i]:
                pair["held"][i] = here.recv(1 << 18)
                pair["eof"][i] = not pair["held"][i]
            if pair["held"][i]:
                pair["held"][i] = pair["held"][i][there.send(pair["held"][i]):]
            if pair["eof"][i] is True and not pair["held"][i]:
                pair["eof"][i] = "told"
                there.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return pair["eof"] != ["told", "told"]

    def injure(self, what, seconds, now):
        some = self.pairs if what.endswith("all") else \
            self.pairs and [self.r.choice(self.pairs)]
        if what.startswith("silence"):
            for pair in some:
                pair["silent"] = now + seconds
            if what.endswith("all"):
                self.silent_until = now + seconds
        elif what == "refuse":
            self.refuse_until = now + seconds
        elif what == "half":                # one end is told, the other never
            for pair in list(some):
                pair["silent"] = now + 1e9
                try:
                    pair["ends"][0].shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass                    # it has gone already
        else:
            for pair in list(some):
                self.close(pair, what.startswith("reset"))

    def due(self, now):
        while self.faults and self.faults[0][0] <= now:
            _, what, seconds = self.faults.pop(0)
            self.injure(what, seconds, now)

    def excused(self, now):
        """Everything is silent, or refused, on purpose."""
        return now < max(self.silent_until, self.refuse_until)

    def run(self, now, readable):
        self.due(now)
        if self.listener in readable:
            self.accept(now)
        for pair in list(self.pairs):
            if now < max(pair["silent"], self.silent_until):
                continue
            good = True
            for i in 0, 1:
                good = good and self.move(pair, i, pair["ends"][i] in readable)
            if True in pair["eof"]:             # nobody takes what came before the end
                pair["half"] = min(pair["half"], now)
            if not good or now > pair["half"] + 1:
                self.close(pair, False)


# --- one transfer -----------------------------------------------------------


class Run:
    """One seed: both ends, the source, the consumer and what happens to them."""

    def __init__(self, seed, pool, verbose):
        self.plan = Plan(seed)
        self.pool, self.pool_path = pool
        self.verbose = verbose
        self.where = tempfile.mkdtemp(prefix="stress.%d." % seed)
        self.commands = []
        self.pids = {}              # side -> pid
        self.kept = []
        self.ends = {}              # side -> wait status
        self.relay = None
        self.fed = 0                # bytes that the program was given so far
        self.got = 0                # bytes that the consumer has
        self.now = 0.0              # the driver's own clock, in seconds
        self.moved = 0.0            # when something was delivered, or excused
        self.worst = 0.0            # the longest time without
        self.stopped = {}           # side -> until when
        self.feed = self.sink = None
        self.paused = {"feed": 0.0, "sink": 0.0}
        self.bad = None             # (verdict, why)
        self.signalled = None

    # Starting

    def spawn(self, side, words, stdin, stdout):
        self.commands.append(" ".join(shlex.quote(w) for w in [PROGRAM] + words))
        if self.verbose:
            print(self.commands[-1], flush=True)
        with open("%s/%s.err" % (self.where, side), "wb") as err:
            child = subprocess.Popen([PROGRAM] + words, stdin=stdin, stdout=stdout, stderr=err,
                                     cwd=self.where)
        self.kept.append(child)         # one that is forgotten is reaped behind our back
        self.pids[side] = child.pid

    def open_source(self):
        """What the sender has for standard input, and the command's words."""
        kind = self.plan.source[0]
        if kind == "source":
            return None, ["source"] + source_command(self.plan, self.pool_path)
        if kind == "file":
            fd = os.open(self.pool_path, os.O_RDONLY)
            os.lseek(fd, POOL - self.plan.size, os.SEEK_SET)
            self.fed = self.plan.size
            return fd, []
        if kind == "pipe":
            theirs, self.feed = os.pipe()
        else:
            a, b = socket.socketpair()
            theirs, self.feed = a.detach(), b.detach()
        os.set_blocking(self.feed, False)
        return theirs, []

    def open_consumer(self):
        kind = self.plan.consumer[0]
        if kind == "exec":
            return None, ["exec"] + exec_command(self.plan, "out")
        if kind == "file":
            return os.open(self.where + "/out", os.O_WRONLY | os.O_CREAT), []
        if kind == "pipe":
            self.sink, theirs = os.pipe()
        else:
            a, b = socket.socketpair()
            theirs, self.sink = a.detach(), b.detach()
        os.set_blocking(self.sink, False)
        return theirs, []

    def listening(self, side):
        """The port that it tells, once it does."""
        limit = time.monotonic() + 20 * SLOW
        while time.monotonic() < limit:
            with open("%s/%s.err" % (self.where, side)) as f:
                for line in f:
                    if "listening on " in line and line.endswith("\n"):
                        return int(line.rsplit(":", 1)[1])
            time.sleep(0.005)
        raise RuntimeError("it does not listen")

    def start(self):
        plan = self.plan
        if plan.key:
            fd = os.open(self.where + "/key", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, plan.r.randbytes(32))
            os.close(fd)
        stdin, source = self.open_source()
        stdout, consumer = self.open_consumer()
        nothing = os.open("/dev/null", os.O_RDWR)
        words = {"s": words_of(plan, 0, self.where), "r": words_of(plan, 1, self.where)}
        tail = {"s": source, "r": consumer}
        ends = {"s": (stdin, nothing), "r": (nothing, stdout)}
        caller, listener = ("s", "r") if plan.calls_sender else ("r", "s")
        for side, fds in ends.items():
            ends[side] = tuple(nothing if fd is None else fd for fd in fds)
        listens = ["rx" if listener == "r" else "offer"]
        calls = "tx" if caller == "s" else "fetch"
        rest = {side: ["wait", "40"] + words[side] + tail[side] for side in "sr"}
        if plan.caller_first:           # an address of its own has every port free
            address = "127.%d.%d.%d" % (os.getpid() >> 16 & 127 | 128, os.getpid() >> 8 & 255,
                                        os.getpid() & 255)
            self.port = 40000
            self.spawn(caller, paths(plan, calls, self.port, address) + rest[caller],
                       *ends[caller])
            time.sleep(plan.caller_first)
            self.spawn(listener, listens + ["40000", "bind", address] + rest[listener],
                       *ends[listener])
        else:
            self.spawn(listener, listens + ["0"] + rest[listener], *ends[listener])
            port = self.port = self.listening(listener)
            if plan.relay is not None:
                stalls = any(c and "stall" in c[1] for c in plan.chaos)
                self.relay = Relay(port, plan.relay, plan.r, stalls)
                port = self.relay.port
            self.spawn(caller, paths(plan, calls, port, None) + rest[caller], *ends[caller])
        for fd in {stdin, stdout, nothing} - {None}:
            os.close(fd)

    # Running

    def pump_in(self):
        """Gives the program what it takes, at the source's pace."""
        view = self.pool[POOL - self.plan.size + self.fed:]
        pace = self.plan.source[1]
        most = {"fast": 1 << 20, "slow": 4096 + self.plan.size // 50,
                "bursts": 1 + self.plan.size // 4}[pace]
        try:
            n = os.write(self.feed, view[:most]) if len(view) else 0
            self.fed += n
        except BlockingIOError:
            return
        except OSError:
            self.close("feed")
            return
        if self.fed == self.plan.size:
            self.close("feed")
        elif pace == "slow":
            self.paused["feed"] = self.now + 0.01
        elif pace == "bursts" and self.plan.r.random() < 0.3:
            self.paused["feed"] = self.now + 0.3

    def pump_out(self):
        plan = self.plan
        pace = plan.consumer[1]
        most = {"fast": 1 << 20, "slow": 4096 + plan.size // 50, "bursts": 1 << 18}[pace]
        if plan.ending == "consumer":
            most = max(1, min(most, int(plan.size * plan.consumer[2]) - self.got))
        try:
            data = os.read(self.sink, most)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close("sink")
            return
        at = POOL - plan.size + self.got
        if data != self.pool[at:at + len(data)] or self.got + len(data) > plan.size:
            self.blame("lost", "what was delivered differs after byte %d" % self.got)
        self.delivered(self.got + len(data))
        if plan.ending == "consumer" and self.got >= int(plan.size * plan.consumer[2]):
            self.close("sink")
        elif pace == "slow":
            self.paused["sink"] = self.now + 0.01
        elif pace == "bursts" and plan.r.random() < 0.1:
            self.paused["sink"] = self.now + 0.3

    def close(self, which):
        fd = getattr(self, which)
        if fd is not None:
            os.close(fd)
        setattr(self, which, None)

    def delivered(self, raw):
        if raw > self.got:
            self.got = raw
            self.progress()

    def size(self, name):
        try:
            return os.stat(self.where + "/" + name).st_size
        except FileNotFoundError:
            return 0

    def progress(self):
        self.worst = max(self.worst, self.now - self.moved)
        self.moved = self.now

    def blame(self, verdict, why):
        if self.bad is None:
            self.bad = verdict, why

    def signal_at(self):
        """Stops, continues and ends the two as planned."""
        plan = self.plan
        while plan.stops and plan.stops[0][0] <= self.now:
            _, side, seconds = plan.stops.pop(0)
            if side not in self.ends and side not in self.stopped:
                os.kill(self.pids[side], signal.SIGSTOP)
                self.stopped[side] = self.now + seconds
        for side in list(self.stopped):
            if self.now >= self.stopped[side] or side in self.ends:
                del self.stopped[side]
                if side not in self.ends:
                    os.kill(self.pids[side], signal.SIGCONT)
        while plan.strangers and min(plan.strangers) <= self.now:
            plan.strangers.remove(min(plan.strangers))
            self.stranger()
        if plan.rival is not None and self.now >= plan.rival and self.got > 0 and \
                not plan.caller_first:
            plan.rival = None
            self.start_rival()
        if plan.ending == "signal" and self.signalled is None and \
                self.now >= plan.consumer[2] and not self.ends:
            side = plan.r.choice("sr")
            self.signalled = side, plan.r.choice(SIGNALS)
            os.kill(self.pids[side], self.signalled[1])

    def start_rival(self):
        """Another caller of the same kind, which is refused and does no harm."""
        words = ["tx" if self.plan.calls_sender else "fetch", "127.0.0.1", str(self.port),
                 "wait", "20"]
        if self.plan.key:
            words += ["key", self.where + "/key"]
        nothing = os.open("/dev/null", os.O_RDWR)
        self.spawn("x", words, nothing, nothing)
        os.close(nothing)

    def stranger(self):
        s = socket.socket()
        try:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            s.send(self.plan.r.choice((b"", b"GET / HTTP/1.0\r\n\r\n",
                                       self.plan.r.randbytes(200))))
        except OSError:
            pass
        s.close()

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            for side, known in self.pids.items():
                if pid == known:
                    self.ends[side] = status
                    self.progress()

    def once(self):
        """One round: what can be moved is moved, and the clock goes on."""
        reads, writes = self.relay.sockets(self.now) if self.relay else ([], [])
        if self.feed is not None and self.now >= self.paused["feed"]:
            writes.append(self.feed)
        if self.sink is not None and self.now >= self.paused["sink"]:
            reads.append(self.sink)
        began = time.monotonic()
        r, w, _ = select.select(reads, writes, [], 0.01)
        if self.feed in w:
            self.pump_in()
        if self.sink in r:
            self.pump_out()
        if self.relay:
            self.relay.run(self.now, set(r))
        self.signal_at()
        if self.plan.consumer[0] in ("file", "exec"):
            self.delivered(max(map(self.size, ("out", "out.new"))))
        self.now += min(time.monotonic() - began, TICK)
        early = self.signalled is not None and self.got == 0    # for want of a peer
        if early or self.stopped or self.relay and self.relay.excused(self.now) or \
                self.feed is not None and self.got >= self.fed:
            self.moved = self.now

    def loop(self):
        while not {"s", "r"} <= set(self.ends):
            self.once()
            self.reap()
            if self.now > GIVE_UP * SLOW:
                self.blame("hung", "not ended after %d s" % self.now)
                return
        self.progress()
        while self.sink is not None and self.bad is None:
            self.pump_out()

    # Judging

    def status(self, side):
        status = self.ends.get(side)
        if status is None:
            return "none"
        return "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) \
            else str(os.WEXITSTATUS(status))

    def allowed(self):
        """The pairs of statuses, sender's and receiver's, that can be right."""
        ending = self.plan.ending
        if ending == "consumer":
            return {("1", "1")} if self.plan.size > 1 else {("0", "0")}
        if ending == "source" and self.got == 0 and \
                (self.relay is not None or self.plan.caller_first):
            return {("6", "6"), ("6", "4")}     # it may have failed before there was a session
        if ending in ("exec", "source") or ending == "early" and self.plan.size > 0:
            return {("6", "6")}
        if self.signalled is not None:
            by = "signal %d" % self.signalled[1]
            both = {(by, other) for other in ("1", "0", "4")} | {("0", "0")}
            return {(b, a) if self.signalled[0] == "r" else (a, b) for a, b in both}
        return {("0", "0")}

    def judge_bytes(self):
        path = self.where + "/out"
        if self.plan.consumer[0] in ("file", "exec"):
            self.got = self.size("out")
            with open(path if self.got else "/dev/null", "rb") as f:
                at = POOL - self.plan.size
                if f.read() != self.pool[at:at + self.got]:
                    self.blame("lost", "what was delivered differs")
        if self.got != self.plan.size and "0" in (self.status("s"), self.status("r")):
            self.blame("lost", "%d bytes of %d and an exit status of 0" %
                       (self.got, self.plan.size))

    def judge_accidents(self):
        for side in "sr":
            with open("%s/%s.err" % (self.where, side), errors="replace") as f:
                said = f.read()
            for mark in ("Sanitizer", "runtime error:", "ssertion"):
                if mark in said:
                    self.blame("accident", said[-2000:])
            ended = self.status(side)
            if ended.startswith("signal") and \
                    (not self.signalled or ended != "signal %d" % self.signalled[1]):
                self.blame("accident", "%s ended by %s" % (side, ended))

    def judge_report(self, side):
        """Lines of JSON, of which the last tells what the exit status tells."""
        path = "%s/report.%s" % (self.where, side)
        if not os.path.exists(path) or not self.status(side).isdigit():
            return
        with open(path) as f:
            lines = f.read().splitlines()
        try:
            last = [json.loads(line) for line in lines][-1]
            good = last["event"] == "end" and str(last["status"]) == self.status(side) and \
                (last["verdict"] == "done") == (last["status"] == 0) and \
                (last["status"] != 0 or last["bytes"] == self.plan.size)
        except (ValueError, KeyError, IndexError):
            good = False
        if not good:
            self.blame("wrong", "the report of %s ends with %s" % (side, lines[-1:]))

    def judge_strays(self):
        if "x" in self.pids and "x" not in self.ends:       # it may still try for a while
            os.kill(self.pids["x"], signal.SIGKILL)
        limit = time.monotonic() + 8 * SLOW
        while self.reap():
            if time.monotonic() > limit:
                self.blame("stray", "processes are left: %s" % children())
                return
            time.sleep(0.01)

    def judge(self):
        self.judge_bytes()
        self.judge_accidents()
        pair = self.status("s"), self.status("r")
        if self.bad is None and pair not in self.allowed():
            self.blame("wrong", "sender ended with %s, receiver with %s" % pair)
        self.judge_report("s")
        self.judge_report("r")
        if self.status("x") not in ("none", "3", "4", "1"):
            self.blame("wrong", "the second sender ended with %s" % self.status("x"))
        self.judge_strays()
        most = 3 * max(self.plan.heartbeat) * SLOW
        # A source that failed before there was a receiver leaves that to its `wait'.
        if self.worst > most and pair != ("6", "4"):
            self.blame("late", "%.1f s without progress" % self.worst)
        if self.now > LATE * SLOW:
            self.blame("late", "%.1f s in all" % self.now)
        if self.bad is not None:
            return self.bad
        return ("exact" if pair == ("0", "0") else "failed"), ""

    def clean(self):
        limit = time.monotonic() + 5
        while children() and time.monotonic() < limit:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.01)

    def go(self):
        try:
            self.start()
            self.loop()
            verdict, why = self.judge()
        finally:
            self.clean()
        if verdict not in GOOD:
            self.report(verdict, why)
        if verdict in GOOD or not os.environ.get("TEST_KEEP"):
            shutil.rmtree(self.where, ignore_errors=True)
        return verdict

    def report(self, verdict, why):
        plan = self.plan
        lines = ["--- seed %d: %s: %s" % (plan.seed, verdict, why),
                 "    %d bytes, %d delivered, %.1f s, ends %s/%s; in %s %s, out %s %s, %s" % (
                     plan.size, self.got, self.now, self.status("s"), self.status("r"),
                     plan.source[0], plan.source[1], plan.consumer[0], plan.consumer[1],
                     "ending: %s" % plan.ending if plan.ending else "to the end")]
        lines += ["    " + command for command in self.commands]
        fresh = Plan(plan.seed)
        if fresh.relay is not None:
            lines.append("    relay: %s" % fresh.relay)
        if fresh.stops:
            lines.append("    stops: %s" % " ".join("%.2f %s for %.2f s" % s for s in fresh.stops))
        if self.signalled:
            lines.append("    signalled: %s by %d" % self.signalled)
        for side in "sr":
            with open("%s/%s.err" % (self.where, side), errors="replace") as f:
                lines += ["    %s| %s" % (side, line.rstrip()) for line in f.readlines()[-12:]]
        print("\n".join(lines), flush=True)


def children():
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


# --- many -------------------------------------------------------------------


def one(seed, pool, verbose):
    """In a process of its own, to which all that is left behind falls."""
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)                  # PR_SET_CHILD_SUBREAPER
    libc.prctl(1, signal.SIGTERM, 0, 0, 0)      # PR_SET_PDEATHSIG
    verdict = "accident"
    try:
        verdict = Run(seed, pool, verbose).go()
    except SystemExit:
        pass
    except Exception:                           # the driver's own fault
        print("--- seed %d: the driver: %s" % (seed, traceback.format_exc()), flush=True)
    os._exit(OUTCOMES.index(verdict))


OUTCOMES = GOOD + ("late", "hung", "lost", "wrong", "stray", "accident")


def make_pool(path):
    with open(path, "wb") as f:
        r = random.Random(0)
        for _ in range(POOL >> 20):
            f.write(r.randbytes(1 << 20))
    with open(path, "rb") as f:
        return mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)


def arguments(words):
    options = {"-n": 300, "-f": 1, "-j": 2}
    seeds, verbose = [], False
    while words:
        word = words.pop(0)
        if word in options:
            options[word] = int(words.pop(0))
        elif word == "-v":
            verbose = True
        else:
            seeds.append(int(word))
    if not seeds:
        seeds = list(range(options["-f"], options["-f"] + options["-n"]))
    return seeds, options["-j"], verbose


def main():
    seeds, at_once, verbose = arguments(sys.argv[1:])
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = tempfile.mkdtemp(prefix="stress.")
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    pool_path = scratch + "/pool"
    pool = memoryview(make_pool(pool_path)), pool_path
    counts, running, began = collections.Counter(), {}, time.monotonic()
    bad = collections.defaultdict(list)
    try:
        while seeds or running:
            while seeds and len(running) < at_once:
                seed = seeds.pop(0)
                pid = os.fork()
                if pid == 0:
                    one(seed, pool, verbose)
                running[pid] = seed
            pid, status = os.wait()
            seed = running.pop(pid)
            verdict = OUTCOMES[os.WEXITSTATUS(status)] if os.WIFEXITED(status) else "accident"
            counts[verdict] += 1
            if verdict not in GOOD:
                bad[verdict].append(seed)
            if sum(counts.values()) % 500 == 0:
                print("%s after %d s" % (dict(counts), time.monotonic() - began), flush=True)
    except KeyboardInterrupt:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
    finally:
        if not os.environ.get("TEST_KEEP"):
            shutil.rmtree(scratch, ignore_errors=True)
    print("%d runs in %d s: %s" % (
        sum(counts.values()), time.monotonic() - began,
        ", ".join("%s %d" % (v, counts[v]) for v in OUTCOMES if counts[v])))
    for verdict, which in bad.items():
        print("%s: seeds %s" % (verdict, " ".join(map(str, which))))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
