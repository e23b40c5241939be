#!/usr/bin/env python3
"""Speed, cost and latency of viamillipede, side by side with other programs.

usage: tests/bench.py [--quick] [--rounds N] [--size MIB] [--only SECTION,...]
                      [--programs NAME,...] [--calm PERCENT] [--json FILE]
                      [--build DIR] [--program PATH] [--user NAME] [--list]

Every program stands between the same source (bench_source) and the same sink
(bench_sink), which counts and checks what comes; programs alternate within
each round, and each figure is the median over the rounds.  Time runs from the
source's first write to the sink's end of file.  CPU is user + system of the
sending and the receiving process, without source and sink.  Peak memory is
VmHWM, sampled (ru_maxrss would include this script's own size).  Traffic
stays on loopback or in network namespaces made here, which vanish with this
script.  As root, the programs run as an ordinary user.

Tables are Markdown, on standard output; progress goes to standard error.
A figure that misses its target does not change the exit status: 0 everything
ran and every byte was right, 1 a program failed or bytes were wrong, 2 usage.
"""

import argparse
import atexit
import dataclasses
import datetime
import json
import os
import platform
import pwd
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
GIB = 1 << 30
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REFERENCES = ("bench_source", "bench_sink", "bench_splice", "bench_copy")
PEERS = ("nc", "mbuffer", "socat")
CALM = 300              # seconds in all that --calm may wait and repeat
AFTERMATH = 15          # seconds for the rest to end when one has failed
OURS = "viamillipede"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def seconds_since(ns):
    return (time.monotonic_ns() - ns) / 1e9


# --------------------------------------------------------------------------
# Processes.  Each child leads a session of its own, so that it can be ended
# together with what it started, and with nothing else.

class Trouble(Exception):
    """A program did not do what it was started for."""


class Child:
    """One process: its standard error by lines, its end, what it used."""

    alive = set()
    lock = threading.Lock()     # spawning, and acting as another user

    def __init__(self, role, argv, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, user=None):
        who = {}
        if user is not None:
            who = {"user": user.pw_uid, "group": user.pw_gid,
                   "extra_groups": []}
        self.role = role
        self.lines = []
        self.news = threading.Condition()
        self.done = threading.Event()
        self.status = self.usage = self.end_ns = None
        self.rss_kib = 0
        with Child.lock:
            try:
                self.popen = subprocess.Popen(
                    argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                    cwd="/", start_new_session=True,
                    env={**os.environ, "LC_ALL": "C"}, **who)
            except OSError as e:
                raise Trouble(f"cannot start {argv[0]}: {e}") from e
        self.pid = self.popen.pid
        self.reaping = threading.Lock()
        Child.alive.add(self)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    def _read(self):
        with self.popen.stderr as stderr:
            for line in stderr:
                with self.news:
                    self.lines.append(line.decode(errors="replace").rstrip())
                    self.news.notify_all()

    def _wait(self):
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.end_ns = time.monotonic_ns()
        with self.reaping:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
            self.popen.returncode = self.status
            self.done.set()
        Child.alive.discard(self)
        with self.news:
            self.news.notify_all()

    def line(self, pattern, seconds):
        """The first match among its lines; None when it ends or time is up."""
        rx = re.compile(pattern)
        deadline = time.monotonic() + seconds
        seen = 0
        with self.news:
            while True:
                for text in self.lines[seen:]:
                    m = rx.search(text)
                    if m:
                        return m
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or (self.done.is_set() and
                                 not self.reader.is_alive()):
                    return None
                self.news.wait(min(left, 0.1))

    def field(self, name):
        """The last name=N among its lines, as a number, or None."""
        self.reader.join(1)
        for text in reversed(self.lines):
            m = re.search(rf"\b{name}=(\d+)", text)
            if m:
                return int(m.group(1))
        return None

    def sample(self):
        """VmHWM only grows, so the last reading before the end is the peak."""
        try:
            with open(f"/proc/{self.pid}/status") as f:
                m = re.search(r"VmHWM:\s+(\d+)", f.read())
                if m:
                    self.rss_kib = max(self.rss_kib, int(m.group(1)))
        except OSError:
            pass

    def cpu(self):
        return self.usage.ru_utime + self.usage.ru_stime

    def switches(self):
        return self.usage.ru_nvcsw + self.usage.ru_nivcsw

    def last_words(self):
        self.reader.join(1)
        return self.lines[-1] if self.lines else "nothing on standard error"

    def _signal(self, signal_number):
        with self.reaping:
            if not self.done.is_set():
                try:
                    os.killpg(self.pid, signal_number)
                except OSError:
                    pass

    def kill(self):
        self._signal(signal.SIGTERM)
        if not self.done.wait(2):
            self._signal(signal.SIGKILL)
            self.done.wait(5)


@atexit.register
def kill_all():
    for child in list(Child.alive):
        child.kill()


def as_user(user, make):
    """Calls make() with another user's identity.  Pipes are charged to the
    user that made them, so an ordinary user's pipes must be made by one."""
    if user is None:
        return make()
    with Child.lock:
        os.setresuid(user.pw_uid, user.pw_uid, 0)
        try:
            return make()
        finally:
            os.setresuid(0, 0, 0)


def softirq_pids():
    """The kernel's threads that carry on what interrupts began.  On a busy
    link, that is mostly the packets of the programs measured here."""
    pids = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm") as f:
                    if f.read().startswith("ksoftirqd/"):
                        pids.append(name)
            except OSError:
                pass
    return pids


def machine_busy(kernel=()):
    """CPU seconds spent on this machine since it started, but for those of
    the kernel's threads given."""
    with open("/proc/stat") as f:
        n = [int(x) for x in f.readline().split()[1:9]]
    ticks = sum(n) - n[3] - n[4]            # all but idle and iowait
    for pid in kernel:
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        ticks -= int(words[11]) + int(words[12])    # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


# --------------------------------------------------------------------------
# Places: where sender and receiver run, and at which addresses they meet.

class Ground:
    """This machine's own network, or (with a holder) a namespace."""

    def __init__(self, user, holder=None, userns=False):
        self.user = user
        self.holder = holder
        self.enter = []
        if holder is not None:
            self.enter = ["nsenter", "-t", str(holder.pid), "-n"]
            if userns:
                self.enter += ["-U", "--preserve-credentials"]

    def spawn(self, role, argv, stdin=subprocess.DEVNULL,
              stdout=subprocess.DEVNULL):
        if not self.enter:
            return Child(role, argv, stdin, stdout, self.user)
        drop = []
        if self.user is not None:
            drop = ["setpriv", f"--reuid={self.user.pw_uid}",
                    f"--regid={self.user.pw_gid}", "--clear-groups"]
        return Child(role, self.enter + drop + argv, stdin, stdout)

    def admin(self, *argv):
        """Runs a tool as the namespace's administrator."""
        p = subprocess.run(self.enter + list(argv), capture_output=True,
                           text=True)
        if p.returncode != 0:
            raise Trouble(f"{' '.join(argv)}: {p.stderr.strip()}")
        return p.stdout


def namespaces(user, count):
    """Network namespaces with loopback up.  Each lives as long as its holder,
    a cat that ends with its standard input, hence with this script."""
    grounds = []
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            raise Trouble(f"needs {tool}")
    userns = os.geteuid() != 0
    for _ in range(count):
        # An ordinary user's namespaces all belong to the first one's owner.
        inside = grounds[0].enter if userns and grounds else []
        flags = "-Urn" if userns and not grounds else "-n"
        holder = subprocess.Popen(
            inside + ["unshare", flags, "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        if holder.stdout.readline() != b"ready\n":
            why = holder.stderr.read().decode().strip()
            raise Trouble(f"no network namespaces here: {why}")
        ground = Ground(user, holder, userns)
        ground.admin("ip", "link", "set", "lo", "up")
        grounds.append(ground)
    return grounds


def namespaces_end(grounds):
    for ground in grounds:
        ground.holder.stdin.close()
        ground.holder.wait()
        ground.holder.stdout.close()
        ground.holder.stderr.close()


@dataclasses.dataclass
class Place:
    tx: Ground
    rx: Ground
    hosts: tuple = ("127.0.0.1",)       # in order of preference

    def spread(self, index):
        """The same place with one of its paths only."""
        return Place(self.tx, self.rx, (self.hosts[index],))


def veth(tx, rx, index):
    """Joins two namespaces; returns the names and the receiver's address."""
    a, b = f"tx{index}", f"rx{index}"
    tx.admin("ip", "link", "add", a, "type", "veth", "peer", "name", b,
             "netns", str(rx.holder.pid))
    for ground, name, host in ((tx, a, 1), (rx, b, 2)):
        ground.admin("ip", "address", "add", f"10.77.{index}.{host}/24",
                     "dev", name)
        ground.admin("ip", "link", "set", name, "up")
    return a, b, f"10.77.{index}.2"


# --------------------------------------------------------------------------
# Programs.  argv of each side from (host, port) and hosts; port 0 where the
# program picks and tells its own.

@dataclasses.dataclass
class Program:
    name: str
    receive: object         # (host, port) -> argv
    send: object            # (hosts, port) -> argv
    tells_port: bool


def free_port(host="127.0.0.1"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def peer_programs():
    mbuffer = ["mbuffer", "-q", "-4", "-s", "128k", "-m", "64M"]
    known = {
        "nc": Program(
            "nc", lambda h, p: ["nc", "-l", h, str(p)],
            lambda hs, p: ["nc", "-N", hs[0], str(p)], False),
        # Its defaults (2 % of memory to walk through) cost it CPU.
        "mbuffer": Program(
            "mbuffer", lambda h, p: [*mbuffer, "-I", str(p)],
            lambda hs, p: [*mbuffer, "-O", f"{hs[0]}:{p}"], False),
        "socat": Program(
            "socat", lambda h, p: ["socat", "-u", "-b131072",
                                   f"TCP4-LISTEN:{p},bind={h}", "-"],
            lambda hs, p: ["socat", "-u", "-b131072", "-",
                           f"TCP4:{hs[0]}:{p}"], False),
    }
    found, missing = [], []
    for name, program in known.items():
        if shutil.which(name) is None:
            missing.append(f"{name} (not found)")
        elif name == "nc" and "OpenBSD" not in version_of("nc", "-h"):
            missing.append("nc (another netcat than OpenBSD's)")
        else:
            found.append(program)
    return found, missing


def reference_programs(tools):
    def reference(name, tool, *options):
        argv = [tools[tool], *options]
        return Program(name, lambda h, p: argv + ["-l", h, "0"],
                       lambda hs, p: argv + [hs[0], str(p)], True)

    return [reference("splice", "bench_splice"),
            reference("copy", "bench_copy"),
            reference("copy 1M", "bench_copy", "-b", "1048576")]


def our_program(tools, name="ours", tx=(), rx=()):
    exe = tools[OURS]

    def send(hosts, port):
        argv = [exe]
        for host in hosts:
            argv += ["tx", host, str(port)]
        return argv + [str(o) for o in tx]

    return Program(name, lambda h, p: [exe, "rx", "0", *map(str, rx)],
                   send, True)


def version_of(*argv):
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=10,
                           stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return p.stdout + p.stderr


def is_listening(pid, port):
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}") as f:
                for text in f:
                    words = text.split()
                    if words[3] == "0A" and \
                            words[1].endswith(f":{port:04X}"):
                        return True
        except OSError:
            pass
    return False


def duplex_program(tools, name):
    exe = tools[OURS]
    return Program(name, lambda h, p: [exe, "duplex", "0"],
                   lambda hs, p: [exe, "duplex", hs[0], str(p)], True)


def receiver_start(program, place, stdout, prefix=(),
                   stdin=subprocess.DEVNULL):
    """Starts the receiving side; returns it and its port when it listens."""
    for _ in range(3):
        port = 0 if program.tells_port else free_port()
        rx = place.rx.spawn(
            "receiver",
            [*prefix, *program.receive(place.hosts[0], port)], stdin, stdout)
        if program.tells_port:
            m = rx.line(r"listening on \S*:(\d+)", 10)
            if m:
                return rx, int(m.group(1))
        else:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and not rx.done.is_set():
                if is_listening(rx.pid, port):
                    return rx, port
                time.sleep(0.002)
        why = rx.last_words()
        rx.kill()
    raise Trouble(f"receiver does not listen: {why}")


# --------------------------------------------------------------------------
# One transfer.

@dataclasses.dataclass
class Run:
    """What one transfer moved and cost."""
    program: str
    why: str = None         # what went wrong, or None
    seconds: float = 0
    bytes: int = 0
    cpu: float = 0
    switches: int = 0
    rss_tx: float = 0       # MiB
    rss_rx: float = 0
    foreign: float = 0      # share of the machine that others used meanwhile
    faults: int = 0         # closings that chaos has told of
    samples: list = dataclasses.field(default_factory=list)

    @property
    def rate(self):
        return self.bytes / MIB / self.seconds

    @property
    def cpu_gib(self):
        return self.cpu / (self.bytes / GIB)

    @property
    def switches_gib(self):
        return self.switches / (self.bytes / GIB)


class Transfer:
    """source | sender -> receiver | sink, once.

    The length is size bytes or ms milliseconds.  feed is what the sender
    finds as standard input: "pipe" or "socket" from the source, or the path
    of a file; endless says that it never ends, so that the sink stops after
    size bytes and both sides have to fail.  The clock starts with the
    source's first write, or with the sender if whole is set.
    during(transfer) is called when all of it runs.
    """

    def __init__(self, bench, program, place=None, size=None, ms=None,
                 feed="pipe", endless=False, whole=False, check=1, sink=(),
                 traces=None, during=None):
        self.bench, self.program = bench, program
        self.place = place or bench.here
        self.size, self.ms = size, ms
        self.feed, self.endless, self.whole = feed, endless, whole
        self.check, self.sink_options = check, list(sink)
        self.traces, self.during = traces, during
        self.children = {}
        self.port = None

    def run(self):
        result = Run(self.program.name)
        kernel = self.bench.kernel
        busy, own, began = machine_busy(kernel), time.process_time(), \
            time.monotonic_ns()
        try:
            self._start()
            if self.during is not None:
                self.during(self)
            self._finish()
            self._measure(result)
            wall = seconds_since(began)
            mine = sum(c.cpu() for c in self.children.values()) + \
                time.process_time() - own
            result.foreign = max(0.0, machine_busy(kernel) - busy - mine) / \
                (wall * os.cpu_count())
        except Trouble as e:
            result.why = str(e)
        finally:
            for child in self.children.values():
                child.kill()
        return result

    def _pipe(self):
        return as_user(self.bench.user, os.pipe)

    def _start(self):
        tools, user_ground = self.bench.tools, self.bench.here.tx
        trace_tx = trace_rx = ()
        if self.traces is not None:
            trace_tx, trace_rx = [
                ["strace", "-c", "-f", "-S", "calls", "-o", path]
                for path in self.traces]

        out_r, out_w = self._pipe()
        options = ["-v", str(self.check), *self.sink_options]
        if self.endless:
            options += ["-n", str(self.size)]
        self.children["sink"] = user_ground.spawn(
            "sink", [tools["bench_sink"], *options], stdin=out_r)
        os.close(out_r)
        try:
            self.children["rx"], self.port = receiver_start(
                self.program, self.place, out_w, trace_rx)
        finally:
            os.close(out_w)

        feed_w = None
        if self.feed == "pipe":
            feed_r, feed_w = self._pipe()
        elif self.feed == "socket":
            a, b = as_user(self.bench.user, socket.socketpair)
            feed_r, feed_w = a.detach(), b.detach()
        else:
            feed_r = os.open(self.feed, os.O_RDONLY)
        self.start_ns = time.monotonic_ns()
        self.children["tx"] = self.place.tx.spawn(
            "sender",
            [*trace_tx, *self.program.send(self.place.hosts, self.port)],
            stdin=feed_r)
        os.close(feed_r)
        if feed_w is not None:
            length = [str(self.size)] if self.size is not None else \
                ["-t", str(self.ms)]
            self.children["source"] = user_ground.spawn(
                "source", [tools["bench_source"], *length], stdout=feed_w)
            os.close(feed_w)

    def _finish(self):
        """Waits for all, while it watches their memory.  When one has failed
        already, the others get only a little longer."""
        patience = 60 + (self.size or 0) / MIB / 40 + (self.ms or 0) / 250
        deadline = time.monotonic() + patience
        for child in self.children.values():
            while not child.done.wait(0.05):
                for side in ("tx", "rx"):
                    self.children[side].sample()
                if any(c.status for c in self.children.values()):
                    deadline = min(deadline, time.monotonic() + AFTERMATH)
                if time.monotonic() > deadline:
                    raise Trouble("it hangs: " + self._states())

    def _states(self):
        """What each child that has not ended well does, and says."""
        states = []
        for child in self.children.values():
            if child.status == 0:
                continue
            how = "still runs" if child.status is None else \
                f"died by signal {-child.status}" if child.status < 0 else \
                f"ended with status {child.status}"
            states.append(f"{child.role} {how}: {child.last_words()}")
        return "; ".join(states)

    def _measure(self, result):
        sink, source = self.children["sink"], self.children.get("source")
        tx, rx = self.children["tx"], self.children["rx"]
        for child in self.children.values():
            expected = child.status == 0
            if self.endless and child in (tx, rx):
                expected = child.status > 0
            if not expected:
                raise Trouble(self._states())
        result.bytes = sink.field("bytes")
        sent = source.field("bytes") if source else self.size
        if result.bytes != sent:
            raise Trouble(f"{sent} bytes went in, {result.bytes} came out")
        start = self.start_ns if self.whole else source.field("start_ns")
        result.seconds = (sink.field("end_ns") - start) / 1e9
        self._measure_cost(result)
        result.faults = sum(bool(re.search(r"chaos:? close", text))
                            for text in tx.lines + rx.lines)
        for text in sink.lines:
            m = re.match(r"sample ns=(\d+) bytes=(\d+)", text)
            if m:
                result.samples.append((int(m.group(1)), int(m.group(2))))

    def _measure_cost(self, result):
        tx, rx = self.children["tx"], self.children["rx"]
        result.cpu = tx.cpu() + rx.cpu()
        result.switches = tx.switches() + rx.switches()
        result.rss_tx, result.rss_rx = [c.rss_kib / 1024 for c in (tx, rx)]


class BothWays(Transfer):
    """A source and a sink at each end, size bytes in each direction at once,
    as one Run: the bytes of both, from the first write of a source to the
    last sink's end of file."""

    def _start(self):
        tools, ground = self.bench.tools, self.bench.here.tx
        feeds = {}
        for side in ("rx", "tx"):
            out_r, out_w = self._pipe()
            feed_r, feeds[side] = self._pipe()
            self.children[f"sink of {side}"] = ground.spawn(
                f"sink of {side}", [tools["bench_sink"], "-v",
                                    str(self.check)], stdin=out_r)
            os.close(out_r)
            try:
                self._start_end(side, feed_r, out_w)
            finally:
                os.close(feed_r)
                os.close(out_w)
        for side, feed in feeds.items():
            self.children[f"source of {side}"] = ground.spawn(
                f"source of {side}", [tools["bench_source"], str(self.size)],
                stdout=feed)
            os.close(feed)

    def _start_end(self, side, stdin, stdout):
        if side == "rx":
            self.children["rx"], self.port = receiver_start(
                self.program, self.place, stdout, stdin=stdin)
        else:
            self.children["tx"] = self.place.tx.spawn(
                "caller", self.program.send(self.place.hosts, self.port),
                stdin, stdout)

    def _measure(self, result):
        if any(c.status != 0 for c in self.children.values()):
            raise Trouble(self._states())
        starts, ends = [], []
        for side in ("rx", "tx"):
            source = self.children[f"source of {side}"]
            sink = self.children[f"sink of {side}"]
            if sink.field("bytes") != self.size:
                raise Trouble(f"{self.size} bytes went in, "
                              f"{sink.field('bytes')} came to {side}")
            result.bytes += self.size
            starts.append(source.field("start_ns"))
            ends.append(sink.field("end_ns"))
        result.seconds = (max(ends) - min(starts)) / 1e9
        self._measure_cost(result)


# --------------------------------------------------------------------------
# The report.

def median(values):
    return statistics.median(values) if values else None


class Rows(dict):
    """Runs by program name, in the order in which the programs were given."""

    def good(self, name):
        return [r for r in self.get(name, []) if r.why is None]

    def of(self, name, figure):
        """The median of a figure over the good runs, or None."""
        return median([getattr(r, figure) for r in self.good(name)])

    def peak(self, name, figure):
        return max((getattr(r, figure) for r in self.good(name)),
                   default=None)

    def ratio(self, name, other, figure):
        a, b = self.of(name, figure), self.of(other, figure)
        return a / b if a is not None and b else None

    def best(self, names, figure="rate", pick=max):
        """The name with the best median among those measured, or None."""
        have = [n for n in names if self.good(n)]
        return pick(have, key=lambda n: self.of(n, figure)) if have else None

    def span(self, name):
        rates = [r.rate for r in self.good(name)]
        if not rates:
            return "FAILED"
        if len(rates) == 1:
            return f"{rates[0]:.0f}"
        return f"{median(rates):.0f} ({min(rates):.0f}–{max(rates):.0f})"


def number(value, form="{:.2f}"):
    return "–" if value is None else form.format(value)


def table(headers, rows):
    rows = [[str(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in [headers, *rows])
              for i in range(len(headers))]

    def line(cells):
        first = cells[0].ljust(widths[0])
        rest = [c.rjust(w) for c, w in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([first, *rest]) + " |"

    print(line(headers))
    print("|" + "|".join(["-" * (widths[0] + 2)] +
                         ["-" * (w + 1) + ":" for w in widths[1:]]) + "|")
    for row in rows:
        print(line(row))
    print(flush=True)


class Report:
    def __init__(self):
        self.verdicts = []
        self.failures = []
        self.left_out = []
        self.sections = {}
        self.foreign = []

    def title(self, text, *notes):
        print(f"### {text}\n")
        for note in notes:
            print(note + "\n")

    def judge(self, figure, value, relation, target, form="{:.2f}"):
        """relation is ">=", "<=" or "<"; value None: it was not measured."""
        verdict = "not measured"
        if value is not None:
            met = {">=": value >= target, "<=": value <= target,
                   "<": value < target}[relation]
            verdict = "met" if met else "missed"
        sign = relation.replace(">=", "≥").replace("<=", "≤")
        self.verdicts.append({
            "figure": figure, "value": value, "relation": relation,
            "target": target, "verdict": verdict,
            "cells": [figure, number(value, form),
                      f"{sign} {form.format(target)}", verdict]})

    def note(self, section, result, **more):
        """Books one run, good or bad."""
        entry = dataclasses.asdict(result)
        samples = entry.pop("samples")
        entry["samples"] = len(samples)
        entry.update(more)
        self.sections.setdefault(section, []).append(entry)
        if result.why is not None:
            self.fail(f"{section}: {result.program}: {result.why}")
        elif result.foreign is not None:
            self.foreign.append(result.foreign)

    def fail(self, text):
        self.failures.append(text)
        say(f"FAILED: {text}")

    def leave_out(self, section, why):
        self.left_out.append(f"{section}: {why}")
        say(f"{section}: left out: {why}")

    def print_outcomes(self, since=0):
        if self.verdicts[since:]:
            table(["figure", "measured", "target", "verdict"],
                  [v["cells"] for v in self.verdicts[since:]])


# --------------------------------------------------------------------------
# Sections.  Each prints its table and its verdicts.

class Bench:
    def __init__(self, options, user, tools, scratch):
        self.options, self.user = options, user
        self.tools, self.scratch = tools, scratch
        self.report = Report()
        ground = Ground(user)
        self.here = Place(ground, ground)
        self.peers, self.missing = peer_programs()
        self.references = reference_programs(tools)
        self.calls = {}         # program name -> system calls per GiB
        self.size = options.size * MIB
        self.rounds = options.rounds
        self.kernel = softirq_pids()
        self.repeated = 0
        self.patience = CALM        # what is left of it

    def has_ours(self):
        return OURS in self.tools

    def ours(self, name="ours", tx=(), rx=()):
        return our_program(self.tools, name, tx, rx)

    def transfer(self, *args, **more):
        return Transfer(self, *args, **more).run()

    def wanted(self, programs):
        names = self.options.programs
        return [p for p in programs if not names or p.name in names]

    def comparison(self):
        programs = [*self.peers, *self.references]
        if self.has_ours():
            key = ["key", os.path.join(self.scratch, "key")]
            programs += [self.ours(),
                         self.ours("ours checksum", ["checksum"]),
                         self.ours("ours key", key, key)]
        return self.wanted(programs)

    def undisturbed(self, job):
        """Runs a job, with --calm only while others leave the machine alone:
        waits for that, and repeats a run in which they did not.  It looks at
        what others used, never at how fast the run was.  Where calm does not
        come, its patience ends and the run counts as it is."""
        limit = self.options.calm
        while True:
            if limit is not None:
                self.wait_calm(limit / 100)
            began = time.monotonic()
            result = job()
            if limit is None or result.why is not None or \
                    result.foreign is None or \
                    result.foreign <= limit / 100 or self.patience <= 0:
                return result
            self.repeated += 1
            self.patience -= time.monotonic() - began
            say(f"repeated, others used {result.foreign:.0%}")

    def wait_calm(self, share):
        while self.patience > 0:
            busy = machine_busy()
            time.sleep(0.5)
            if machine_busy() - busy <= share * 0.5 * os.cpu_count():
                return
            self.patience -= 0.5
            if self.patience <= 0:
                say("no calm to be had, measuring as it is")

    def interleave(self, section, jobs):
        """jobs: (name, function that returns a Run).  Every job runs once a
        round, and each round begins with another one.  A job that has failed
        twice is not tried again."""
        rows = Rows((name, []) for name, _ in jobs)
        for turn in range(self.rounds):
            k = turn % len(jobs)
            for name, job in jobs[k:] + jobs[:k]:
                if len(rows[name]) - len(rows.good(name)) >= 2:
                    continue
                result = self.undisturbed(job)
                result.program = name
                rows[name].append(result)
                self.report.note(section, result, round=turn + 1)
                if result.why is None:
                    say(f"{section} {turn + 1}/{self.rounds} {name}: "
                        f"{result.rate:.0f} MiB/s, "
                        f"{result.cpu_gib:.2f} CPU s/GiB, "
                        f"others {number(result.foreign, '{:.0%}')}")
        return rows

    # -- pipe to pipe ------------------------------------------------------

    def syscalls(self):
        """System calls per GiB, in runs of their own that are not timed, and
        in which the sink compares every byte."""
        if shutil.which("strace") is None:
            raise Trouble("needs strace")
        size = min(self.size, 1024 * MIB)
        rows = []
        for program in self.comparison():
            traces = [os.path.join(self.scratch, "out", f"strace.{side}")
                      for side in ("tx", "rx")]
            result = self.transfer(program, size=size, check=2,
                                   traces=traces)
            self.report.note("syscalls", result)
            if result.why is not None:
                rows.append([program.name, "FAILED", "", "", ""])
                continue
            tx, rx = [strace_counts(path) for path in traces]
            per_gib = [sum(c.values()) * GIB / size for c in (tx, rx)]
            self.calls[program.name] = sum(per_gib)
            self.report.sections["syscalls"][-1].update(calls_tx=tx,
                                                        calls_rx=rx)
            rows.append([program.name, f"{per_gib[0]:.0f}",
                         f"{per_gib[1]:.0f}", most_called(tx),
                         most_called(rx)])
            say(f"syscalls {program.name}: {sum(per_gib):.0f} per GiB")
        self.report.title(
            "System calls per GiB",
            f"`strace -c -f`, {size // MIB} MiB, not timed. Tracing slows the "
            "programs down and so changes how much each call finds.")
        table(["program", "sender", "receiver", "sender, most frequent",
               "receiver, most frequent"], rows)

    def pipe(self):
        jobs = [(p.name, lambda p=p: self.transfer(p, size=self.size))
                for p in self.comparison()]
        if not jobs:
            return
        rows = self.interleave("pipe", jobs)
        peers = [n for n in PEERS if n in rows]
        best = rows.best(peers)
        self.report.title(
            "Pipe to pipe over loopback, side by side",
            f"{self.size // MIB} MiB a run, medians of {self.rounds} "
            "interleaved rounds (lowest–highest). CPU, system calls, context "
            "switches: both ends together. nc is `nc -N` and `nc -l`, "
            "mbuffer has `-s 128k -m 64M`, socat `-u -b131072`; splice and "
            "copy are bench_splice and bench_copy (128 KiB and 1 MiB reads), "
            "one connection that keeps and confirms nothing.")
        cells = []
        for name in rows:
            cells.append([
                name, rows.span(name),
                number(rows.ratio(name, "nc", "rate")),
                number(rows.ratio(name, best, "rate")),
                number(rows.ratio(name, "splice", "rate")),
                number(rows.of(name, "cpu_gib")),
                number(self.calls.get(name), "{:.0f}"),
                number(rows.of(name, "switches_gib"), "{:.0f}"),
                number(rows.peak(name, "rss_tx"), "{:.0f}") + " / " +
                number(rows.peak(name, "rss_rx"), "{:.0f}")])
        table(["program", "MiB/s", "× nc", "× best peer", "× splice",
               "CPU s/GiB", "calls/GiB", "switches/GiB",
               "peak MiB tx / rx"], cells)
        if self.has_ours() and "ours" in rows:
            self.pipe_outcomes(rows, best)

    def pipe_outcomes(self, rows, best):
        judge = self.report.judge
        others = rows.best(["mbuffer", "socat"])
        frugal = rows.best([n for n in PEERS if n in rows], "cpu_gib", min)
        judge("throughput ÷ best of nc, mbuffer, socat",
              rows.ratio("ours", best, "rate"), ">=", 1.5)
        judge("CPU per GiB ÷ the least of nc, mbuffer, socat",
              rows.ratio("ours", frugal, "cpu_gib"), "<", 1.0)
        judge("throughput ÷ nc", rows.ratio("ours", "nc", "rate"), ">=", 2.3)
        judge("throughput ÷ nc (stretch)",
              rows.ratio("ours", "nc", "rate"), ">=", 2.6)
        judge("throughput ÷ best of mbuffer, socat",
              rows.ratio("ours", others, "rate"), ">=", 1.7)
        judge("throughput ÷ one spliced stream",
              rows.ratio("ours", "splice", "rate"), ">=", 1.0)
        judge("CPU per GiB ÷ one spliced stream",
              rows.ratio("ours", "splice", "cpu_gib"), "<=", 1.4)
        judge("CPU per GiB ÷ one spliced stream (stretch)",
              rows.ratio("ours", "splice", "cpu_gib"), "<=", 1.2)
        judge("CPU per GiB ÷ nc",
              rows.ratio("ours", "nc", "cpu_gib"), "<=", 0.45)
        judge("with checksum: throughput ÷ without",
              rows.ratio("ours checksum", "ours", "rate"), ">=", 0.75)
        judge("with checksum: CPU per GiB ÷ plain copy",
              rows.ratio("ours checksum", "copy", "cpu_gib"), "<=", 1.2)
        judge("with checksum: CPU per GiB ÷ plain copy, 1 MiB reads",
              rows.ratio("ours checksum", "copy 1M", "cpu_gib"), "<=", 1.2)
        judge("with key: throughput ÷ without",
              rows.ratio("ours key", "ours", "rate"), ">=", 0.6)
        judge("resident, fast network and consumer, tx (MiB)",
              rows.peak("ours", "rss_tx"), "<=", 32, "{:.0f}")
        judge("resident, fast network and consumer, rx (MiB)",
              rows.peak("ours", "rss_rx"), "<=", 32, "{:.0f}")

    def duplex(self):
        """Both directions at once, beside one direction of nc."""
        self.need_ours()
        ours = duplex_program(self.tools, "ours duplex")
        jobs = [(p.name, lambda p=p: self.transfer(p, size=self.size))
                for p in self.peers if p.name == "nc"]
        jobs.append((ours.name,
                     lambda: BothWays(self, ours, size=self.size).run()))
        rows = self.interleave("duplex", jobs)
        self.report.title(
            "Both directions at once over loopback",
            f"{self.size // MIB} MiB in each direction, and the bytes of "
            "both together. nc carries one: its end of one direction cuts "
            "off the other.")
        self.simple_table(rows, "nc", "program")
        self.report.judge("duplex, both directions ÷ one direction of nc",
                          rows.ratio(ours.name, "nc", "rate"), ">=", 1.5)

    # -- our own options and inputs ----------------------------------------

    def simple_table(self, rows, base, first="ours"):
        table([first, "MiB/s", f"÷ {base}", "CPU s/GiB",
               "switches/GiB", "peak MiB tx / rx"],
              [[name, rows.span(name),
                number(rows.ratio(name, base, "rate")),
                number(rows.of(name, "cpu_gib")),
                number(rows.of(name, "switches_gib"), "{:.0f}"),
                number(rows.peak(name, "rss_tx"), "{:.0f}") + " / " +
                number(rows.peak(name, "rss_rx"), "{:.0f}")]
               for name in rows])

    def legs(self):
        self.need_ours()
        jobs = []
        for n in (1, 2, 4, 16, 64):
            program = self.ours(f"threads {n}", ["legs", n])
            jobs.append((program.name, lambda p=program: self.transfer(
                p, size=self.size)))
        rows = self.interleave("legs", jobs)
        best = rows.best(list(rows))
        self.report.title("How many legs")
        self.simple_table(rows, best or "best")
        worst = rows.best(list(rows), pick=min)
        complete = all(rows.good(n) for n in rows)
        self.report.judge(
            "legs 1, 2, 4, 16, 64: slowest ÷ fastest",
            rows.ratio(worst, best, "rate") if complete else None, ">=", 0.9)

    def stdin(self):
        """The clock starts with the sender here, since a file has no first
        write.  /dev/zero never ends: the sink hangs up after enough bytes,
        and both sides have to end with a failure."""
        self.need_ours()
        size = min(self.size, mem_available() // 4 // MIB * MIB)
        path = tmpfs_file(self, size)
        ours, copy = self.ours(), self.references[1]

        def job(program, feed, **more):
            return lambda: self.transfer(program, size=size, feed=feed,
                                         whole=True, **more)

        jobs = [("pipe", job(ours, "pipe")),
                ("file in tmpfs", job(ours, path)),
                ("socket", job(ours, "socket")),
                ("/dev/zero", job(ours, "/dev/zero", endless=True, check=0)),
                ("copy: pipe", job(copy, "pipe")),
                ("copy: socket", job(copy, "socket"))]
        if path is None:
            del jobs[1]
        try:
            rows = self.interleave("stdin", jobs)
        finally:
            if path is not None:
                os.unlink(path)
        self.report.title(
            "What standard input is",
            f"{size // MIB} MiB. The socket is a Unix socket pair. The "
            "`copy` rows are the plain copy, to tell what the kind of input "
            "itself costs.")
        self.simple_table(rows, "pipe")
        for name in ("file in tmpfs", "/dev/zero", "socket"):
            self.report.judge(f"stdin {name} ÷ stdin pipe",
                              rows.ratio(name, "pipe", "rate"), ">=", 0.9)

    # -- latency -----------------------------------------------------------

    def start(self):
        times = 5 if self.options.quick else 20
        programs = self.wanted(self.peers)
        if self.has_ours():
            programs += [self.ours("ours legs 16", ["legs", 16])]
        rows, medians = [], {}
        for program in programs:
            try:
                got = [first_byte(self, program) for _ in range(times)]
                empty = [empty_stream(self, program) for _ in range(times)]
            except Trouble as e:
                self.report.fail(f"start: {program.name}: {e}")
                rows.append([program.name, "FAILED", "", ""])
                continue
            columns = [[g[0] for g in got if g], [g[1] for g in got if g],
                       empty]
            medians[program.name] = [median(c) for c in columns]
            rows.append([program.name] + [
                f"{median(c):.1f} ({min(c):.1f}–{max(c):.1f})" if c
                else "never" for c in columns])
            self.report.sections.setdefault("start", []).append(
                {"program": program.name, "first_byte_ms": columns[0],
                 "next_byte_ms": columns[1], "empty_ms": columns[2]})
        self.report.title(
            "From a standing start (ms)",
            f"Medians of {times} (lowest–highest); the receiver listens "
            "already. First byte: from just before the sender is started, "
            "with the byte in its pipe, to the byte at the sink. Next byte: "
            "written 100 ms later. Never: not within 2 s while the stream was "
            "open. Empty stream: from just before the sender is started to "
            "the end of both.")
        table(["program", "first byte", "next byte", "empty stream"], rows)
        if self.has_ours():
            ms = medians.get("ours legs 16", [None] * 3)
            if ms[0] is None and ms[2] is not None:
                self.report.fail("start: ours: the first byte never came")
            self.report.judge("one byte from a standing start, legs 16 "
                              "(ms)", ms[0], "<", 30, "{:.1f}")
            self.report.judge("start to end of an empty stream (ms)", ms[2],
                              "<", 20, "{:.1f}")

    # -- memory ------------------------------------------------------------

    def memory(self):
        """The consumer stops for a while in the middle of the stream."""
        self.need_ours()
        ms = 2000 if self.options.quick else 4000
        cases = [("default", 64, []), ("window 4M", 4, ["window", "4M"]),
                 ("window 256M", 256, ["window", "256M"]),
                 ("legs 64", 64, ["legs", 64])]
        rows = []
        for name, window, words in cases:
            program = self.ours(name, words,
                                words if "window" in words else [])
            result = self.transfer(program, size=GIB,
                                   sink=["-p", f"{64 * MIB}:{ms}"])
            self.report.note("memory", result)
            good = result.why is None
            rows.append([name, window + 16] + (
                [f"{result.rss_tx:.0f}", f"{result.rss_rx:.0f}"]
                if good else ["FAILED", ""]))
            for side in ("tx", "rx"):
                self.report.judge(
                    f"stalled consumer, {name}: resident {side} (MiB)",
                    getattr(result, f"rss_{side}") if good else None, "<=",
                    window + 16, "{:.0f}")
        self.report.title(
            "Memory with a stalled consumer",
            f"The source pushes 1 GiB; after 64 MiB the sink reads nothing "
            f"for {ms / 1000:.0f} s, then the rest.")
        table(["options", "window + 16 (MiB)", "peak tx", "peak rx"], rows)

    # -- emulated links ----------------------------------------------------

    def unequal(self):
        """Four paths of 20, 200, 200, 200 MB/s, the slow one first."""
        self.need_ours()
        if shutil.which("tc") is None:
            raise Trouble("needs tc")
        speeds = (20, 200, 200, 200)            # MB/s of payload
        ms = 2000 if self.options.quick else 5000
        grounds = namespaces(self.user, 2)
        try:
            hosts = []
            for i, speed in enumerate(speeds):
                name, _, host = veth(*grounds, i)
                hosts.append(host)
                shape(grounds[0], name, speed)
            place = Place(*grounds, tuple(hosts))
            copy = self.references[1]
            rows = self.interleave("unequal", [
                ("four plain copies at once",
                 lambda: self.together(copy, place, ms)),
                ("ours legs 4", lambda: self.transfer(
                    self.ours(tx=["legs", 4]), place, ms=ms)),
                ("ours", lambda: self.transfer(self.ours(), place, ms=ms))])
        finally:
            namespaces_end(grounds)
        total = sum(speeds) * 1e6 / MIB
        plain = "four plain copies at once"
        self.report.title(
            "Four unequal paths",
            f"{', '.join(map(str, speeds))} MB/s of payload, in order of "
            "preference, each a veth pair shaped by tbf between two "
            f"namespaces; {ms / 1000:.0f} s a run, ramp and end included. "
            f"Their sum is {total:.0f} MiB/s. The plain copies, one on each "
            "path and nothing to put in order, show what the links gave.")
        table(["program", "MiB/s", "÷ sum", "÷ plain copies", "CPU s/GiB"],
              [[n, rows.span(n),
                number(rows.of(n, "rate") / total if rows.good(n) else None),
                number(rows.ratio(n, plain, "rate")),
                number(rows.of(n, "cpu_gib"))] for n in rows])
        mine = rows.of("ours legs 4", "rate")
        self.report.judge("four unequal legs ÷ their sum",
                          mine / total if mine else None, ">=", 0.93)

    def together(self, program, place, ms):
        """One transfer on each path at the same time, as one Run."""
        transfers = [Transfer(self, program, place.spread(i), ms=ms)
                     for i in range(len(place.hosts))]
        results = [None] * len(transfers)

        def one(i):
            results[i] = transfers[i].run()

        threads = [threading.Thread(target=one, args=(i,))
                   for i in range(len(transfers))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        total = Run(program.name)
        bad = [r.why for r in results if r.why is not None]
        if bad:
            total.why = bad[0]
            return total
        total.seconds = 1.0
        total.bytes = int(sum(r.bytes / r.seconds for r in results))
        total.cpu = sum(r.cpu / r.seconds for r in results)
        total.switches = int(sum(r.switches / r.seconds for r in results))
        total.foreign = None        # each has counted the other three
        return total

    def mtu1500(self):
        """A path that does everything packet by packet."""
        if shutil.which("ethtool") is None:
            raise Trouble("needs ethtool")
        size = min(self.size, 1024 * MIB)
        grounds = namespaces(self.user, 2)
        try:
            tx_name, rx_name, host = veth(*grounds, 0)
            for ground, name in zip(grounds, (tx_name, rx_name)):
                for feature in ("gro", "gso", "tso", "tx", "rx"):
                    ground.admin("ethtool", "-K", name, feature, "off")
            place = Place(*grounds, (host,))
            programs = [p for p in self.comparison()
                        if p.name not in ("copy 1M", "ours checksum")]
            rows = self.interleave("mtu1500", [
                (p.name, lambda p=p: self.transfer(p, place, size=size))
                for p in programs])
        finally:
            namespaces_end(grounds)
        self.report.title(
            "MTU 1500, offloads off",
            f"{size // MIB} MiB through a veth pair between two namespaces, "
            "without segmentation, receive or checksum offloads.")
        self.simple_table(rows, "nc", "program")
        if self.has_ours():
            self.report.judge("MTU 1500, offloads off: throughput ÷ nc",
                              rows.ratio("ours", "nc", "rate"), ">=", 1.0)

    # -- faults ------------------------------------------------------------

    def reset(self):
        """Of eight legs, the one that carries most is reset, again and
        again, and the sink's rate tells how long it was felt: on a link with
        a rate of its own, where nothing else disturbs it, and on loopback,
        where whatever else runs here does."""
        self.need_ours()
        if shutil.which("ss") is None or shutil.which("tc") is None:
            raise Trouble("needs ss and tc")
        grounds = namespaces(self.user, 2)
        try:
            name, _, host = veth(*grounds, 0)
            shape(grounds[0], name, 200)
            felt = {"200 MB/s link": self.reset_felt(Place(*grounds,
                                                           (host,))),
                    "loopback": self.reset_felt(Place(grounds[0],
                                                      grounds[0]))}
        finally:
            namespaces_end(grounds)
        self.report.title(
            "One of eight legs reset",
            "`ss -K` on the leg that carries most. Back: from the reset "
            "until the sink's rate over 200 ms is at least 0.9 of what it "
            "was in the second before. Lowest: the worst 50 ms in the half "
            "second after it.")
        table(["over", "resets", "before (MiB/s)", "lowest (MiB/s)",
               "back after, median (ms)", "worst (ms)"],
              [[over, len(f),
                number(median([x["before"] for x in f]), "{:.0f}"),
                number(min((x["lowest"] for x in f), default=None), "{:.0f}"),
                number(median([x["back_ms"] for x in f]), "{:.0f}"),
                number(max((x["back_ms"] for x in f), default=None),
                       "{:.0f}")] for over, f in felt.items()])
        worst = max((x["back_ms"] for x in felt["200 MB/s link"]),
                    default=None)
        self.report.judge(
            "one of 8 legs reset: throughput back after, worst (s)",
            None if worst is None else worst / 1000, "<=", 0.5)

    def reset_felt(self, place):
        """What recovery() makes of each reset in one transfer."""
        count = 2 if self.options.quick else 6
        gap = 1.5
        resets = []

        def reset_some(transfer):
            for _ in range(count):
                if transfer.children["tx"].done.wait(gap):
                    return              # which is a failure, told later
                resets.append(reset_busiest(place.tx, transfer))

        result = self.transfer(
            self.ours("ours legs 8", ["legs", 8]), place,
            ms=int((gap * (count + 1) + 1) * 1000), sink=["-s", "20"],
            during=reset_some)
        felt = [] if result.why is not None else \
            [recovery(result.samples, t) for t in resets]
        self.report.note("reset", result, felt=felt)
        return felt

    def chaos(self):
        self.need_ours()
        jobs = []
        for name, tx, rx in (("undisturbed", [], []),
                             ("chaos 17 on tx", ["chaos", 17], []),
                             ("chaos 17 on rx", [], ["chaos", 17])):
            program = self.ours(name, tx, rx)
            jobs.append((name, lambda p=program: self.transfer(
                p, size=self.size)))
        rows = self.interleave("chaos", jobs)
        self.report.title(
            "Every leg closed after every 17 of its frames",
            "Closings are those that the program tells of on standard error, "
            "where it may leave out some.")
        base = "undisturbed"
        table(["ours", "MiB/s", f"÷ {base}", "CPU s/GiB", "closings"],
              [[name, rows.span(name), number(rows.ratio(name, base, "rate")),
                number(rows.of(name, "cpu_gib")),
                number(rows.of(name, "faults"), "{:.0f}")] for name in rows])
        for side in ("tx", "rx"):
            name = f"chaos 17 on {side}"
            fired = rows.of(name, "faults")
            if fired == 0:
                self.report.fail(f"chaos: {name}: it never closed a leg, so "
                                 "its speed says nothing")
            self.report.judge(f"{name} ÷ undisturbed",
                              rows.ratio(name, base, "rate") if fired
                              else None, ">=", 0.3)

    # -- all of it ---------------------------------------------------------

    def need_ours(self):
        if not self.has_ours():
            raise Trouble(f"{self.options.program} is not there")

    def run(self, sections):
        for name in sections:
            first = len(self.report.verdicts)
            try:
                getattr(self, name)()
            except Trouble as e:
                self.report.leave_out(name, e)
            self.report.print_outcomes(first)


SECTIONS = {
    "syscalls": "system calls per GiB (a column of the next one, too)",
    "pipe": "pipe to pipe over loopback, all programs",
    "duplex": "both directions at once over loopback, beside nc",
    "legs": "legs 1, 2, 4, 16, 64",
    "stdin": "standard input a pipe, file, socket, /dev/zero",
    "start": "one byte from a standing start, an empty stream",
    "memory": "memory with a stalled consumer",
    "unequal": "four paths of 20, 200, 200, 200 MB/s",
    "mtu1500": "MTU 1500 with offloads off",
    "reset": "one of eight legs reset",
    "chaos": "every leg closed after every 17 frames",
}


# --------------------------------------------------------------------------
# What the sections measure with.

def strace_counts(path):
    """calls by name, from strace -c's summary"""
    counts = {}
    with open(path) as f:
        for text in f:
            words = text.split()
            if len(words) >= 5 and words[0][0].isdigit() and \
                    words[-1] != "total":
                counts[words[-1]] = int(words[3])
    return counts


def most_called(counts):
    top = sorted(counts.items(), key=lambda c: -c[1])[:3]
    return ", ".join(f"{name} {n}" for name, n in top)


def mem_available():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read())[1]) * 1024


def tmpfs_file(bench, size):
    """A file of the source's data in memory, or None."""
    if not os.path.ismount("/dev/shm"):
        say("stdin: no file, /dev/shm is not there")
        return None
    fd, path = tempfile.mkstemp(prefix="bench.", dir="/dev/shm")
    try:
        source = bench.here.tx.spawn(
            "source", [bench.tools["bench_source"], str(size)], stdout=fd)
        source.done.wait()
        os.fchmod(fd, 0o644)
    finally:
        os.close(fd)
    if source.status != 0:
        os.unlink(path)
        say(f"stdin: no file: {source.last_words()}")
        return None
    return path


def readable(fd, seconds):
    return bool(select.select([fd], [], [], seconds)[0])


def byte_expect(fd, want, seconds=20):
    """Waits for one byte, or for end of file when want is empty."""
    if not readable(fd, seconds):
        raise Trouble(f"{want!r} did not come within {seconds} s")
    got = os.read(fd, 2)
    if got != want:
        raise Trouble(f"{got!r} came instead of {want!r}")
    return time.monotonic_ns()


def both_end(tx, rx):
    for child in (tx, rx):
        if not child.done.wait(20):
            raise Trouble(f"{child.role} did not end within 20 s")
        if child.status != 0:
            raise Trouble(f"{child.role} ended with status {child.status}: "
                          f"{child.last_words()}")


def first_byte(bench, program):
    """(ms from the sender's start to the first byte, ms for a later one), or
    None when it waits for more input before it hands on any."""
    tx = rx = None
    out_r, out_w = as_user(bench.user, os.pipe)
    in_r, in_w = as_user(bench.user, os.pipe)
    try:
        rx, port = receiver_start(program, bench.here, out_w)
        os.close(out_w)
        out_w = None
        os.write(in_w, b"a")
        t0 = time.monotonic_ns()
        tx = bench.here.tx.spawn(
            "sender", program.send(bench.here.hosts, port), stdin=in_r)
        if not readable(out_r, 2):
            return None
        t1 = byte_expect(out_r, b"a")
        time.sleep(0.1)
        t2 = time.monotonic_ns()
        os.write(in_w, b"b")
        t3 = byte_expect(out_r, b"b")
        os.close(in_w)
        in_w = None
        byte_expect(out_r, b"")
        both_end(tx, rx)
    finally:
        for fd in (out_r, out_w, in_r, in_w):
            if fd is not None:
                os.close(fd)
        for child in (tx, rx):
            if child is not None:
                child.kill()
    return (t1 - t0) / 1e6, (t3 - t2) / 1e6


def empty_stream(bench, program):
    """ms from the sender's start to the end of both sides"""
    tx = rx = None
    out_r, out_w = as_user(bench.user, os.pipe)
    in_r, in_w = as_user(bench.user, os.pipe)
    os.close(in_w)
    try:
        rx, port = receiver_start(program, bench.here, out_w)
        os.close(out_w)
        out_w = None
        t0 = time.monotonic_ns()
        tx = bench.here.tx.spawn(
            "sender", program.send(bench.here.hosts, port), stdin=in_r)
        byte_expect(out_r, b"")
        both_end(tx, rx)
    finally:
        for fd in (out_r, out_w, in_r):
            if fd is not None:
                os.close(fd)
        for child in (tx, rx):
            if child is not None:
                child.kill()
    return (max(tx.end_ns, rx.end_ns) - t0) / 1e6


def shape(ground, name, megabytes):
    """Lets that many MB/s of payload out of an interface.  tbf counts whole
    Ethernet frames, 1514 bytes for 1448 of payload."""
    bits = int(megabytes * 1e6 * 8 * 1514 / 1448)
    burst = max(131072, bits // 8 // 200)
    ground.admin("tc", "qdisc", "add", "dev", name, "root", "tbf",
                 "rate", f"{bits}bit", "burst", str(burst),
                 "limit", str(max(1 << 20, bits // 8 // 50)))


def bytes_sent(ground, port):
    """bytes by local port of the sender's connections"""
    listing = ground.admin("ss", "-tinOH", "state", "established",
                           f"dport = :{port}")
    sent = {}
    for text in listing.splitlines():
        local = re.search(r":(\d+)\s", text)
        count = re.search(r"bytes_sent:(\d+)", text)
        if local:
            sent[local[1]] = int(count[1]) if count else 0
    return sent


def reset_busiest(ground, transfer):
    """Resets the connection that has sent most of late; returns when."""
    before = bytes_sent(ground, transfer.port)
    time.sleep(0.1)
    after = bytes_sent(ground, transfer.port)
    if not after:
        raise Trouble("found no leg to reset")
    busiest = max(after, key=lambda p: after[p] - before.get(p, 0))
    when = time.monotonic_ns()
    ground.admin("ss", "-K", "-tH", f"sport = :{busiest}",
                 f"dport = :{transfer.port}")
    if busiest in bytes_sent(ground, transfer.port):
        raise Trouble("ss -K resets nothing: a kernel without "
                      "INET_DIAG_DESTROY?")
    return when


def recovery(samples, reset_ns):
    """How a reset was felt, from the sink's (ns, bytes) samples."""
    def moved(a, b):
        return (interpolate(samples, b) - interpolate(samples, a)) / MIB / \
            ((b - a) / 1e9)

    ms = 1000000
    before = moved(reset_ns - 1000 * ms, reset_ns)
    lowest = min(moved(reset_ns + i * ms, reset_ns + (i + 50) * ms)
                 for i in range(0, 500, 10))
    last = samples[-1][0] - 200 * ms
    back = reset_ns
    while back < last and moved(back, back + 200 * ms) < 0.9 * before:
        back += 10 * ms
    return {"before": before, "lowest": lowest,
            "back_ms": (back - reset_ns) / ms}


def interpolate(samples, ns):
    if ns <= samples[0][0]:
        return samples[0][1]
    for (a, x), (b, y) in zip(samples, samples[1:]):
        if ns <= b:
            return x + (y - x) * (ns - a) / (b - a) if b > a else y
    return samples[-1][1]


# --------------------------------------------------------------------------
# Start and end.

def cpu_model():
    with open("/proc/cpuinfo") as f:
        m = re.search(r"model name\s*:\s*(.*)", f.read())
    return m[1].strip() if m else platform.machine()


def first_match(text, pattern):
    m = re.search(pattern, text)
    return m[1] if m else "version unknown"


def environment(bench):
    def setting(path):
        try:
            with open(f"/proc/sys/{path}") as f:
                return " ".join(f.read().split())
        except OSError:
            return "unknown"

    with open("/proc/meminfo") as f:
        total = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1])
    versions = {
        "nc": lambda: first_match(version_of("nc", "-h"), r"(OpenBSD.*)"),
        "mbuffer": lambda: first_match(version_of("mbuffer", "--version"),
                                       r"version (\S+)"),
        "socat": lambda: first_match(version_of("socat", "-V"),
                                     r"socat version (\S+)"),
    }
    env = {
        "date": datetime.datetime.now(datetime.timezone.utc)
        .strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_model(), "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "memory_gib": round(total / MIB),
        "congestion_control": setting("net/ipv4/tcp_congestion_control"),
        "tcp_wmem": setting("net/ipv4/tcp_wmem"),
        "tcp_rmem": setting("net/ipv4/tcp_rmem"),
        "size_mib": bench.options.size, "rounds": bench.rounds,
        "user": (bench.user or pwd.getpwuid(os.geteuid())).pw_name,
        "peers": {p.name: versions[p.name]() for p in bench.peers},
    }
    if bench.has_ours():
        env["ours"] = version_of(bench.tools[OURS], "--version").strip()
    return env


def environment_print(bench, env):
    peers = "; ".join(f"{k} {v}" for k, v in env["peers"].items())
    quick = " A quick run: not for publication." if bench.options.quick \
        else ""
    print(f"""## Benchmark

- {env['date']}; {env['cpu']}, {env['cores']} cores, {env['memory_gib']} GiB; {env['kernel']}
- TCP congestion control {env['congestion_control']}; tcp_wmem {env['tcp_wmem']}; tcp_rmem {env['tcp_rmem']}
- {env['size_mib']} MiB a run, medians of {env['rounds']} interleaved rounds; run as user {env['user']}.{quick}
- {env.get('ours', 'viamillipede: not there')}; beside it: {peers or 'no other program'}""")
    if bench.missing:
        print(f"- Missing, so not compared: {', '.join(bench.missing)}")
    print(flush=True)


def tools_copy(options, scratch):
    """Copies what is measured to where an ordinary user can run it, and where
    a build in the meantime does not change it."""
    tools = {}
    wanted = {name: os.path.join(options.build, name) for name in REFERENCES}
    wanted[OURS] = options.program
    for name, path in wanted.items():
        if not os.access(path, os.X_OK):
            if name == OURS:
                say(f"{path} is not there; only the others are measured")
                continue
            sys.exit(f"bench: {path} is not there; run `make bench`")
        tools[name] = shutil.copy(path, os.path.join(scratch, name))
    return tools


def parse_arguments():
    p = argparse.ArgumentParser(
        description="Speed, cost and latency side by side with nc, mbuffer, "
        "socat and two reference programs.",
        epilog="sections: " + "; ".join(f"{k}: {v}"
                                        for k, v in SECTIONS.items()))
    p.add_argument("--quick", action="store_true",
                   help="small and few (512 MiB, 3 rounds): a first look")
    p.add_argument("--rounds", type=int, help="rounds of each (5)")
    p.add_argument("--size", type=int, help="MiB in one run (4000)")
    p.add_argument("--calm", type=int, metavar="PERCENT",
                   help="wait for others to use less of the machine than "
                   "that before each run, and repeat one in which they did "
                   f"not, for {CALM} s in all")
    p.add_argument("--only", help="these sections, separated by commas")
    p.add_argument("--programs", help="these programs only, by their names "
                   "in the table, separated by commas")
    p.add_argument("--json", help="write every run there")
    p.add_argument("--build", default=os.path.join(TOP, "build"),
                   help="where the bench_* programs are (build)")
    p.add_argument("--program", default=os.path.join(TOP, OURS),
                   help="the viamillipede to measure")
    p.add_argument("--user", default="nobody",
                   help="as root: whom to run the programs as (nobody)")
    p.add_argument("--list", action="store_true", help="list the sections")
    options = p.parse_args()
    if options.list:
        for name, what in SECTIONS.items():
            print(f"{name:10} {what}")
        sys.exit(0)
    options.size = options.size or (512 if options.quick else 4000)
    options.rounds = options.rounds or (3 if options.quick else 5)
    if options.size < 1 or options.rounds < 1:
        p.error("--size and --rounds are at least 1")
    options.sections = list(SECTIONS)
    if options.only:
        asked = options.only.split(",")
        unknown = [n for n in asked if n not in SECTIONS]
        if unknown:
            p.error(f"no such section: {', '.join(unknown)} "
                    f"(there are {', '.join(SECTIONS)})")
        options.sections = [n for n in SECTIONS if n in asked]
    options.programs = options.programs.split(",") if options.programs \
        else None
    return options


def ordinary_user(options):
    """Whom the programs run as; None: as who we are."""
    if os.geteuid() != 0 or options.user == "root":
        return None
    try:
        return pwd.getpwnam(options.user)
    except KeyError:
        sys.exit(f"bench: no such user: {options.user}")


def scratch_make(user):
    scratch = tempfile.mkdtemp(prefix="bench.")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    out = os.path.join(scratch, "out")
    os.mkdir(out)
    os.chmod(scratch, 0o755)
    key = os.path.join(scratch, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(os.urandom(32))
    if user is not None:
        for path in out, key:
            os.chown(path, user.pw_uid, user.pw_gid)
    return scratch


def interrupted(signal_number, frame):
    sys.exit(128 + signal_number)


def main():
    options = parse_arguments()
    if not os.path.exists("/proc/self/status"):
        sys.exit("bench: needs /proc as Linux has it")
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, interrupted)
    user = ordinary_user(options)
    scratch = scratch_make(user)
    bench = Bench(options, user, tools_copy(options, scratch), scratch)
    env = environment(bench)
    environment_print(bench, env)
    bench.run(options.sections)

    report = bench.report
    if report.verdicts and len(options.sections) > 1:
        report.title("All figures")
        report.print_outcomes()
    if report.foreign:
        env["foreign_load"] = median(report.foreign)
        print(f"Others used {median(report.foreign):.0%} of this machine "
              "meanwhile (median of the runs; at most "
              f"{max(report.foreign):.0%}).")
        if options.calm is not None:
            env["repeated"] = bench.repeated
            print(f"{bench.repeated} runs were repeated because others used "
                  f"more than {options.calm} % of it.")
        print()
    for text in report.left_out:
        print(f"Left out: {text}")
    for text in dict.fromkeys(report.failures):
        print(f"FAILED: {text}")
    if options.json:
        for v in report.verdicts:
            v.pop("cells")
        with open(options.json, "w") as f:
            json.dump({"environment": env, "verdicts": report.verdicts,
                       "failures": report.failures,
                       "left_out": report.left_out,
                       "sections": report.sections}, f, indent=1)
            f.write("\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
