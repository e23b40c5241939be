#!/usr/bin/env python3
"""A TCP proxy that injures connections on command.  Needs no privileges.

Listens on a free port of 127.0.0.1 and forwards each connection to HOST PORT
over one of its own.  One process, one thread, one selector.

usage: tests/proxy.py [options] HOST PORT       --help lists the options

Prints "listening on PORT", then "seed S", then reads commands from standard
input and ends at its end of file.  With -c FIFO -r FIFO commands come and
answers go that way instead (for shell tests), and standard input is not read.
Each command is answered by one line, "ok ..." or "error: ...", after the
lines of list or stats.

WAY is up (from who dialled us to HOST), down (back), or both.  TARGET is all,
a number (connections are numbered from 0 as they are accepted; one that is
still to come is dealt with as soon as it does), last, random (by the seed;
of those still open), next (the next to be accepted) or new (every one that
will be accepted).  The answer names the connections: "ok 0 3".

    stall WAY TARGET            stop reading: the sender's window fills
    blackhole WAY TARGET        swallow everything, end of file and reset too
    resume WAY TARGET           undo either (what was swallowed stays lost)
    cut WAY TARGET              half close: end of file that way, rest swallowed
    reset WAY TARGET            both: reset both ends; up: reset HOST's end only
                                and swallow what the dialler still sends
                                (half-open); down: the reverse
    corrupt WAY TARGET OFFSET [XOR]     change the byte at OFFSET of the stream
    drop WAY TARGET OFFSET      blackhole from OFFSET on
    at WAY TARGET OFFSET VERB [WAY]
                                VERB (stall, blackhole, cut, reset) after
                                exactly OFFSET bytes (what a reset destroys
                                apart); in the same WAY unless another is
                                named, a reset in both
    rate WAY TARGET N           bytes a second, 0 = no limit; TARGET total: one
                                limit for all connections together
    accept normal|hangup|reset|silence|refuse
                                what newcomers get: forwarding, end of file,
                                a reset, nothing ever, connection refused
    forget                      drop what is planned for next, new and numbers
                                to come
    wait accepted|open|fired N  the answer comes when so many were accepted, are
                                open, or corrupt/drop/at have gone off
    wait WAY TARGET OFFSET      ... when so many bytes have passed (not both)
    list | stats | quit

OFFSET counts the bytes of that direction from the connection's start; +N is
from now.  Numbers take k, M, G (binary).  One drop, corrupt or at each can be
set for several offsets of a connection; they go off in order.
"""

import argparse
import collections
import errno
import os
import random
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
OPEN, STALL, BLACKHOLE, CUT = 'open', 'stall', 'blackhole', 'cut'
WAYS = ('up', 'down')
LINGER_RESET = struct.pack('ii', 1, 0)
ACCEPT_MODES = ('normal', 'hangup', 'reset', 'silence', 'refuse')


class Refused(Exception):
    """A command that cannot be obeyed; its text is the answer."""


class Bucket:
    """A limit of bytes a second; zero is none."""

    def __init__(self):
        self.rate = 0
        self.ready = 0.0

    def set(self, rate):
        self.rate, self.ready = rate, 0.0

    def allows(self, now):
        """How many bytes may pass now."""
        if self.rate == 0:
            return sys.maxsize
        if now < self.ready:
            return 0
        return max(self.rate // 50, 64)

    def take(self, now, count):
        if self.rate:
            self.ready = max(now, self.ready) + count / self.rate


class Way:
    """One direction of a connection, from end src to end dst.

    data[start:end] has been read but not dealt with; offset counts what has
    been dealt with, sent what of it reached dst's socket.
    """

    def __init__(self, name, src, dst, size):
        self.name, self.src, self.dst = name, src, dst
        self.size = size
        self.data = None
        self.start = self.end = 0
        self.offset = self.sent = 0
        self.state = OPEN
        self.triggers = []          # (offset, verb, byte or ways), in order
        self.bucket = Bucket()
        self.eof = False            # src has ended
        self.broken = False         # by a reset: dst has to get one, too
        self.finished = False       # that has been dealt with
        self.blocked = False        # dst takes no more for now
        self.wake = None            # the rate allows more at this time

    def wants_read(self):
        return (not self.eof and self.start == self.end and
                self.state != STALL and self.wake is None)

    def fill(self, sock):
        if self.data is None:
            self.data = memoryview(bytearray(self.size))
        self.start = 0
        self.end = sock.recv_into(self.data)
        if self.end == 0:
            self.eof = True

    def skip(self):
        self.offset += self.end - self.start
        self.start = self.end


class Connection:
    """Two sockets, by the names of their ends: dialler and host."""

    def __init__(self, proxy, number, sock, peer):
        self.proxy, self.number, self.peer = proxy, number, peer
        self.socks = {'dialler': sock, 'host': None}
        self.masks = {'dialler': 0, 'host': 0}
        self.connecting = False
        size = proxy.args.buffer
        self.ways = {'up': Way('up', 'dialler', 'host', size),
                     'down': Way('down', 'host', 'dialler', size)}
        self.closed = False

    # -- ends

    def dial(self):
        family, kind, proto, _, addr = self.proxy.destination
        sock = socket.socket(family, kind, proto)
        self.proxy.tune(sock)
        self.socks['host'] = sock
        self.connecting = True
        code = sock.connect_ex(addr)
        if code not in (0, errno.EINPROGRESS):
            self.dial_failed()

    def dial_failed(self):
        self.proxy.counts['dial_failed'] += 1
        self.close_end('host')
        self.close_end('dialler')
        self.ended()

    def watch(self, end, mask):
        if mask == self.masks[end]:
            return
        sock, selector = self.socks[end], self.proxy.selector
        if self.masks[end] == 0:
            selector.register(sock, mask, (self, end))
        elif mask == 0:
            selector.unregister(sock)
        else:
            selector.modify(sock, mask, (self, end))
        self.masks[end] = mask

    def close_end(self, end, reset=False):
        sock = self.socks[end]
        if sock is None:
            return
        self.watch(end, 0)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        sock.close()
        self.socks[end] = None

    def ended(self):
        """Closes what can be of no more use; keeps half-open ends."""
        if all(w.finished for w in self.ways.values()) or \
                all(s is None for s in self.socks.values()):
            self.close_end('dialler')
            self.close_end('host')
            self.closed = True
            self.proxy.open.pop(self.number, None)
            for way in self.ways.values():
                way.data = None

    def out(self, end):
        """The way that leads away from an end."""
        return self.ways['up' if end == 'dialler' else 'down']

    def failed(self, end):
        """This end was reset.  The other one hears of it when its way is
        open; on a way that swallows everything it never does."""
        out = self.out(end)
        back = self.out(out.dst)
        self.close_end(end)
        if back.state != STALL:
            back.state = BLACKHOLE
        out.eof = out.broken = True
        if out.state == OPEN:
            out.skip()
        if out.state != STALL:
            self.finish(out)

    # -- data

    def event(self, end, mask):
        if self.socks[end] is None:
            return
        if self.connecting and end == 'host':
            self.connecting = False
            code = self.socks['host'].getsockopt(socket.SOL_SOCKET,
                                                 socket.SO_ERROR)
            if code == errno.ECONNRESET:
                # It was up, and was reset before we came to look.
                self.failed('host')
                return
            if code:
                self.dial_failed()
                return
            if self.ways['up'].state == CUT:
                self.half_close(self.ways['up'])
        for way in self.ways.values():
            if way.dst == end and mask & WRITE:
                way.blocked = False
                self.pump(way)
            if way.src == end and mask & READ and way.wants_read() and \
                    self.socks[end] is not None:
                try:
                    way.fill(self.socks[end])
                except BlockingIOError:
                    continue
                except OSError:
                    self.failed(end)
                    break
                self.proxy.total_in[way.name] += way.end
                self.pump(way)
        self.update()

    def update(self):
        """Asks the selector for what is needed now, and only that."""
        if self.closed:
            return
        for end, sock in self.socks.items():
            if sock is None:
                continue
            mask = 0
            if self.connecting:
                mask = WRITE if end == 'host' else 0
            else:
                for way in self.ways.values():
                    if way.src == end and way.wants_read():
                        mask |= READ
                    if way.dst == end and way.blocked:
                        mask |= WRITE
            self.watch(end, mask)

    def pump(self, way):
        """Deals with what was read, as far as state and receiver allow."""
        while not self.closed and way.state != STALL:
            if way.triggers and way.triggers[0][0] <= way.offset:
                if way.triggers[0][1] == 'corrupt' and way.start == way.end:
                    break
                self.fire(way)
            elif way.start == way.end:
                break
            elif way.state == OPEN and self.socks[way.dst] is not None:
                if not self.send(way):
                    return
            elif way.triggers:
                count = min(way.end - way.start,
                            way.triggers[0][0] - way.offset)
                way.start += count
                way.offset += count
            else:
                way.skip()
        if way.eof and way.start == way.end and way.state != STALL and \
                not self.closed:
            self.finish(way)

    def send(self, way):
        """Sends up to the next trigger; returns whether to go on."""
        count = way.end - way.start
        if way.triggers:
            count = min(count, way.triggers[0][0] - way.offset)
        total = self.proxy.total_bucket[way.name]
        if way.bucket.rate or total.rate:
            now = time.monotonic()
            count = min(count, way.bucket.allows(now), total.allows(now))
            if count == 0:
                way.wake = max(way.bucket.ready, total.ready)
                self.proxy.sleepers.add((self, way.name))
                return False
        try:
            n = self.socks[way.dst].send(way.data[way.start:way.start + count])
        except BlockingIOError:
            way.blocked = True
            return False
        except OSError:
            self.send_failed(way)
            return True
        if way.bucket.rate or total.rate:
            way.bucket.take(now, n)
            total.take(now, n)
        way.start += n
        way.offset += n
        way.sent += n
        self.proxy.total_out[way.name] += n
        return True

    def send_failed(self, way):
        """dst was reset; what it said before that is still to be read."""
        if way.state != STALL:
            way.state = BLACKHOLE
        out = self.out(way.dst)
        if out.eof:
            self.failed(way.dst)
        else:
            out.broken = True

    def finish(self, way):
        """Everything that src sent has been dealt with, its end included."""
        if way.finished:
            return
        way.finished = True
        if way.state == OPEN and way.broken:
            self.close_end(way.dst, reset=True)
            self.close_end(way.src)
        elif way.state == OPEN:
            self.half_close(way)
        self.ended()

    def half_close(self, way):
        if self.socks[way.dst] is not None and \
                not (self.connecting and way.dst == 'host'):
            try:
                self.socks[way.dst].shutdown(socket.SHUT_WR)
            except OSError:
                pass

    # -- injuries

    def fire(self, way):
        _, verb, arg = way.triggers.pop(0)
        self.proxy.counts['fired'] += 1
        if verb == 'corrupt':
            way.data[way.start] ^= arg
            self.proxy.counts['corrupted'] += 1
        else:
            self.injure(verb, arg)

    def injure(self, verb, names):
        self.proxy.counts[verb] += 1
        if verb == 'reset':
            self.reset(names)
            return
        for name in names:
            way = self.ways[name]
            if verb == 'cut':
                way.state = CUT
                self.half_close(way)
            elif verb == 'resume':
                if way.state in (STALL, BLACKHOLE):
                    way.state = OPEN
            else:
                way.state = verb

    def reset(self, names):
        for name in names:
            way = self.ways[name]
            self.close_end(way.dst, reset=True)
            way.state = BLACKHOLE
            back = self.ways['down' if name == 'up' else 'up']
            back.eof = back.finished = True
        self.connecting = False
        self.ended()

    def settle(self):
        """After a command: state may have changed under waiting data."""
        for way in self.ways.values():
            if not self.connecting and not way.blocked and way.wake is None:
                self.pump(way)
        self.update()


class Proxy:
    """The listening socket, the commands, and every connection there was."""

    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.selector = selectors.DefaultSelector()
        self.destination = socket.getaddrinfo(
            args.host, args.port, type=socket.SOCK_STREAM)[0]
        self.connections = []
        self.open = collections.OrderedDict()
        self.plans = []             # (target, function of a connection)
        self.mode = 'normal'
        self.counts = collections.Counter()
        self.total_in = dict.fromkeys(WAYS, 0)
        self.total_out = dict.fromkeys(WAYS, 0)
        self.total_bucket = {way: Bucket() for way in WAYS}
        self.sleepers = set()
        self.awaited = None         # the condition of a wait command
        self.holder = self.bound(0)
        self.port = self.holder.getsockname()[1]
        self.listener = None
        self.listen()

    # -- sockets

    def bound(self, port):
        """A socket on our port.  One that never listens keeps it ours."""
        family = socket.AF_INET6 if ':' in self.args.bind else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.tune(sock)
        sock.bind((self.args.bind, port))
        return sock

    def tune(self, sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name in ('rcvbuf', 'sndbuf'):
            if getattr(self.args, name):
                sock.setsockopt(socket.SOL_SOCKET,
                                getattr(socket, 'SO_' + name.upper()),
                                getattr(self.args, name))

    def listen(self):
        if self.listener is None:
            self.listener = self.bound(self.port)
            self.listener.listen(self.args.backlog)
            self.selector.register(self.listener, READ, self.accept)

    def refuse(self):
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def accept(self, _mask=READ):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            self.tune(sock)
            number = len(self.connections)
            conn = Connection(self, number, sock, '%s:%d' % peer[:2])
            self.connections.append(conn)
            self.open[number] = conn
            self.counts['accepted'] += 1
            if self.mode == 'normal':
                conn.dial()
            elif self.mode == 'silence':
                conn.injure(BLACKHOLE, WAYS)
                conn.ways['down'].eof = conn.ways['down'].finished = True
            else:
                conn.close_end('dialler', reset=self.mode == 'reset')
                conn.ended()
            if not conn.closed:
                self.carry_out_plans(conn)
                conn.settle()

    def carry_out_plans(self, conn):
        for plan in list(self.plans):
            target, act = plan
            if target not in ('new', 'next', conn.number):
                continue
            if target != 'new':
                self.plans.remove(plan)
            if not conn.closed:
                act(conn)

    # -- commands

    def targets(self, word):
        """Connections that the word means now; None: those to come."""
        if word == 'all':
            return list(self.open.values())
        if word in ('next', 'new'):
            return None
        if word == 'random':
            if not self.open:
                raise Refused('no connection is open')
            return [self.random.choice(list(self.open.values()))]
        if word == 'last':
            if not self.connections:
                raise Refused('there was no connection yet')
            number = len(self.connections) - 1
        elif word.isdigit():
            number = int(word)
        else:
            raise Refused('target: all, a number, last, random, next, new')
        if number >= len(self.connections):
            return None
        if self.connections[number].closed:
            raise Refused('connection %d is closed' % number)
        return [self.connections[number]]

    def apply(self, word, act):
        """act(connection) on all that are meant; says which they were."""
        chosen = self.targets(word)
        if chosen is None:
            self.plans.append((int(word) if word.isdigit() else word, act))
            return 'planned'
        hit, reason = [], None
        for conn in chosen:
            try:
                act(conn)
            except Refused as e:
                reason = e
                continue
            conn.settle()
            hit.append(str(conn.number))
        if reason is not None and not hit:
            raise reason
        return ' '.join(hit)

    def command(self, line):
        words = line.split()
        verb = words[0]
        if verb in ('stall', 'resume', 'blackhole', 'cut', 'reset'):
            names, target = ways(words, 3)
            return self.apply(target, lambda c: c.injure(verb, names))
        if verb in ('at', 'drop', 'corrupt'):
            return self.command_trigger(words)
        if verb == 'rate':
            return self.command_rate(words)
        if verb == 'accept' and len(words) == 2 and words[1] in ACCEPT_MODES:
            self.mode = words[1]
            self.refuse() if self.mode == 'refuse' else self.listen()
            return ''
        if verb == 'forget':
            self.plans.clear()
            return ''
        if verb == 'wait':
            return self.command_wait(words)
        if verb == 'list':
            return self.command_list()
        if verb == 'stats':
            return self.command_stats()
        if verb == 'quit':
            self.answer('ok')
            sys.exit(0)
        raise Refused('no such command: ' + line)

    def command_trigger(self, words):
        verb, arg = words[0], None
        names, target = ways(words, *((5, 6) if verb == 'at' else (4, 5)))
        offset, relative = number(words[3].lstrip('+')), words[3][0] == '+'
        if verb == 'corrupt':
            arg = int(words[4], 0) if len(words) == 5 else 0xff
            if not 1 <= arg <= 255:
                raise Refused('a change of 1-255')
        elif verb == 'drop':
            verb = BLACKHOLE
        else:
            verb = words[4]
            if verb not in (STALL, BLACKHOLE, CUT, 'reset'):
                raise Refused('at: stall, blackhole, cut, reset')
            if len(words) == 6:
                arg, _ = ways(words[4:] + [''], 3)
            elif verb == 'reset':
                arg = WAYS

        def act(conn):
            for name in names:
                way = conn.ways[name]
                place = way.offset + offset if relative else offset
                if place < way.offset:
                    raise Refused('%s of %d is at %d already' %
                                  (name, conn.number, way.offset))
                way.triggers.append((place, verb, arg or (name,)))
                way.triggers.sort(key=lambda t: t[0])
        return self.apply(target, act)

    def command_rate(self, words):
        names, target = ways(words, 4)
        rate = number(words[3])

        def act(conn):
            for name in names:
                conn.ways[name].bucket.set(rate)
        if target == 'total':
            for name in names:
                self.total_bucket[name].set(rate)
            self.wake_sleepers(everybody=True)
            return ''
        answer = self.apply(target, act)
        self.wake_sleepers(everybody=True)
        return answer

    def command_wait(self, words):
        if len(words) == 3 and words[1] in ('accepted', 'open', 'fired'):
            count = number(words[2])
            if words[1] == 'open':
                self.awaited = lambda: len(self.open) == count
            else:
                self.awaited = lambda: self.counts[words[1]] >= count
            return None
        names, target = ways(words, 4)
        if len(names) != 1 or not target.isdigit():
            raise Refused('wait up|down NUMBER OFFSET')
        which, offset = int(target), number(words[3])
        self.awaited = lambda: which < len(self.connections) and \
            self.connections[which].ways[names[0]].offset >= offset
        return None

    def command_list(self):
        for conn in self.connections:
            state = 'closed' if conn.closed else \
                'dialling' if conn.connecting else \
                'open' if all(conn.socks.values()) else \
                'half-open' if any(conn.socks.values()) else 'closed'
            row = 'conn %d %s %s' % (conn.number, conn.peer, state)
            for way in conn.ways.values():
                row += ' %s %s taken %d sent %d' % (
                    way.name, way.state, way.offset, way.sent)
            self.answer(row)
        return '%d' % len(self.open)

    def command_stats(self):
        row = 'stats open %d accept %s' % (len(self.open), self.mode)
        for name in WAYS:
            row += ' %s_taken %d %s_sent %d' % (
                name, self.total_in[name], name, self.total_out[name])
        for name, count in sorted(self.counts.items()):
            row += ' %s %d' % (name, count)
        self.answer(row)
        return ''

    def answer(self, text):
        try:
            os.write(self.reply_fd, text.encode() + b'\n')
        except (BlockingIOError, BrokenPipeError):
            pass                    # nobody reads, nobody will miss it

    def obey(self, line):
        try:
            text = self.command(line) if line.strip() else None
        except Refused as e:
            text = None
            self.answer('error: %s' % e)
        except (ValueError, IndexError):
            text = None
            self.answer('error: bad command: ' + line)
        if text is not None:
            self.answer(('ok ' + text).rstrip())

    # -- the loop

    def open_commands(self):
        if self.args.command:
            self.command_fd = os.open(self.args.command,
                                      os.O_RDWR | os.O_NONBLOCK)
            self.reply_fd = os.open(self.args.reply,
                                    os.O_RDWR | os.O_NONBLOCK)
        else:
            self.command_fd, self.reply_fd = 0, 1
        self.lines = b''

    def commands_ready(self):
        data = os.read(self.command_fd, 65536)
        if not data:
            sys.exit(0)
        self.lines += data

    def obey_lines(self):
        """Commands in order; a wait holds back those behind it."""
        while True:
            if self.awaited is not None:
                if not self.awaited():
                    return
                self.awaited = None
                self.answer('ok')
            line, nl, rest = self.lines.partition(b'\n')
            if not nl:
                return
            self.lines = rest
            self.obey(line.decode(errors='replace'))

    def wake_sleepers(self, everybody=False):
        """Lets go on whom a rate held up; returns how long to sleep now."""
        now, soonest = time.monotonic(), None
        for conn, name in list(self.sleepers):
            way = conn.ways[name]
            if conn.closed:
                self.sleepers.discard((conn, name))
            elif everybody or way.wake <= now:
                self.sleepers.discard((conn, name))
                way.wake = None
                conn.pump(way)
                conn.update()
        for conn, name in self.sleepers:
            left = conn.ways[name].wake - now
            soonest = left if soonest is None else min(soonest, left)
        return None if soonest is None else max(0, soonest)

    def run(self):
        self.open_commands()
        print('listening on %d\nseed %d' % (self.port, self.args.seed),
              flush=True)
        # epoll cannot watch a regular file; its commands are there at once.
        try:
            self.selector.register(self.command_fd, READ, None)
        except PermissionError:
            self.lines = b''.join(iter(lambda: os.read(0, 65536), b''))
        while True:
            timeout = self.wake_sleepers()
            for key, mask in self.selector.select(timeout):
                if key.data is None:
                    self.commands_ready()
                elif key.fileobj is self.listener:
                    self.accept()
                else:
                    conn, end = key.data
                    conn.event(end, mask)
            self.obey_lines()


def number(word):
    m = re.fullmatch(r'(\d+)([kMG]?)', word)
    if not m:
        raise Refused('not a number: ' + word)
    return int(m.group(1)) * 1024 ** ' kMG'.index(m.group(2) or ' ')


def ways(words, least, most=None):
    """The names of the directions, and the target, of VERB WAY TARGET ..."""
    if not least <= len(words) <= (most or least):
        raise Refused('%s WAY TARGET ...: wrong number of words' % words[0])
    if words[1] not in ('up', 'down', 'both'):
        raise Refused('way: up, down, both')
    return (WAYS if words[1] == 'both' else (words[1],)), words[2]


class Handle:
    """A proxy as a child process, for tests in Python.

        with proxy.Handle('127.0.0.1', port, seed=7) as p:
            connect to 127.0.0.1, p.port
            p.cmd('reset both random')      # '2': the connection it was
    """

    def __init__(self, host, port, seed=1, options=()):
        self.process = subprocess.Popen(
            [sys.executable, '-B', os.path.abspath(__file__), '--seed',
             str(seed)] + list(options) + [host, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1])
        self.seed = int(self.process.stdout.readline().split()[-1])

    def lines(self, text):
        """All lines of the answer, the last one starting with "ok"."""
        self.process.stdin.write(text + '\n')
        self.process.stdin.flush()
        got = []
        while not got or not got[-1].startswith('ok'):
            line = self.process.stdout.readline().rstrip('\n')
            if not line or line.startswith('error'):
                raise RuntimeError('proxy: %s: %s' % (text, line or 'ended'))
            got.append(line)
        return got

    def cmd(self, text):
        """What stands behind the "ok"."""
        return self.lines(text)[-1][3:]

    def stats(self):
        words = self.lines('stats')[0].split()[1:]
        return {words[i]: words[i + 1] if words[i] == 'accept' else
                int(words[i + 1]) for i in range(0, len(words), 2)}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('-c', dest='command', metavar='FIFO')
    parser.add_argument('-r', dest='reply', metavar='FIFO')
    parser.add_argument('--bind', default='127.0.0.1')
    parser.add_argument('--seed', type=int, default=random.getrandbits(31))
    parser.add_argument('--backlog', type=int, default=128)
    parser.add_argument('--buffer', type=int, default=256 << 10,
                        help='bytes read at once, each way of a connection')
    parser.add_argument('--rcvbuf', type=int, help='SO_RCVBUF of all sockets')
    parser.add_argument('--sndbuf', type=int, help='SO_SNDBUF of all sockets')
    args = parser.parse_args()
    if (args.command is None) != (args.reply is None):
        parser.error('-c and -r go together')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Proxy(args).run()


if __name__ == '__main__':
    main()
