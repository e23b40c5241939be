#!/bin/sh
# Goal: The disturbing TCP proxy itself: each command does to a connection what it
# says, to that connection and direction only, at the byte it says.
# promise: none
cd "$(dirname "$0")" || exit 1
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
exec python3 -B - <<'PYTHON'
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, '.')
import proxy

checks = 0
PATIENCE = 20


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        print('FAILED: %s' % what)
        sys.exit(1)


class Bench:
    """A listener, the proxy before it, and pairs of connected ends."""

    def __init__(self, **kw):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]
        self.proxy = proxy.Handle('127.0.0.1', self.port, **kw)
        self.cmd = self.proxy.cmd

    def dial(self):
        s = socket.create_connection(('127.0.0.1', self.proxy.port), PATIENCE)
        return s

    def pair(self):
        a = self.dial()
        b, _ = self.listener.accept()
        b.settimeout(PATIENCE)
        return a, b

    def refused(self, text):
        try:
            self.cmd(text)
        except RuntimeError as e:
            return 'error' in str(e)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proxy.close()
        self.listener.close()


def exactly(s, count):
    got = b''
    while len(got) < count:
        part = s.recv(min(1 << 20, count - len(got)))
        if not part:
            break
        got += part
    return got


def silent(s, seconds=0.1):
    """Neither bytes nor an end come for this long."""
    s.settimeout(seconds)
    try:
        s.recv(1)
        return False
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False
    finally:
        s.settimeout(PATIENCE)


def was_reset(s):
    try:
        while s.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def echoes(a, b):
    a.sendall(b'ping')
    check(exactly(b, 4) == b'ping', 'up carries')
    b.sendall(b'pong')
    check(exactly(a, 4) == b'pong', 'down carries')


def test_plain():
    with Bench() as t:
        a, b = t.pair()
        data = os.urandom(1 << 20) * 24
        sender = threading.Thread(
            target=lambda: (a.sendall(data), a.shutdown(socket.SHUT_WR)))
        sender.start()
        got = exactly(b, len(data) + 1)
        check(hashlib.sha256(got).digest() == hashlib.sha256(data).digest(),
              '24 MiB and the end of file pass')
        b.sendall(b'still here')
        check(exactly(a, 10) == b'still here', 'half-closed it still answers')
        b.close()
        check(a.recv(1) == b'', 'and the other end of file, too')
        t.cmd('wait open 0')
        s = t.proxy.stats()
        check(s['up_sent'] == len(data) and s['down_sent'] == 10, 'counted')
        a, b = t.pair()
        b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, proxy.LINGER_RESET)
        b.close()
        check(was_reset(a), 'a reset passes as a reset')
        t.listener.close()
        check(t.dial().recv(1) == b'', 'nobody behind: accepted, hung up')


def test_stall():
    with Bench(options=['--rcvbuf', '65536', '--sndbuf', '65536']) as t:
        a, b = t.pair()
        c, d = t.pair()
        echoes(a, b)
        check(t.cmd('stall up 0') == '0', 'says which')
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        a.setblocking(False)
        sent = 0
        try:
            while sent < 1 << 26:
                sent += a.send(bytes(65536))
        except BlockingIOError:
            pass
        check(sent < 1 << 22, 'a stalled sender is held up: %d' % sent)
        check(silent(b), 'nothing arrives')
        b.sendall(b'down')
        a.settimeout(PATIENCE)
        check(exactly(a, 4) == b'down', 'the other way goes on')
        echoes(c, d)
        t.cmd('resume up 0')
        check(exactly(b, sent) == bytes(sent), 'resumed, nothing is lost')


def test_blackhole_and_half_open():
    with Bench() as t:
        a, b = t.pair()
        t.cmd('blackhole up 0')
        a.sendall(bytes(1 << 22))
        t.cmd('wait up 0 4M')
        a.close()
        check(silent(b), 'bytes and end of file are swallowed')
        b.close()
        t.cmd('wait open 0')
        a, b = t.pair()
        echoes(a, b)
        t.cmd('blackhole down last')
        b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, proxy.LINGER_RESET)
        b.close()
        check(silent(a), 'a reset is swallowed')
        a.sendall(b'into the void')
        a.close()
        t.cmd('wait open 0')
        a, b = t.pair()
        check(t.cmd('reset up last') == '2', 'says which')
        check(was_reset(b), 'the host end is reset')
        a.sendall(b'anybody?')
        check(silent(a), 'the dialler knows nothing of it')
        check('half-open' in t.proxy.lines('list')[2], 'listed as half-open')
        a.close()
        t.cmd('wait open 0')
        a, b = t.pair()
        t.cmd('reset down last')
        check(was_reset(a) and silent(b), 'and the reverse')


def test_cut():
    with Bench() as t:
        a, b = t.pair()
        a.sendall(b'before')
        check(exactly(b, 6) == b'before', 'carries')
        t.cmd('cut up 0')
        check(b.recv(1) == b'', 'end of file for the host')
        a.sendall(b'after')
        b.sendall(b'back')
        check(exactly(a, 4) == b'back', 'the way back is open')
        t.cmd('cut down 0')
        check(a.recv(1) == b'', 'end of file for the dialler')
        a, b = t.pair()
        echoes(a, b)
        t.cmd('cut up last')
        a.sendall(b'swallowed')
        t.cmd('wait up 1 13')
        b.close()
        check(not was_reset(a), 'what is cut swallows without a reset')


def test_reset():
    with Bench(seed=3) as t:
        pairs = [t.pair() for _ in range(6)]
        hit = int(t.cmd('reset both random'))
        check(was_reset(pairs[hit][0]) and was_reset(pairs[hit][1]),
              'both ends are reset')
        check(t.refused('reset both %d' % hit), 'it is closed now')
        others = [n for n in range(6) if n != hit]
        for n in others:
            echoes(*pairs[n])
        check(t.cmd('reset both all') == ' '.join(map(str, others)), 'the rest')
        for n in others:
            check(was_reset(pairs[n][0]) and was_reset(pairs[n][1]), 'all')
    with Bench(seed=3) as t:
        pairs = [t.pair() for _ in range(6)]
        check(int(t.cmd('reset both random')) == hit, 'the seed decides')


def test_offsets():
    with Bench() as t:
        for when in ('planned', 'now', 'next', 'new'):
            word = {'planned': '0', 'now': 'last'}.get(when, when)
            if when == 'now':
                a, b = t.pair()
            t.cmd('corrupt up %s 70000 0x01' % word)
            t.cmd('drop up %s 100000' % word)
            if when != 'now':
                a, b = t.pair()
            data = os.urandom(150000)
            a.sendall(data)
            got = exactly(b, 100000)
            flipped = [i for i in range(100000) if got[i] != data[i]]
            check(flipped == [70000] and got[70000] == data[70000] ^ 1,
                  '%s: the one byte: %s' % (when, flipped[:9]))
            check(silent(b), when + ': the rest is dropped')
            a.close()
            b.close()
        t.cmd('wait open 0')
        check(t.proxy.stats()['fired'] == 8, 'all have gone off')
        t.cmd('forget')
        a, b = t.pair()
        a.sendall(b'12345')
        check(exactly(b, 5) == b'12345', 'carries')
        check(t.refused('corrupt up last 4'), 'a byte that has passed')
        t.cmd('at up last +3 cut')
        t.cmd('at down last +0 stall')
        a.sendall(b'67890')
        check(exactly(b, 10) == b'678', 'cut after three more')
        b.sendall(b'x')
        check(silent(a), 'stalled at once')
        t.cmd('resume down last')
        check(exactly(a, 1) == b'x', 'resumed')
        a, b = t.pair()
        t.cmd('at up last 5 reset')
        a.sendall(b'123456789')
        check(was_reset(a) and was_reset(b), 'reset at an offset')
        a, b = t.pair()
        t.cmd('at up last 5 stall down')
        a.sendall(b'123456789')
        check(exactly(b, 9) == b'123456789', 'up goes on')
        b.sendall(b'x')
        check(silent(a), 'and stalls down')


def test_accept():
    with Bench() as t:
        a, b = t.pair()
        t.cmd('accept hangup')
        check(t.dial().recv(1) == b'', 'hung up on')
        t.cmd('accept reset')
        try:
            check(was_reset(t.dial()), 'reset')
        except ConnectionResetError:
            check(True, 'so early that connect itself hears of it')
        t.cmd('accept silence')
        s = t.dial()
        s.sendall(b'hello?')
        check(silent(s), 'silence')
        for _ in range(3):
            t.cmd('accept refuse')
            try:
                t.dial()
                check(False, 'refused')
            except ConnectionRefusedError:
                check(True, '')
            echoes(a, b)
            t.cmd('accept normal')
            echoes(*t.pair())
        t.cmd('stall both new')
        c, d = t.pair()
        c.sendall(b'x')
        check(silent(d), 'new ones are stalled')
        t.cmd('wait accepted 8')
        check(len(t.proxy.lines('list')) == 9, 'eight were accepted')


def test_rate():
    with Bench() as t:
        pairs = [t.pair(), t.pair()]
        for words, carriers in (('up 1', [1]), ('up total', [0, 1])):
            t.cmd('rate %s 2M' % words)
            start = time.monotonic()
            for n in carriers:
                threading.Thread(target=pairs[n][0].sendall,
                                 args=(bytes((1 << 20) // len(carriers)),)
                                 ).start()
            for n in carriers:
                exactly(pairs[n][1], (1 << 20) // len(carriers))
            took = time.monotonic() - start
            check(0.45 <= took < 2, '1 MiB at 2 MiB/s, %s: %.3f s' %
                  (words, took))
            t.cmd('rate %s 0' % words)
        t.cmd('rate up 0 1')
        pairs[0][0].sendall(bytes(200))
        exactly(pairs[0][1], 64)
        t.cmd('rate up 0 0')
        check(len(exactly(pairs[0][1], 136)) == 136, 'the limit is lifted')


def test_commands():
    with Bench() as t:
        for bad in ('stall', 'stall up', 'stall north all', 'stall up some',
                    'corrupt up 0 x', 'corrupt up 0 1 256', 'nonsense',
                    'at up 0 5 explode', 'reset both last', 'accept maybe',
                    'reset both random', 'wait both 0 1', 'rate up 0 -1'):
            check(t.refused(bad), bad)
        echoes(*t.pair())
    with tempfile.TemporaryDirectory() as d:
        fifos = [os.path.join(d, x) for x in ('cmd', 'reply')]
        for f in fifos:
            os.mkfifo(f)
        p = subprocess.Popen(
            [sys.executable, '-B', 'proxy.py', '-c', fifos[0], '-r', fifos[1],
             'localhost', '1'], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        check(p.stdout.readline().startswith('listening on '), 'says its port')
        script = 'echo "accept hangup" >%s; read -r x <%s; echo "$x"' % (
            fifos[0], fifos[1])
        out = subprocess.run(['sh', '-c', script], stdout=subprocess.PIPE,
                             timeout=PATIENCE).stdout
        check(out == b'ok\n', 'commands by fifo')
        p.terminate()
        check(p.wait(PATIENCE) == 0, 'ends on SIGTERM')
        p.stdout.close()


for test in (test_plain, test_stall, test_blackhole_and_half_open, test_cut,
             test_reset, test_offsets, test_accept, test_rate, test_commands):
    test()
print('ok %d checks' % checks)
PYTHON
