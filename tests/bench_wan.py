#!/usr/bin/env python3
"""Several paths, unequal and lossy: viamillipede beside others.

usage: tests/bench_wan.py [--quick] [--only a,c,...] [--tools NAME,...]
                          [--congestion NAME,...] [--seconds N] [--skip N]
                          [--program PATH] [--words 'WORD ...'] [--logs DIR]
                          [--svg FILE] [--seed N] [--no-calibration] [--list]

Runs each program over each scenario on the emulated network (netlab.py), one
after the other, with each congestion control as the system's default (cubic
unless told otherwise); Markdown tables on standard output say what the
application at the far end got, as a share of the TCP payload that the links'
rates allow: in the steady state without the first seconds, or for a whole
transfer of so many bytes from the start of the programs until the last byte
was delivered.  First UDP shows what the emulator itself carries with all paths
loaded at once.  Throughput per path over time, sampled every 0.2 s, becomes a
picture in build/wan.svg.

ours      tx with each path in the order given, default options, as an
          ordinary user whom the system lets choose bbr
plain     the same where the system allows reno and cubic only
nc        one connection, over the fastest path
iperfN    iperf3, N connections over each path of at least 1 Mbit/s, one
          process a path: no single stream, but what TCP can carry there
mptcp     the kernel's Multipath TCP, a subflow a path (IPPROTO_MPTCP, as
          mptcpize would choose), the listener stays open

Scenarios g and h are outages of ours alone: how long until the rate is back.
Scenario n is fairness: what one connection of nc keeps beside ours, and beside
iperf3 with as many connections as ours had.  Needs root.  Traffic stays in
network namespaces made here; the list of congestion controls that ordinary
users may choose is changed for the whole machine meanwhile.  A figure that
misses its target does not change the exit status: 0 everything ran, 1 a
transfer failed, 2 usage, 77 no namespaces here.
"""

import argparse
import collections
import dataclasses
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import netlab                                           # noqa: E402

TOP = os.path.dirname(HERE)
BUILD = os.environ.get('BUILD', os.path.join(TOP, 'build'))
PORT = 5201                     # in a namespace of our own
SAMPLE_S = 0.2
IPPROTO_MPTCP = 262
USER = 'nobody'
WHOLE_MAX = 150                # seconds for a whole transfer
PATIENCE = 40                   # seconds for a transfer to end when told to
BLOCK = os.urandom(1 << 17)
RED, GREEN = 'missed', 'met'


class Trouble(Exception):
    """A program did not do what it was started for."""


@dataclasses.dataclass
class Scenario:
    """Paths and what happens to them."""
    name: str
    text: str
    paths: list
    # {(congestion control, program): a share, or a factor of what is best of
    # iperf3 as ('iperf', 1.0); '' as a program is ours and plain}
    targets: dict = dataclasses.field(default_factory=dict)
    counted: int = None         # so many first paths make up the whole; all
    events: list = dataclasses.field(default_factory=list)  # (share of time,
    #                             path, share of its rate)
    amount: int = None          # a whole transfer of so many bytes

    def target(self, congestion, name):
        return self.targets.get((congestion, name),
                                self.targets.get((congestion, '')))


FIVE = '500M/80ms'
UNEQUAL = ['100M/80ms/0.1%', '40M/40ms', '8M/10ms']
BEST = ('iperf', 1.0)
SCENARIOS = [
    Scenario('a0', '500 Mbit/s 80 ms', [FIVE],
             {('cubic', ''): 0.97, ('bbr', ''): 0.97}),
    Scenario('a1', '500 Mbit/s 80 ms, loss 0.01 %', [FIVE + '/0.01%'],
             {('cubic', 'ours'): 0.95, ('cubic', 'plain'): BEST,
              ('bbr', ''): 0.95}),
    Scenario('a2', '500 Mbit/s 80 ms, loss 0.1 %', [FIVE + '/0.1%'],
             {('cubic', 'ours'): 0.92, ('cubic', 'plain'): BEST,
              ('bbr', ''): 0.90}),
    Scenario('a3', '500 Mbit/s 80 ms, loss 1 %', [FIVE + '/1%'],
             {('cubic', 'ours'): 0.90, ('cubic', 'plain'): BEST}),
    Scenario('b', 'three of 100 Mbit/s 40 ms', ['100M/40ms'] * 3,
             {('cubic', ''): 0.97, ('bbr', ''): 0.97}),
    Scenario('c', '100/80 ms/0.1 % + 40/40 ms + 8/10 ms', UNEQUAL,
             {('cubic', ''): 0.95, ('bbr', ''): 0.95}),
    Scenario('d', '200/50 ms + 100/30 ms + 50/10 ms',
             ['200M/50ms', '100M/30ms', '50M/10ms'],
             {('cubic', ''): 0.97, ('bbr', ''): 0.97}),
    Scenario('e', '100 Mbit/s 20 ms + 1 kB/s 40 ms',
             ['100M/20ms', '8k/40ms/queue=16k'],
             {('cubic', ''): 0.90, ('bbr', ''): 0.90}, counted=1),
    Scenario('f', '100 Mbit/s 40 ms, halves and recovers', ['100M/40ms'],
             {('cubic', ''): 0.90, ('bbr', ''): 0.90},
             events=[(0.4, 0, 0.5), (0.7, 0, 1.0)]),
    Scenario('k', '100 Mbit/s 40 ms, policed with 64 KiB',
             ['100M/40ms/police=64k']),
    Scenario('l', '500 Mbit/s 80 ms, queue of 8 ms', [FIVE + '/queue=8ms']),
    Scenario('w1', '100 MB at 500 Mbit/s 80 ms 0.1 %', [FIVE + '/0.1%'],
             amount=100 * 10 ** 6),
    Scenario('w3', '300 MB at 500 Mbit/s 80 ms 0.1 %', [FIVE + '/0.1%'],
             {('cubic', 'ours'): 0.80, ('cubic', 'plain'): ('iperf64', 0.95)},
             amount=300 * 10 ** 6),
    Scenario('w10', '1 GB at 500 Mbit/s 80 ms 0.1 %', [FIVE + '/0.1%'],
             amount=10 ** 9),
    Scenario('x', '700 MiB at 400 Mbit/s 120 ms 0.05 %', ['400M/120ms/0.05%'],
             {('bbr', ''): 0.93}, amount=700 << 20),
    Scenario('y', '250 MB at 120/60 ms/0.05 % + 30/90 ms + 5/20 ms',
             ['120M/60ms/0.05%', '30M/90ms', '5M/20ms'],
             {('bbr', ''): 0.95}, amount=250 * 10 ** 6),
]


def say(text):
    print('bench-wan: ' + text, file=sys.stderr, flush=True)


# --------------------------------------------------------------------------
# What runs on the two machines.  Each has delivered(), bytes that the far
# application has (None: it cannot say), and finish(), which ends the transfer
# and returns bytes a second if it measured that itself.

class Streamed:
    """A source and a sink of this process around two ends of a pipe."""

    def __init__(self, amount=None):
        self.got = self.put = 0
        self.amount, self.took, self.began = amount, None, time.monotonic()
        self.stop = threading.Event()
        self.threads = []

    def pump(self, write, read):
        """write(block) -> bytes; read() -> block, empty at the end."""
        def source():
            try:
                while not self.stop.is_set() and self.put != self.amount:
                    left = len(BLOCK) if self.amount is None else \
                        min(len(BLOCK), self.amount - self.put)
                    self.put += write(BLOCK[:left])
                self.close_source()
            except OSError:
                pass

        def sink():
            try:
                while n := len(read()):
                    self.got += n
                    if self.got == self.amount:
                        self.took = time.monotonic() - self.began
            except OSError:
                pass
        for body in (source, sink):
            self.threads.append(threading.Thread(target=body, daemon=True))
            self.threads[-1].start()

    def delivered(self):
        return self.got

    def whole(self):
        """Seconds from the start to the last byte."""
        if self.took is None:
            raise Trouble('%d of %d bytes' % (self.got, self.amount))
        return self.took

    def stop_at(self, _carried):
        return self.got == self.amount

    def ended(self):
        until = time.monotonic() + PATIENCE
        for thread in self.threads:
            thread.join(max(0, until - time.monotonic()))
        if any(t.is_alive() for t in self.threads):
            raise Trouble('has not ended %d s after its source' % PATIENCE)
        if self.got != self.put:
            raise Trouble('%d bytes went in, %d came out' %
                          (self.put, self.got))


class Piped(Streamed):
    """Two processes, fed and drained through pipes."""

    def begin(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        into, out = sender.stdin.fileno(), receiver.stdout.fileno()
        self.pump(lambda b: os.write(into, b), lambda: os.read(out, 1 << 20))

    def close_source(self):
        self.sender.stdin.close()

    def finish(self):
        self.stop.set()
        try:
            self.ended()
            statuses = self.sender.wait(5), self.receiver.wait(5)
        except subprocess.TimeoutExpired as e:
            raise Trouble('has not ended') from e
        finally:
            for p in (self.sender, self.receiver):
                if p.poll() is None:
                    p.kill()
        if statuses != (0, 0):
            raise Trouble('exit statuses %d and %d' % statuses)


class Ours(Piped):
    allowed = ['reno', 'bbr', 'cubic']

    def __init__(self, lab, args, label, amount=None, words=()):
        super().__init__(amount)
        self.report = os.path.join(args.logs, label + '.report')
        if os.path.exists(self.report):
            os.unlink(self.report)
        err = {side: os.path.join(args.logs, '%s.%s.log' % (label, side))
               for side in ('tx', 'rx')}
        with open(err['rx'], 'wb') as log:
            rx = lab.popen('b', [args.program, 'rx', '0', 'verbose', '5'],
                           user=USER, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=log)
        port = wait_for(lambda: listening_line(err['rx']), 'rx')
        argv = [args.program]
        for i in range(len(lab.paths)):
            argv += ['tx', lab.addr('b', i), port]
        argv += ['verbose', '5', 'report', self.report]
        argv += args.words + list(words)
        self.began = time.monotonic()
        with open(err['tx'], 'wb') as log:
            tx = lab.popen('a', argv, user=USER, stdin=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, stderr=log)
        self.begin(tx, rx)

    def end_line(self):
        with open(self.report) as f:
            return json.loads(f.read().splitlines()[-1])

    def twice(self):
        """Bytes that were sent again, as a share of the stream."""
        end = self.end_line()
        return end['resent_bytes'] / max(1, end['bytes'])


class Plain(Ours):
    """Where the system does not let an ordinary user choose bbr."""
    allowed = ['reno', 'cubic']


class Netcat(Piped):
    allowed = None

    def __init__(self, lab, _args, _label, amount=None):
        super().__init__(amount)
        to = lab.addr('b', fastest(lab))
        rx = lab.popen('b', ['nc', '-l', to, str(PORT)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        wait_for(lambda: listens(lab), 'nc')
        self.began = time.monotonic()
        tx = lab.popen('a', ['nc', '-N', to, str(PORT)],
                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.begin(tx, rx)


class Mptcp(Streamed):
    """Sockets of this process; the kernel does everything else."""
    allowed = None

    def __init__(self, lab, _args, _label, amount=None):
        super().__init__(amount)
        count = len(lab.paths)
        for side in 'ab':
            netlab._ip('-n', lab.ns(side), 'mptcp', 'limits', 'set',
                       'subflow', '8', 'add_addr_accepted', '8')
        for i in range(1, count):
            netlab._ip('-n', lab.ns('b'), 'mptcp', 'endpoint', 'add',
                       lab.addr('b', i), 'dev', 'wan%d' % i, 'signal')
        try:
            self.listener = self.socket(lab, 'b')
            self.tx = self.socket(lab, 'a')
        except OSError as e:
            raise netlab.Unavailable('no MPTCP in this kernel: %s' % e)
        self.listener.bind(('', PORT))     # on all paths: for the joins
        self.listener.listen()
        self.tx.connect((lab.addr('b'), PORT))
        self.rx, _ = self.listener.accept()
        self.pump(self.tx.send, lambda: self.rx.recv(1 << 20))
        try:
            wait_for(lambda: len(lab.connections('a')) == count, 'mptcp')
        except Trouble as e:
            raise Trouble('%d of %d subflows' % (
                len(lab.connections('a')), count)) from e

    @staticmethod
    def socket(lab, side):
        with lab.inside(side):
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM,
                                 IPPROTO_MPTCP)

    def close_source(self):
        self.tx.shutdown(socket.SHUT_WR)

    def finish(self):
        self.stop.set()
        try:
            self.ended()
        finally:
            for s in (self.tx, self.rx, self.listener):
                s.close()


class Iperf:
    """One process a path; the far end counts, every tenth of a second."""
    allowed = None
    connections = 16

    def __init__(self, lab, args, _label, amount=None, port=PORT + 1,
                 seconds=None):
        self.servers, self.amount = [], amount
        self.span = (args.skip, args.seconds)
        if amount is not None:
            seconds = WHOLE_MAX
        usable = [i for i, p in enumerate(lab.paths) if p.rate_bps >= 1e6]
        for i in usable:
            self.servers.append(lab.popen(
                'b', ['iperf3', '-s', '-1', '-J', '-i', '0.1', '-p',
                      str(port + i)],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
            wait_for(lambda: listens(lab, port + i), 'iperf3')
        self.clients = [lab.popen(
            'a', ['iperf3', '-c', lab.addr('b', i), '-p', str(port + i), '-P',
                  str(self.connections), '-t', str(seconds or
                                                   args.seconds + 1)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for i in usable]
        # Sixty-four handshakes one after the other take seconds.
        wait_for(lambda: len(lab.connections('a')) >=
                 (self.connections + 1) * len(usable), 'iperf3', PATIENCE)

    def delivered(self):
        return None

    def stop_at(self, carried):
        """So many bytes came out of the links: what is counted has come."""
        if carried > 1.2 * self.amount:
            for client in self.clients:
                client.send_signal(signal.SIGINT)
            return True
        return False

    def intervals(self):
        """[[(begin, end, bytes)]] of each path."""
        found = []
        for server in self.servers:
            try:
                said = json.loads(server.communicate(timeout=10 * PATIENCE)[0])
            except subprocess.TimeoutExpired as e:
                server.kill()
                raise Trouble('has not ended') from e
            found.append([(i['sum']['start'], i['sum']['end'],
                           i['sum']['bytes']) for i in said['intervals']])
            if not found[-1]:
                raise Trouble(said.get('error', 'no result'))
        return found

    def whole(self):
        """When the far ends had so many bytes together; the handshakes before
        the first interval are for nothing."""
        moved = sorted((end, n) for path in self.intervals()
                       for _, end, n in path)
        got = 0
        for end, n in moved:
            got += n
            if got >= self.amount:
                return end
        raise Trouble('%d of %d bytes' % (got, self.amount))

    def finish(self):
        if self.amount is not None:
            return None
        rate, (begin, end) = 0, self.span
        for path in self.intervals():
            kept = [(b, e, n) for b, e, n in path
                    if begin - 0.05 < b < end - 0.05]
            rate += sum(n for _, _, n in kept) / sum(e - b for b, e, _ in kept)
        return rate


def iperf_of(count):
    return type('Iperf%d' % count, (Iperf,), {'connections': count})


PROGRAMS = collections.OrderedDict(
    ours=Ours, plain=Plain, iperf1=iperf_of(1), iperf4=iperf_of(4),
    iperf16=iperf_of(16), iperf64=iperf_of(64), mptcp=Mptcp, nc=Netcat)
OURS = ('ours', 'plain')


def wait_for(found, who, patience=10):
    until = time.monotonic() + patience
    while not (result := found()):
        if time.monotonic() > until:
            raise Trouble(who + ' is not ready')
        time.sleep(0.02)
    return result


def listening_line(path):
    with open(path, errors='replace') as f:
        for line in f:
            if 'listening on' in line and line.endswith('\n'):
                return line.strip().rsplit(':', 1)[1]
    return None


def listens(lab, port=PORT):
    return lab.run('b', ['ss', '-H', '-ltn', 'sport = :%d' % port], text=True,
                   stdout=subprocess.PIPE).stdout


def fastest(lab):
    return max(range(len(lab.paths)), key=lab.payload_bps)


# --------------------------------------------------------------------------
# One run

@dataclasses.dataclass
class Sample:
    at: float                   # seconds after the start
    delivered: int              # bytes, or None
    out: list                   # bytes out of each link from a to b
    loop: dict                  # the emulator's own


@dataclasses.dataclass
class Result:
    rate: float                 # bytes of payload a second
    share: float
    samples: list
    wire: float                 # bytes of IP packets a second
    paths: list                 # share of them
    core: float                 # of the emulator
    pause: float = None         # longest time at under a tenth of it
    twice: float = None         # bytes sent again, as a share
    load: float = 0.0           # of the machine at the end, by the last minute
    note: str = ''


def sample(lab, program, began):
    stats = lab.stats()
    return Sample(time.monotonic() - began, program.delivered(),
                  [stats[i, 'ab']['out_bytes'] for i in range(len(lab.paths))],
                  stats['loop'])


def set_rate(lab, path, share):
    lab.cmd('path %d both rate %d' % (path, lab.paths[path].rate_bps * share))


def watch(lab, program, seconds, events, whole=False):
    """Samples for so long; events are (at, what to do)."""
    began = time.monotonic()
    samples, events = [sample(lab, program, began)], sorted(
        events, key=lambda e: e[0])
    while samples[-1].at < seconds:
        while events and samples[-1].at >= events[0][0]:
            events.pop(0)[1]()
        due = began + len(samples) * SAMPLE_S
        time.sleep(max(0, due - time.monotonic()))
        samples.append(sample(lab, program, began))
        if whole and program.stop_at(sum(samples[-1].out)):
            break
    return samples


def allowed(lab, scenario, seconds, begin, end):
    """Bytes of payload that the links could carry between two moments."""
    amount = 0
    for i in range(scenario.counted or len(lab.paths)):
        share, at = 1.0, begin
        for when, path, new in scenario.events + [(1e9, i, 0)]:
            if path != i:
                continue
            till = min(max(when * seconds, begin), end)
            amount += lab.payload_bps(i) / 8 * share * (till - at)
            share, at = new, till
    return amount


def index_at(samples, second):
    return next((i for i, s in enumerate(samples) if s.at >= second),
                len(samples) - 1)


def evaluate(lab, scenario, args, samples, measured):
    first, last = samples[index_at(samples, args.skip)], samples[-1]
    if scenario.amount is not None:
        first = samples[0]
    took = last.at - first.at
    if scenario.amount is not None:
        measured = scenario.amount / measured
        share = measured * 8 / sum(
            lab.payload_bps(i) for i in range(len(lab.paths)))
    else:
        whole = allowed(lab, scenario, args.seconds, first.at, last.at)
        if measured is None:
            measured = (last.delivered - first.delivered) / took
        share = measured * took / whole
    moved = [b - a for a, b in zip(first.out, last.out)]
    loop = {k: last.loop[k] - first.loop[k] for k in ('cpu_us', 'time_us')}
    return Result(measured, share, samples, sum(moved) / took,
                  [m / max(1, sum(moved)) for m in moved],
                  loop['cpu_us'] / loop['time_us'])


def run_one(scenario, name, args):
    program, whole = PROGRAMS[name], scenario.amount is not None
    with netlab.Lab(scenario.paths, seed=args.seed, allowed=program.allowed,
                    congestion=args.control) as lab:
        events = [(when * args.seconds,
                   lambda p=path, s=share: set_rate(lab, p, s))
                  for when, path, share in scenario.events]
        program = program(lab, args, '%s.%s.%s' % (
            scenario.name, name, args.control), amount=scenario.amount)
        samples = watch(lab, program, WHOLE_MAX if whole else args.seconds,
                        events, whole)
        note, measured = '', None
        try:
            measured = program.finish()
        except Trouble as e:
            note = str(e)
            if whole or samples[-1].delivered is None:
                raise
        if whole:
            measured = program.whole()
        result = evaluate(lab, scenario, args, samples, measured)
        result.note = note
        result.load = os.getloadavg()[0]
        result.pause = longest_pause(samples)
        if name in OURS and not note:
            result.twice = program.twice()
            result.note = told(program)
        keep_series(args, '%s.%s.%s' % (scenario.name, name, args.control),
                    samples)
        return result


def told(program):
    """What ours says of itself at the end."""
    end = program.end_line()
    return ', '.join('%s %s' % (k, end[k]) for k in ('legs_used',)
                     if k in end)


def longest_pause(samples):
    """The longest time, in seconds, over which the far application got less
    than a tenth of its mean rate; None: it cannot say.  From the start, so that
    a stream which is held up at first does not look good for what comes late."""
    if samples[-1].delivered is None:
        return None
    tenth = samples[-1].delivered / samples[-1].at / 10
    return max((b.at - a.at for i, a in enumerate(samples)
                for b in samples[i + 1:]
                if b.delivered - a.delivered < tenth * (b.at - a.at)),
               default=0.0)


def keep_series(args, label, samples):
    """For a closer look: Mbit/s delivered and out of each path, over time."""
    with open(os.path.join(args.logs, label + '.series'), 'w') as f:
        for a, b in zip(samples, samples[1:]):
            scale = 8e-6 / (b.at - a.at)
            f.write('%6.2f %7.1f  %s\n' % (
                b.at, ((b.delivered or 0) - (a.delivered or 0)) * scale,
                ' '.join('%7.1f' % ((y - x) * scale)
                         for x, y in zip(a.out, b.out))))


# --------------------------------------------------------------------------
# What the emulator carries, by UDP on all paths at once

class Blaster:
    """Fills a path with datagrams; the far end has no use for them."""

    def __init__(self, lab, path):
        self.far = lab.socket('b', socket.SOCK_DGRAM)
        self.near = lab.socket('a', socket.SOCK_DGRAM)
        self.far.bind((lab.addr('b', path), 0))
        self.near.connect(self.far.getsockname())
        self.rate = lab.paths[path].rate_bps * 1.03 / 8
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        # One call of 40 datagrams of 1472 bytes, cut by the kernel (UDP_SEGMENT).
        self.near.setsockopt(socket.IPPROTO_UDP, 103, 1472)
        block = bytes(1472 * 40)
        began, sent = time.monotonic(), 0
        while not self.stopping.is_set():
            ahead = sent / self.rate - (time.monotonic() - began)
            if ahead > 0.001:
                time.sleep(ahead)
            try:
                self.near.send(block)
            except OSError:             # its queue is full
                time.sleep(0.001)
            sent += 1500 * 40

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.near.close()
        self.far.close()


def calibrate(scenario, args):
    """[(carried, limit)] a path in bits of IP packets, and wanem's core."""
    seconds = 4 if args.quick else 8
    with netlab.Lab(scenario.paths, seed=args.seed) as lab:
        blasters = [Blaster(lab, i) for i in range(len(lab.paths))]
        time.sleep(1)
        before = lab.stats()
        time.sleep(seconds)
        after = lab.stats()
        us = after['loop']['time_us'] - before['loop']['time_us']
        carried = []
        for i, path in enumerate(lab.paths):
            n = (after[i, 'ab']['out_bytes'] - before[i, 'ab']['out_bytes'])
            carried.append((n * 8e6 / us, path.rate_bps * (1 - path.loss)))
        for b in blasters:
            b.stop()
        core = (after['loop']['cpu_us'] - before['loop']['cpu_us']) / us
        return carried, core


# --------------------------------------------------------------------------
# Outages

OUTAGE = {'g': (['60M/40ms'] * 3, 'path 1 both cut', None),
          'h': (['200M/30ms'], 'path 0 both cut', 15)}


def back_after(samples, since, level, window=2.0):
    """Seconds after `since' until the first window begins whose mean reaches
    the level in bytes a second; None: never.  Delivery in order comes in
    bursts, so a single sample says nothing."""
    width = round(window / SAMPLE_S)
    for a, b in zip(samples, samples[width:]):
        if a.at >= since and \
                (b.delivered - a.delivered) / (b.at - a.at) >= level:
            return a.at - since
    return None


# --------------------------------------------------------------------------
# Fairness: what one connection keeps beside others

FAIR = ['100M/40ms']


def beside(args, start):
    """Bytes a second that one connection of nc gets beside start(lab), and
    with how many connections."""
    with netlab.Lab(FAIR, seed=args.seed, congestion=args.control,
                    allowed=['reno', 'cubic']) as lab:
        victim = Netcat(lab, args, 'fair')
        time.sleep(3)
        other = start(lab)
        time.sleep(3)
        before, count = victim.delivered(), []
        for _ in range(args.seconds):
            time.sleep(1)
            count.append(len(lab.connections('a')) - 1)
        rate = (victim.delivered() - before) / args.seconds
        if other is not None and not isinstance(other, Iperf):
            other.finish()
        victim.finish()
    return rate, sorted(count)[len(count) // 2]


def fairness(args):
    print('\n| one connection of nc (%s, 100 Mbit/s 40 ms, no loss) | '
          'Mbit/s |' % args.control)
    print('|---|---|')
    rate, _ = beside(args, lambda lab: None)
    print('| alone | %.1f |' % (rate * 8e-6), flush=True)
    ours, count = beside(args, lambda lab: Plain(lab, args, 'fair'))
    print('| beside ours, which has %d connections | %.1f |' % (
        count, ours * 8e-6), flush=True)
    peer, _ = beside(args, lambda lab: iperf_of(max(1, count))(
        lab, args, 'fair', seconds=args.seconds + 10))
    print('| beside iperf3 -P %d | %.1f, %s |' % (
        count, peer * 8e-6, GREEN if ours >= 0.95 * peer else RED), flush=True)


def outage(name, args, threads=None):
    """Returns (seconds till the rate is back, the rate after, samples)."""
    paths, cut, length = OUTAGE[name]
    lead, tail = 8, 18 if length is None else 10
    with netlab.Lab(paths, seed=args.seed, congestion=args.control) as lab:
        words = ['legs', str(threads)] if threads else []
        label = name + (str(threads) if threads else '')
        program = Ours(lab, args, label, words=words)
        since = lead + (length or 0)
        events = [(lead, lambda: lab.cmd(cut))]
        if length is not None:
            events.append((since, lab.heal))
        samples = watch(lab, program, since + tail, events)
        keep_series(args, label, samples)
        line = sum(lab.payload_bps(i) for i in range(len(paths))) / 8
        if length is None:
            line *= 2 / 3
        since = next(s.at for s in samples if s.at >= since)
        program.finish()
    a, b = samples[-1 - round(5 / SAMPLE_S)], samples[-1]
    after = (b.delivered - a.delivered) / (b.at - a.at) / line
    return back_after(samples, since, 0.95 * line), after, samples


def outages(args, wanted):
    cases = [('g', None, 'one of three 60 Mbit/s 40 ms black-holed', 7)] + [
        ('h', n, '200 Mbit/s 30 ms, all silent 15 s, legs %d' % n, 2)
        for n in (1, 4, 16)]
    print('\n| outage | 0.95 of the line again after | at most | then |')
    print('|---|---|---|---|')
    panels, failed = [], False
    for name, threads, text, most in cases:
        if name not in wanted:
            continue
        say(text)
        try:
            took, after, samples = outage(name, args, threads)
        except Trouble as e:
            print('| %s | %s | %d s | |' % (text, e, most))
            failed = True
            continue
        verdict = GREEN if took is not None and took <= most else RED
        print('| %s | %s, %s | %d s | %.3f |' % (
            text, 'never' if took is None else '%.1f s' % took, verdict, most,
            after), flush=True)
        panels.append((text, OUTAGE[name][0], {'ours': samples}))
    return panels, failed


# --------------------------------------------------------------------------
# The picture

COLOURS = ('#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377')
PANEL = (300, 130, 46, 34)      # width, height, left and top margin


def rates(samples):
    """[(at, [Mbit/s of IP packets on each path])]"""
    return [(b.at, [(y - x) * 8e-6 / (b.at - a.at)
                    for x, y in zip(a.out, b.out)])
            for a, b in zip(samples, samples[1:])]


def panel_svg(x, y, title, most, samples, whole):
    """One program over one scenario, paths stacked."""
    width, height = PANEL[:2]
    series = rates(samples)
    end = max(1, series[-1][0])
    out = ['<text x="%d" y="%d" class="t">%s</text>' % (x, y - 6, title),
           '<rect x="%d" y="%d" width="%d" height="%d" class="f"/>' %
           (x, y, width, height)]

    def point(at, value):
        return '%.1f,%.1f' % (x + at / end * width,
                              y + height - min(1, value / most) * height)
    below = [0.0] * len(series)
    for path in range(len(series[0][1])):
        above = [b + r[path] for b, (_, r) in zip(below, series)]
        points = [point(t, v) for (t, _), v in zip(series, above)] + [
            point(t, v) for (t, _), v in reversed(list(zip(series, below)))]
        points = [p for p in points]
        out.append('<polygon points="%s" fill="%s"/>' % (
            ' '.join(points), COLOURS[path % len(COLOURS)]))
        below = above
    line = y + height - whole / most * height
    out.append('<path d="M%d %.1fH%d" class="l"/>' % (x, line, x + width))
    for value in (0, whole):
        out.append('<text x="%d" y="%.1f" class="n">%.0f</text>' % (
            x - 4, y + height - value / most * height + 4, value))
    out.append('<text x="%d" y="%d" class="n">%.0f s</text>' % (
        x + width, y + height + 13, end))
    return out


def picture(rows, names):
    """rows: (text, path specifications, {program: samples})"""
    width, height, left, top = PANEL
    step_x, step_y = width + left + 16, height + top + 34
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="11">' %
           (step_x * len(names) + 8, step_y * len(rows) + 24),
           '<style>.f{fill:#fafafa;stroke:#999}.t{font-size:12px}'
           '.l{stroke:#000;stroke-dasharray:4 3;fill:none}'
           '.n{text-anchor:end;fill:#555}</style>',
           '<text x="%d" y="16">Mbit/s out of each path over time (IP packets,'
           ' stacked in the order of the paths); dashed: the sum of the '
           'rates</text>' % left]
    for r, (text, specs, runs) in enumerate(rows):
        whole = sum(netlab.parse_path(s).rate_bps for s in specs) / 1e6
        for c, name in enumerate(names):
            if name in runs and len(runs[name]) > 1:
                out += panel_svg(left + c * step_x, 24 + top + r * step_y,
                                 '%s: %s' % (name, text), whole * 1.1,
                                 runs[name], whole)
    return '\n'.join(out + ['</svg>', ''])


# --------------------------------------------------------------------------
# Tables

def describe(args):
    with open('/proc/sys/net/ipv4/tcp_rmem') as r, \
            open('/proc/sys/net/ipv4/tcp_wmem') as w:
        print('%s, %d cores, congestion control %s, tcp_rmem %s, tcp_wmem %s, '
              '%d s without the first %d, seed %d' % (
                  os.uname().release, os.cpu_count(), args.control,
                  r.read().split()[2], w.read().split()[2], args.seconds,
                  args.skip, args.seed))


def calibration(scenarios, args):
    print('\n| UDP, all paths at once | carried, Mbit/s of IP packets | share '
          'of the rate | emulator, cores |')
    print('|---|---|---|---|')
    for s in scenarios:
        say('calibrating ' + s.text)
        carried, core = calibrate(s, args)
        print('| %s %s | %s | %.3f | %.2f |' % (
            s.name, s.text, ' + '.join(
                '%.3g' % (got / 1e6) for got, _ in carried),
            sum(g for g, _ in carried) / sum(n for _, n in carried), core),
              flush=True)


def judge(scenario, name, results, control):
    """Ours against its target; empty for the others."""
    target, share = scenario.target(control, name), results[name].share
    if name not in OURS or target is None:
        return ''
    text = '>= %.2f' % target if isinstance(target, float) else \
        '>= %.2f x the best of iperf3' % target[1]
    if not isinstance(target, float):
        peers = [r.share for n, r in results.items()
                 if n.startswith(target[0])]
        if not peers:
            return ''
        text += ', which is %.3f' % max(peers)
        target = target[1] * max(peers)
    return '%s %s' % (text, GREEN if share >= target else RED)


def run_scenario(scenario, names, args):
    results, notes = {}, {}
    for name in names:
        say('%s: %s' % (scenario.text, name))
        try:
            results[name] = run_one(scenario, name, args)
            notes[name] = results[name].note
        except netlab.Unavailable as e:
            notes[name] = 'not to be had: %s' % e
        except Trouble as e:
            notes[name] = str(e)
    for name in names:
        if name not in results:
            print('| %s %s | %s | | | | | | | | | %s |' % (
                scenario.name, scenario.text, name, notes[name]))
            continue
        r = results[name]
        remarks = [t for t in (judge(scenario, name, results,
                                      args.control), notes[name])
                   if t]
        print('| %s %s | %s | %.1f | %.3f | %.1f | %s | %s | %s | %.2f | %.1f '
              '| %s |' % (
            scenario.name, scenario.text, name, r.rate * 8e-6, r.share,
            r.wire * 8e-6,
            ' / '.join('%.0f' % (100 * p) for p in r.paths),
            '' if r.twice is None else '%.1f' % (100 * r.twice),
            '' if r.pause is None else '%.1f' % r.pause, r.core, r.load,
            '; '.join(remarks)))
    sys.stdout.flush()
    return ({n: r.samples for n, r in results.items()},
            any(n not in results for n in names if n in OURS))


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--quick', action='store_true', help='10 s instead of 30')
    p.add_argument('--only', default='a,b,c,d,e,f,g,h,k,l,n,w,x,y',
                   metavar='a,c,...')
    p.add_argument('--tools', '--programs', dest='programs',
                   default=','.join(PROGRAMS), metavar='NAME,...')
    p.add_argument('--congestion', default='cubic', metavar='NAME,...')
    p.add_argument('--seconds', type=int)
    p.add_argument('--skip', type=int)
    p.add_argument('--program', default=os.environ.get(
        'VIAMILLIPEDE', os.path.join(TOP, 'viamillipede')), metavar='PATH')
    p.add_argument('--words', default='', help='for our tx, besides verbose 5')
    p.add_argument('--logs', metavar='DIR', help='keep the logs of ours there')
    p.add_argument('--svg', default=os.path.join(BUILD, 'wan.svg'))
    p.add_argument('--seed', type=int, default=7)
    p.add_argument('--no-calibration', action='store_true')
    p.add_argument('--list', action='store_true')
    args = p.parse_args()
    args.seconds = args.seconds or (10 if args.quick else 30)
    args.skip = args.skip if args.skip is not None else \
        (3 if args.quick else 5)
    args.words = shlex.split(args.words)
    args.program = os.path.abspath(args.program)
    if args.skip >= args.seconds:
        p.error('--skip leaves nothing of --seconds')
    return p, args


def chosen(parser, args):
    wanted = args.only.split(',')
    names = args.programs.split(',')
    known = {s.name for s in SCENARIOS} | {'a', 'g', 'h', 'n', 'w'}
    for word in [w for w in wanted if w not in known] + \
            [n for n in names if n not in PROGRAMS]:
        parser.error('unknown: ' + word)
    return [s for s in SCENARIOS if s.name in wanted or
            s.name[0] in wanted], names, wanted


def run_all(args, scenarios, names, wanted):
    describe(args)
    if scenarios and not args.no_calibration:
        calibration(scenarios, args)
    rows, failed = [], False
    if scenarios:
        print('\n| scenario | program | Mbit/s | share | on the wire | by path, % | '
              'sent twice, % | longest pause, s | emulator, cores | load | |')
        print('|---|---|---|---|---|---|---|---|---|---|---|')
    for s in scenarios:
        runs, bad = run_scenario(s, names, args)
        rows.append((s.name + ' ' + s.text, s.paths, runs))
        failed = failed or bad
    if 'n' in wanted:
        fairness(args)
    if {'g', 'h'} & set(wanted):
        more, bad = outages(args, wanted)
        rows, failed = rows + more, failed or bad
    os.makedirs(os.path.dirname(args.svg), exist_ok=True)
    with open(args.svg, 'w') as f:
        f.write(picture(rows, names))
    print('\nThroughput over time: ' + args.svg)
    return 1 if failed else 0


def main():
    parser, args = arguments()
    scenarios, names, wanted = chosen(parser, args)
    if args.list:
        for s in scenarios:
            print('%-3s %s: %s' % (s.name, s.text, ' '.join(s.paths)))
        return 0
    if not os.access(args.program, os.X_OK):
        parser.error('%s: no such program; run make first' % args.program)
    missing = [p for p in ('nc', 'iperf3', 'ss') if shutil.which(p) is None]
    if missing:
        parser.error('missing: %s (netcat-openbsd, iperf3, iproute2)' %
                     ', '.join(missing))
    kept, scratch = args.logs, None
    if kept is None:
        args.logs = scratch = tempfile.mkdtemp(prefix='bench-wan.')
    os.makedirs(args.logs, exist_ok=True)
    os.chmod(args.logs, 0o777)          # ours runs as an ordinary user
    try:
        status = 0
        for args.control in args.congestion.split(','):
            status |= run_all(args, scenarios, names, wanted)
            args.no_calibration = True
        return status
    except netlab.Unavailable as e:
        print('skipped: %s' % e)
        return netlab.SKIP
    finally:
        if scratch:
            shutil.rmtree(scratch)


if __name__ == '__main__':
    sys.exit(main())
