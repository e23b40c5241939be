#!/usr/bin/env python3
"""Two network namespaces joined by emulated paths (tests/wanem.c).

Owns the namespaces, their addresses, the wanem process and every process
started inside; all of it is gone after close(), on exceptions, exits and
signals alike.  What a SIGKILL leaves behind is swept by the next start.
Addresses: side a has 10.77.N.1 on path N, side b 10.77.N.2 (with ipv6 also
fd77:N::1 and fd77:N::2, N in hexadecimal), on device wanN; they exist in these
namespaces only.

A path is RATE/RTT[/LOSS][/WORD=VALUE...]: 200M/30ms, 100M/50ms/0.1%,
unlimited/2ms/queue=64k, 20M/40ms/ab.loss=0.01.  RTT is split evenly over both
directions; rate, loss and the words (wanem's, see wanem.c) hold for each.

    with netlab.Lab(['200M/30ms', '100M/50ms/0.001'], seed=7) as lab:
        rx = lab.popen('b', ['./viamillipede', 'rx', '0'], ...)
        lab.cmd('path 0 both cut')
        lab.stats()[0, 'ab']['out_bytes']
        s = lab.socket('b')             # of this process, in namespace b
        lab.reset('a', 'dport = :%d' % port, which=random.Random(7))

From the shell:

    netlab.py probe                     exit 77 and why, where it cannot work
    netlab.py run [--paths P,P...] [options] -- COMMAND...
    netlab.py cmd WORD...               inside: a command to wanem
    netlab.py reset a|b [--nth N|--random SEED] [FILTER...]     inside
    netlab.py calibrate [--paths P,P...] [--seconds N]  what each path really
                                        carries (UDP, one TCP), by iperf3
    netlab.py sweep                     remove what killed labs left behind

COMMAND runs in the namespace of the caller, with NS_A, NS_B, ADDRS_A,
ADDRS_B, ADDR_A_0, ADDR_B_0..., PATHS, WAN_SEED, WAN_PID, WAN_CMD, WAN_REPLY
(fifos), NETLAB (this file) and NETLAB_SH, which a script reads in to get the
functions in_a, in_b, wan, wan_count, reset_a and reset_b.
"""

import argparse
import atexit
import collections
import contextlib
import ctypes
import fcntl
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
PREFIX = 'vmlab'
ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control'

SHELL_FUNCTIONS = r'''
in_a() { ip netns exec "$NS_A" "$@"; }
in_b() { ip netns exec "$NS_B" "$@"; }
# wan WORD...: one command to wanem; prints what it says before "ok"
wan() {
	printf '%s\n' "$*" >"$WAN_CMD"
	while IFS= read -r wan_line; do
		case $wan_line in
		ok) return 0 ;;
		error*) printf '%s\n' "$wan_line" >&2; return 1 ;;
		*) printf '%s\n' "$wan_line" ;;
		esac
	done <"$WAN_REPLY"
}
# wan_count PATH DIRECTION COUNTER: one number of "stats"
wan_count() {
	wan stats | awk -v p="$1" -v d="$2" -v c="$3" \
	    '$1 == "path" && $2 == p && $3 == d {
		for (i = 4; i < NF; i += 2) if ($i == c) print $(i + 1) }'
}
reset_a() { python3 "$NETLAB" reset a "$@"; }
reset_b() { python3 "$NETLAB" reset b "$@"; }
'''


class Unavailable(Exception):
    """This machine or user cannot have the emulated network; says why."""


class Path(collections.namedtuple('Path', 'rate_bps rtt_s loss commands')):
    """One path of the specification: numbers, and wanem's words for it."""


def _scaled(text):
    m = re.fullmatch(r'([0-9.]+)([kMG]?)', text)
    if not m:
        raise ValueError('not a rate: ' + text)
    return float(m.group(1)) * 1000 ** ' kMG'.index(m.group(2) or ' ')


def _seconds(text):
    m = re.fullmatch(r'([0-9.]+)(us|ms|s|)', text)
    if not m:
        raise ValueError('not a time: ' + text)
    return float(m.group(1)) * {'us': 1e-6, 'ms': 1e-3, 's': 1,
                                '': 1e-3}[m.group(2)]


def _fraction(text):
    return float(text[:-1]) / 100 if text.endswith('%') else float(text)


def parse_path(spec):
    """RATE/RTT[/LOSS][/WORD=VALUE...] as a Path."""
    parts = spec.strip().split('/')
    if len(parts) < 2:
        raise ValueError('a path is RATE/RTT[/LOSS]: ' + spec)
    rate = None if parts[0] == 'unlimited' else _scaled(parts[0])
    rtt = _seconds(parts[1])
    loss, extra = 0.0, parts[2:]
    if extra and '=' not in extra[0]:
        loss, extra = _fraction(extra[0]), extra[1:]
    commands = ['both rate %s delay %.3fms loss %s' % (
        'unlimited' if rate is None else '%d' % rate, rtt * 500,
        '%.9f' % loss)]
    for word in extra:
        name, _, value = word.partition('=')
        side, _, name = name.rpartition('.')
        commands.append('%s %s %s' % (side or 'both', name, value))
    return Path(rate, rtt, loss, commands)


def _ip(*words):
    p = subprocess.run(('ip',) + words, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True)
    if p.returncode != 0:
        raise Unavailable('ip %s: %s' % (' '.join(words), p.stderr.strip()))
    return p.stdout


def _setns(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) == -1:        # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), 'setns')


def _namespace_pids(name):
    p = subprocess.run(['ip', 'netns', 'pids', name], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [int(pid) for pid in p.stdout.split()]


def _namespace_remove(name):
    """Ends what runs in one of our namespaces, then removes it."""
    for sig, patience in ((signal.SIGTERM, 1), (signal.SIGKILL, 5)):
        deadline = time.monotonic() + patience
        for pid in _namespace_pids(name):
            try:
                os.kill(pid, sig)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        while _namespace_pids(name) and time.monotonic() < deadline:
            time.sleep(0.01)
    subprocess.run(['ip', 'netns', 'del', name], stderr=subprocess.DEVNULL)


def sweep():
    """Removes the namespaces of labs whose process is gone."""
    try:
        names = os.listdir('/run/netns')
    except FileNotFoundError:
        return
    for name in names:
        m = re.fullmatch(PREFIX + r'(\d+)x\d+[ab]', name)
        if m and not os.path.exists('/proc/' + m.group(1)):
            _namespace_remove(name)
    for name in os.listdir(tempfile.gettempdir()):
        m = re.fullmatch(PREFIX + r'(\d+)x\d+\.\w+', name)
        if m and not os.path.exists('/proc/' + m.group(1)):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name),
                          ignore_errors=True)


def _write(path, text, what):
    try:
        with open(path, 'w') as f:
            f.write(text)
    except OSError as e:
        raise Unavailable('%s %s: %s' % (what, text, e.strerror)) from e


def find_wanem(build_dir):
    """$WANEM, or one built beside the sources, or one built for this lab."""
    source = os.path.join(HERE, 'wanem.c')
    if os.environ.get('WANEM'):
        return os.environ['WANEM']
    for place in ('../build/wanem', 'wanem', '../build/tests/wanem'):
        binary = os.path.join(HERE, place)
        if os.access(binary, os.X_OK) and \
                os.path.getmtime(binary) >= os.path.getmtime(source):
            return binary
    binary = os.path.join(build_dir, 'wanem')
    compiler = os.environ.get('CC') or 'cc'
    try:
        subprocess.run(shlex.split(compiler) +
                       ['-std=c11', '-O2', '-o', binary, source], check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Unavailable('cannot build wanem: %s' % e) from e
    return binary


def _check_machine():
    if os.geteuid() != 0:
        raise Unavailable('not root: network namespaces are not allowed')
    if shutil.which('ip') is None:
        raise Unavailable('no ip command (package iproute2)')
    try:
        os.close(os.open('/dev/net/tun', os.O_RDWR))
    except OSError as e:
        raise Unavailable('/dev/net/tun: ' + e.strerror) from e


def _parse_counters(words):
    return {words[i]: int(words[i + 1]) for i in range(0, len(words) - 1, 2)}


class Lab:
    """The two namespaces a and b.  Sides are 'a' and 'b' throughout."""

    _made = 0

    def __init__(self, paths, seed=None, ipv6=False, mtu=1500, tick_us=100,
                 sysctl=None, ordinary=False, congestion=None, allowed=None):
        """congestion: what both namespaces use by default.  allowed: what
        ordinary users may choose meanwhile; that is one list for the whole
        machine, put back by close() (after a SIGKILL, by nobody)."""
        _check_machine()
        self.congestion = congestion
        self._allowed = None
        self.paths = [parse_path(p) for p in paths]
        self.mtu, self.ipv6 = mtu, ipv6
        self._lock = threading.Lock()
        self._wanem = None
        self._processes = []
        self._rest = b''
        self.dir = None
        name = '%s%dx%d' % (PREFIX, os.getpid(), Lab._made)
        Lab._made += 1
        self.ns_a, self.ns_b = name + 'a', name + 'b'
        self._owner = os.getpid()
        atexit.register(self.close)
        self._catch_signals()
        try:
            sweep()
            self.dir = tempfile.mkdtemp(prefix=name + '.')
            self._allow(allowed)
            for ns in (self.ns_a, self.ns_b):
                self._make_namespace(ns, sysctl or {})
            self._start_wanem(seed, tick_us, ordinary)
            self._configure()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _catch_signals():
        """Signals that would end the process without cleaning up, do not."""
        def leave(sig, _frame):
            sys.exit(128 + sig)
        if threading.current_thread() is not threading.main_thread():
            return
        for sig in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sig) == signal.SIG_DFL:
                signal.signal(sig, leave)

    def _make_namespace(self, ns, sysctl):
        _ip('netns', 'add', ns)
        _ip('-n', ns, 'link', 'set', 'lo', 'up')
        settings = {
            # What one transfer learnt must not help the next one.
            'net.ipv4.tcp_no_metrics_save': 1,
            # No packets but the test's: they would use up random numbers.
            'net.ipv6.conf.default.disable_ipv6': int(not self.ipv6),
            'net.ipv6.conf.default.accept_dad': 0,
            'net.ipv6.conf.default.router_solicitations': 0,
            'net.ipv6.conf.default.addr_gen_mode': 1,
        }
        if self.congestion:
            settings['net.ipv4.tcp_congestion_control'] = self.congestion
        settings.update(sysctl)
        script = ''
        for key, value in settings.items():
            script += 'test ! -e /proc/sys/{0} || echo {1} >/proc/sys/{0}\n' \
                .format(key.replace('.', '/'), shlex.quote(str(value)))
        p = subprocess.run(['ip', 'netns', 'exec', ns, 'sh', '-e'],
                           input=script, text=True, stderr=subprocess.PIPE)
        if p.returncode != 0:
            raise Unavailable('sysctl in namespace: ' + p.stderr.strip())

    def _allow(self, names):
        with open(ALLOWED) as f:
            before = f.read().split()
        if names is None:
            names = before + [self.congestion] * (
                self.congestion not in before + [None])
        if list(names) == before:
            return
        self._allowed = before
        _write(ALLOWED, ' '.join(names), 'congestion controls')

    def _start_wanem(self, seed, tick_us, ordinary):
        self.fifo_cmd = os.path.join(self.dir, 'cmd')
        self.fifo_reply = os.path.join(self.dir, 'reply')
        os.mkfifo(self.fifo_cmd)
        os.mkfifo(self.fifo_reply)
        argv = [find_wanem(self.dir), '-n', str(len(self.paths)),
                '-t', str(tick_us), '-u', str(self.mtu),
                '-c', self.fifo_cmd, '-r', self.fifo_reply]
        if seed is not None:
            argv += ['-s', str(seed)]
        if ordinary:
            argv += ['-o']
        self._wanem = subprocess.Popen(
            argv + [self.ns_a, self.ns_b], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True)
        ready = self._reply_line(10)
        if not ready.startswith('ready '):
            raise Unavailable('wanem: ' + (ready or self._wanem.stderr.read()
                                           .decode().strip()))
        self.seed = int(ready.split()[-1])

    def _configure(self):
        for i, path in enumerate(self.paths):
            for ns, side in ((self.ns_a, 'a'), (self.ns_b, 'b')):
                _ip('-n', ns, 'addr', 'add', self.addr(side, i) + '/24',
                    'dev', 'wan%d' % i)
                if self.ipv6:
                    _ip('-n', ns, '-6', 'addr', 'add',
                        self.addr(side, i, 6) + '/64', 'dev', 'wan%d' % i)
            for command in path.commands:
                self.cmd('path %d %s' % (i, command))

    def _reply_line(self, patience):
        deadline = time.monotonic() + patience
        while b'\n' not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._wanem.stdout], [], [],
                                              left)[0]:
                raise RuntimeError('wanem does not answer')
            data = os.read(self._wanem.stdout.fileno(), 65536)
            if not data:
                return ''
            self._rest += data
        line, _, self._rest = self._rest.partition(b'\n')
        return line.decode()

    def cmd(self, text):
        """One command to wanem; its answer's lines without the last "ok"."""
        with self._lock:
            os.write(self._wanem.stdin.fileno(), text.encode() + b'\n')
            lines = []
            while True:
                line = self._reply_line(10)
                if line == 'ok':
                    return lines
                if line == '' or line.startswith('error'):
                    raise RuntimeError('wanem: %s: %s' %
                                       (text, line or 'it has ended'))
                lines.append(line)

    def stats(self):
        """{(path, 'ab'|'ba'): {counter: n}, 'loop': {...}}"""
        result = {}
        for line in self.cmd('stats'):
            words = line.split()
            if words[0] == 'path':
                result[int(words[1]), words[2]] = _parse_counters(words[3:])
            else:
                result[words[0]] = _parse_counters(words[1:])
        return result

    def cut(self, path='all', direction='both'):
        self.cmd('path %s %s cut' % (path, direction))

    def heal(self, path='all', direction='both'):
        self.cmd('path %s %s heal' % (path, direction))

    def ns(self, side):
        return {'a': self.ns_a, 'b': self.ns_b}[side]

    def addr(self, side, path=0, family=4):
        host = {'a': 1, 'b': 2}[side]
        if family == 6:
            return 'fd77:%x::%d' % (path, host)
        return '10.77.%d.%d' % (path, host)

    def payload_bps(self, path, family=4):
        """Bits of TCP payload (with timestamps) that the path can carry."""
        headers = {4: 52, 6: 72}[family]
        p = self.paths[path]
        return p.rate_bps * (1 - p.loss) * (self.mtu - headers) / self.mtu

    def argv(self, side, argv):
        return ['ip', 'netns', 'exec', self.ns(side)] + list(argv)

    def popen(self, side, argv, user=None, **kw):
        """subprocess.Popen inside a namespace; its pid is the program's."""
        if user is not None:
            argv = ['setpriv', '--reuid', user, '--clear-groups'] + list(argv)
        p = subprocess.Popen(self.argv(side, argv), **kw)
        self._processes.append(p)
        return p

    def run(self, side, argv, **kw):
        return subprocess.run(self.argv(side, argv), **kw)

    @contextlib.contextmanager
    def inside(self, side):
        """The calling thread is in a namespace: what it opens stays there."""
        with open('/proc/thread-self/ns/net') as home, \
                open('/run/netns/' + self.ns(side)) as ns:
            _setns(ns.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, side, kind=socket.SOCK_STREAM, family=socket.AF_INET):
        """A socket of this process that lives in a namespace."""
        with self.inside(side):
            return socket.socket(family, kind)

    def connections(self, side, condition=''):
        return connections(self.ns(side), condition)

    def reset(self, side, condition='', which='all'):
        return reset(self.ns(side), condition, which)

    def environment(self):
        """What shell tests are given (see the head of this file)."""
        env = {'NS_A': self.ns_a, 'NS_B': self.ns_b,
               'PATHS': str(len(self.paths)), 'WAN_SEED': str(self.seed),
               'WAN_PID': str(self._wanem.pid),
               'WAN_CMD': self.fifo_cmd, 'WAN_REPLY': self.fifo_reply,
               'NETLAB': os.path.abspath(__file__),
               'NETLAB_SH': os.path.join(self.dir, 'netlab.sh')}
        for side in 'ab':
            addrs = [self.addr(side, i) for i in range(len(self.paths))]
            env['ADDRS_' + side.upper()] = ' '.join(addrs)
            for i, addr in enumerate(addrs):
                env['ADDR_%s_%d' % (side.upper(), i)] = addr
                if self.ipv6:
                    env['ADDR6_%s_%d' % (side.upper(), i)] = \
                        self.addr(side, i, 6)
        with open(env['NETLAB_SH'], 'w') as f:
            f.write(SHELL_FUNCTIONS)
        return env

    def close(self):
        """Ends and removes everything; may be called again."""
        if self._owner != os.getpid() or self.ns_a is None:
            return
        names, self.ns_a, self.ns_b = (self.ns_a, self.ns_b), None, None
        for name in names:
            if os.path.exists('/run/netns/' + name):
                _namespace_remove(name)
        if self._wanem is not None:
            self._wanem.stdin.close()
            try:
                self._wanem.wait(2)
            except subprocess.TimeoutExpired:
                self._wanem.kill()
                self._wanem.wait()
            self._wanem.stdout.close()
            self._wanem.stderr.close()
        for p in self._processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        if self._allowed is not None:
            _write(ALLOWED, ' '.join(self._allowed), 'congestion controls')
        if self.dir is not None:
            shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _ss(ns, *words):
    p = subprocess.run(['ip', 'netns', 'exec', ns, 'ss', '-H', '-t', '-n'] +
                       list(words), text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL)
    return [line.split() for line in p.stdout.splitlines()]


def connections(ns, condition=''):
    """[(local, peer)] of established connections, in order of their names."""
    rows = _ss(ns, 'state', 'established', *shlex.split(condition))
    return sorted((r[2], r[3]) for r in rows if len(r) >= 4)


def reset(ns, condition='', which='all'):
    """Resets established connections: all, the Nth, or a random.Random's.

    The program on this side gets ECONNABORTED, the other side's a reset that
    crosses the emulated path (and is lost where that is cut).  Returns how
    many were reset; one that ended by itself meanwhile does not count.
    """
    chosen = connections(ns, condition)
    if isinstance(which, random.Random):
        chosen = [which.choice(chosen)] if chosen else []
    elif which != 'all':
        chosen = chosen[which:which + 1]
    return sum(len(_ss(ns, '-K', 'src', here, 'dst', there)) > 0
               for here, there in chosen)


def _main_run(args):
    sysctl = dict(s.split('=', 1) for s in args.sysctl)
    with Lab(args.paths.split(','), seed=args.seed, ipv6=args.ipv6,
             mtu=args.mtu, tick_us=args.tick, sysctl=sysctl,
             ordinary=args.ordinary, congestion=args.congestion) as lab:
        print('netlab: %s, seed %d' % (args.paths, lab.seed), file=sys.stderr)
        env = dict(os.environ)
        env.update(lab.environment())
        child = subprocess.Popen(args.command, env=env)
        try:
            status = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
    return status if status >= 0 else 128 - status


def _round_trips(lab, path):
    """Round trips in ms over a path at rest, as (median, largest)."""
    times = []
    with lab.socket('a', socket.SOCK_DGRAM) as here, \
            lab.socket('b', socket.SOCK_DGRAM) as there:
        there.bind((lab.addr('b', path), 0))
        here.connect(there.getsockname())
        for _ in range(40):
            start = time.monotonic()
            here.send(b'ping')
            there.sendto(*there.recvfrom(100))
            here.recv(100)
            times.append(1000 * (time.monotonic() - start))
    times.sort()
    return times[len(times) // 2], times[-1]


def _iperf(lab, path, seconds, *words):
    """iperf3 from a to b: what it says, and wanem's counters meanwhile."""
    server = lab.popen('b', ['iperf3', '-s', '-1', '--forceflush'],
                       stdout=subprocess.PIPE, text=True)
    while 'listening' not in server.stdout.readline():
        if server.poll() is not None:
            raise Unavailable('no iperf3')
    client = lab.popen('a', ['iperf3', '-J', '-c', lab.addr('b', path),
                             '-t', str(seconds + 1), '-O', '3'] + list(words),
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       text=True)
    time.sleep(3)
    before = lab.stats()
    time.sleep(seconds)
    after = lab.stats()
    said = json.loads(client.communicate()[0])['end']
    server.communicate()
    moved = {key: {name: after[key][name] - before[key][name]
                   for name in after[key]} for key in after}
    moved['loop']['late_max_us'] = after['loop']['late_max_us']
    return said, moved


def _main_calibrate(args):
    specs = args.paths.split(',')
    row = '%-20s %-9s %8s %8s %8s %8s %6s %5s %8s %7s'
    print('Mbit/s of IP packets for udp, of payload for tcp; rtt in ms at '
          'rest: median, most;\ncore: of wanem, with the TCP that it runs '
          'for both ends; late: packets, in ms')
    print(row % ('path', 'traffic', 'offered', 'carried', 'arrived', 'limit',
                 'share', 'core', 'late max', '> 1 ms'))
    with Lab(specs, seed=args.seed, congestion=args.congestion) as lab:
        for i, path in enumerate(lab.paths):
            print(row % ((specs[i], 'rtt') + ('',) * 2 + tuple(
                '%.2f' % t for t in _round_trips(lab, i)) + ('',) * 4))
            for load in (0.98, 1.2, None):
                words = ['-u', '-w', '4M', '-l', '1448', '-b', '%d' % (
                    path.rate_bps * load * 1448 / 1476)] if load else []
                said, moved = _iperf(lab, i, args.seconds, *words)
                link, loop = moved[i, 'ab'], moved['loop']
                mbits = 8 / loop['time_us']
                got = said['sum_received']['bits_per_second'] / 1e6
                if load:
                    kind = 'udp %.2f' % load
                    got *= 1476 / 1448
                    limit = min(load, 1) * path.rate_bps * (1 - path.loss)
                else:
                    kind = 'tcp ' + said['sender_tcp_congestion']
                    limit = lab.payload_bps(i)
                print(row % (
                    specs[i], kind, '%.1f' % (link['in_bytes'] * mbits),
                    '%.1f' % (link['out_bytes'] * mbits), '%.1f' % got,
                    '%.1f' % (limit / 1e6), '%.3f' % (got / limit * 1e6),
                    '%.2f' % (loop['cpu_us'] / loop['time_us']),
                    '%.1f' % (loop['late_max_us'] / 1e3), loop['late_1ms']),
                      flush=True)
    return 0


def _main_cmd(args):
    with open(os.environ['WAN_CMD'] + '.lock', 'w') as lock, \
            open(os.environ['WAN_REPLY']) as reply:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(os.environ['WAN_CMD'], 'w') as f:
            f.write(' '.join(args.words) + '\n')
        # Byte by byte would do, too: nothing follows ok until the next one.
        for line in reply:
            if line == 'ok\n':
                return 0
            print(line, end='', flush=True)
            if line.startswith('error'):
                return 1
    return 1


def _main_reset(args):
    which = 'all'
    if args.random is not None:
        which = random.Random(args.random)
    elif args.nth is not None:
        which = args.nth
    print(reset(os.environ['NS_' + args.side.upper()],
                ' '.join(args.condition), which))
    return 0


def _main_probe(_args):
    with Lab(['unlimited/0ms']) as lab:
        lab.stats()
    print('ok')
    return 0


def _arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(required=True, metavar='COMMAND')
    p = sub.add_parser('probe')
    p.set_defaults(main=_main_probe)
    p = sub.add_parser('sweep')
    p.set_defaults(main=lambda _args: sweep() or 0)
    p = sub.add_parser('run')
    p.add_argument('--paths', default='200M/20ms')
    p.add_argument('--seed', type=int)
    p.add_argument('--ipv6', action='store_true')
    p.add_argument('--mtu', type=int, default=1500)
    p.add_argument('--tick', type=int, default=100, metavar='US')
    p.add_argument('--ordinary', action='store_true',
                   help='no real-time priority for wanem')
    p.add_argument('--congestion', metavar='NAME',
                   help='of all connections that do not choose one')
    p.add_argument('--sysctl', action='append', default=[], metavar='KEY=VAL')
    p.add_argument('command', nargs='+')
    p.set_defaults(main=_main_run)
    p = sub.add_parser('calibrate')
    p.add_argument('--paths', default='100M/40ms,500M/40ms')
    p.add_argument('--seed', type=int)
    p.add_argument('--seconds', type=int, default=8)
    p.add_argument('--congestion', metavar='NAME')
    p.set_defaults(main=_main_calibrate)
    p = sub.add_parser('cmd')
    p.add_argument('words', nargs='+')
    p.set_defaults(main=_main_cmd)
    p = sub.add_parser('reset')
    p.add_argument('side', choices=('a', 'b'))
    p.add_argument('--nth', type=int)
    p.add_argument('--random', type=int, metavar='SEED')
    p.add_argument('condition', nargs='*')
    p.set_defaults(main=_main_reset)
    return parser.parse_args()


def main():
    args = _arguments()
    try:
        return args.main(args)
    except Unavailable as e:
        print('skipped: %s' % e)
        return SKIP


if __name__ == '__main__':
    sys.exit(main())
