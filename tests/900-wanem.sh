#!/bin/sh
# Goal: The emulated network itself: packets get the rate, delay, loss, cut or
# corruption that a test asks for, no more and no less, and nothing is left behind.
# Bounds in time are one-sided where the machine's load could matter.
# promise: none
# limit: 300
cd "$(dirname "$0")" || exit 1
python3 netlab.py probe || exit $?
exec python3 -B - <<'PYTHON'
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, '.')
import netlab

checks = 0


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        print('FAILED: %s' % what)
        sys.exit(1)


def udp(lab, path=0):
    """Two connected UDP sockets, in a and in b."""
    a = lab.socket('a', socket.SOCK_DGRAM)
    b = lab.socket('b', socket.SOCK_DGRAM)
    a.bind((lab.addr('a', path), 0))
    b.bind((lab.addr('b', path), 0))
    a.connect(b.getsockname())
    b.connect(a.getsockname())
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return a, b


def tcp(lab, path=0):
    """The two ends of a TCP connection from a to b; seconds to connect."""
    listener = lab.socket('b')
    listener.bind((lab.addr('b', path), 0))
    listener.listen()
    a = lab.socket('a')
    a.settimeout(20)
    start = time.monotonic()
    a.connect(listener.getsockname())
    took = time.monotonic() - start
    b, _ = listener.accept()
    b.settimeout(20)
    listener.close()
    return a, b, took


def received(s, patience):
    """All datagrams that come until none has come for so long."""
    s.settimeout(patience)
    got = []
    try:
        while True:
            got.append(s.recv(2000))
    except TimeoutError:
        return got


def settled(lab, path, way):
    """Counters of a link when nothing is under way on it."""
    while True:
        c = lab.stats()[path, way]
        if c['queued_bytes'] == c['air_bytes'] == 0:
            return c
        time.sleep(0.005)


def loss_run(seed):
    """Which of 4000 datagrams arrive over 2 % loss, and the counters."""
    with netlab.Lab(['unlimited/2ms/ab.loss=2%'], seed=seed) as lab:
        a, b = udp(lab)
        for i in range(4000):
            a.send(b'%d' % i)
            if i % 200 == 199:
                settled(lab, 0, 'ab')
        got = received(b, 0.2)
        return [int(n) for n in got], lab.stats()[0, 'ab']


def test_loss():
    one, c = loss_run(11)
    check(c['in_packets'] == 4000, 'all 4000 reach wanem')
    check(c['drop_loss'] + len(one) == 4000, 'what is not lost arrives')
    check(40 <= c['drop_loss'] <= 130, 'about 2 %% lost: %d' % c['drop_loss'])
    check(one == loss_run(11)[0], 'the same seed loses the same packets')
    check(one != loss_run(12)[0], 'another seed loses others')


def test_delay_and_rate():
    with netlab.Lab(['16M/60ms', 'unlimited/0ms'], seed=1) as lab:
        took = tcp(lab, 1)[2]
        check(took < 0.055, 'no delay on path 1: %.4f s' % took)
        a, b, took = tcp(lab, 0)
        check(took >= 0.06, 'a round trip is 60 ms: %.4f s' % took)
        data = os.urandom(1000000)
        start = time.monotonic()
        threading.Thread(target=lambda: (a.sendall(data), a.close())).start()
        got = b''
        while (part := b.recv(1 << 20)):
            got += part
        took = time.monotonic() - start
        check(got == data, 'TCP data is intact')
        least = len(data) * 8 / lab.payload_bps(0)
        check(took >= least, '16 Mbit/s not exceeded: %.3f s, at least %.3f'
              % (took, least))
        check(took < 3 * least + 1, '16 Mbit/s not missed: %.3f s' % took)
        x, y = udp(lab, 0)
        lab.cmd('path 0 ab queue 1M')
        start = time.monotonic()
        for _ in range(400):
            x.send(bytes(1472))
        check(len([y.recv(2000) for _ in range(400)]) == 400, 'none dropped')
        took = time.monotonic() - start
        check(0.33 <= took < 0.6,
              '400 packets take 300 ms, the last one 30 ms more: %.4f' % took)
        lab.cmd('path 0 ab rate 8M delay 100ms')
        check('rate 8000000 delay_us 100000' in lab.cmd('show')[0],
              'changed while it runs')
        check('rate 16000000 delay_us 30000' in lab.cmd('show')[1],
              'the other direction is not')


def test_cut():
    with netlab.Lab(['unlimited/40ms', 'unlimited/0ms'], seed=1) as lab:
        a, b = udp(lab)
        a.send(b'under way')
        while lab.stats()[0, 'ab']['in_packets'] == 0:
            time.sleep(0.001)
        lab.cut(0, 'ab')
        a.send(b'lost')
        b.send(b'other way')
        a.settimeout(5)
        check(a.recv(100) == b'other way', 'ba still carries')
        x, y = udp(lab, 1)
        x.send(b'x')
        y.settimeout(5)
        check(y.recv(10) == b'x', 'path 1 still carries')
        lab.heal(0, 'ab')
        a.send(b'healed')
        check(received(b, 0.3) == [b'healed'],
              'the cut took what was sent and what was under way')
        check(lab.stats()[0, 'ab']['drop_cut'] == 2, 'both are counted')


def test_corrupt():
    with netlab.Lab(['unlimited/2ms'], seed=5) as lab:
        a, b, _ = tcp(lab)
        a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lab.cmd('path 0 ab corruptnext 3 1000')
        data = os.urandom(200000)
        a.sendall(b'short')
        check(b.recv(5) == b'short', 'packets below the length are spared')
        a.sendall(data)
        got = b''
        while len(got) < len(data):
            got += b.recv(1 << 20)
        flipped = sum(x != y for x, y in zip(data, got))
        check(flipped == 3, 'three bytes flipped, and TCP took them: %d'
              % flipped)
        check(lab.stats()[0, 'ab']['corrupted'] == 3, 'and counted')
        lab.cmd('path 0 ab corrupt 1')
        a.sendall(bytes(50000))
        got = b''
        while len(got) < 50000:
            got += b.recv(1 << 20)
        flipped = sum(x != 0 for x in got)
        check(flipped >= 50000 // 1448, 'one in each packet: %d' % flipped)
        nstat = lab.run('b', ['cat', '/proc/net/snmp'], text=True,
                        stdout=subprocess.PIPE).stdout.split('\n')
        names, values = [x.split() for x in nstat if x.startswith('Tcp:')]
        check(values[names.index('InCsumErrors')] == '0', 'checksums hold')


def test_queue_and_order():
    with netlab.Lab(['8M/0ms/ab.queue=15000', 'unlimited/4ms'],
                    seed=3) as lab:
        a, b = udp(lab)
        for i in range(100):
            a.send(b'%-972d' % i)               # 1000 bytes of IP
        got = [int(x) for x in received(b, 0.2)]
        c = lab.stats()[0, 'ab']
        check(c['drop_queue'] >= 50 and c['drop_queue'] + len(got) == 100,
              'a full queue drops: %d' % c['drop_queue'])
        check(got[:15] == list(range(15)), 'at its tail')
        a, b = udp(lab, 1)
        lab.cmd('path 1 ab duplicate 0.2 reorder 20% 10ms jitter 1ms')
        for i in range(200):
            a.send(b'%d' % i)
        got = [int(x) for x in received(b, 0.3)]
        c = lab.stats()[1, 'ab']
        check(c['duplicated'] == len(got) - 200 > 0, 'duplicates')
        check(set(got) == set(range(200)), 'all there')
        check(c['reordered'] > 0 and got != sorted(got), 'out of order')
        lab.cmd('path 1 ab duplicate 0 reorder 0 dropnext 2 500')
        for n in (10, 600, 10, 600, 600):
            a.send(bytes(n))
        check([len(x) for x in received(b, 0.2)] == [10, 10, 600],
              'dropnext counts packets of its length only')


def test_police():
    """A policed link delays nothing and drops what exceeds its rate."""
    with netlab.Lab(['8M/20ms/police=16k'], seed=3) as lab:
        a, b = udp(lab)
        for _ in range(200):
            a.send(bytes(1000))
        got = len(received(b, 1))
        check(10 <= got <= 40, 'a burst of 200 kB through a bucket of 16 KiB: %d' % got)
        check(lab.stats()[0, 'ab']['drop_queue'] == 200 - got, 'the rest is dropped')


def test_commands():
    with netlab.Lab(['200M/30ms'], seed=1) as lab:
        before = lab.cmd('show')
        for bad in ('path 1 ab cut', 'path 0 up cut', 'path 0 ab', 'cut',
                    'path 0 ab cut loss 2', 'path 0 ab rate 0',
                    'path 0 ab delay -1', 'path 0 ab rate 10Q',
                    'path 0 ab queue 0', 'path 0 both heal rate'):
            try:
                lab.cmd(bad)
            except RuntimeError as e:
                check('error' in str(e), bad)
            else:
                check(False, 'refused: ' + bad)
        check(lab.cmd('show') == before, 'a refused command changes nothing')


def test_reset():
    with netlab.Lab(['unlimited/20ms'], seed=1) as lab:
        pairs = [tcp(lab) for _ in range(3)]
        port = pairs[1][1].getsockname()[1]
        check(len(lab.connections('b')) == 3, 'three connections')
        check(lab.reset('b', 'sport = :%d' % port) == 1, 'one is reset')
        try:
            pairs[1][0].recv(1)
            check(False, 'the far end is told')
        except ConnectionResetError:
            check(True, '')
        check(lab.reset('a', which=0) == 1, 'the first one is reset')
        check(len(lab.connections('a')) == 1, 'the other one lives')


def shell(script, paths='50M/10ms'):
    return subprocess.run(
        [sys.executable, 'netlab.py', 'run', '--paths', paths, '--seed', '4',
         '--', 'sh', '-c', '. "$NETLAB_SH"\n' + script], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def test_shell():
    p = shell('''wan path 0 both cut && wan path 9 both cut || echo refused
wan show | grep -c "cut 1"; python3 -B "$NETLAB" cmd show | wc -l
in_a ip -br addr show dev wan0; in_b ip -br addr show dev wan0
echo $NS_A >&2; echo "$ADDR_A_0 $ADDR_B_1 $WAN_SEED"; exit 5''',
              '50M/10ms,1M/1s/0.1%')
    out = p.stdout.split('\n')
    check(p.returncode == 5, 'status of the script: %d' % p.returncode)
    check(out[:3] == ['refused', '2', '4'], 'commands: %s' % out)
    check('10.77.0.1/24' in out[3] and '10.77.0.2/24' in out[4], 'addresses')
    check(out[5] == '10.77.0.1 10.77.1.2 4', 'environment: %s' % out[5])
    ns = p.stderr.split()[-1]
    check(ns.startswith('vmlab') and not os.path.exists('/run/netns/' + ns),
          'namespace %s is gone' % ns)


def alive(pid):
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_killed(sig):
    """Whatever ends the lab: its parts end, and its namespaces are removed."""
    p = subprocess.Popen(
        [sys.executable, 'netlab.py', 'run', '--', 'sh', '-c',
         '. "$NETLAB_SH"; in_b sleep 1000 &'
         'echo $NS_A $! $WAN_PID $WAN_CMD; wait'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ns, pid, wanem, fifo = p.stdout.readline().split()
    os.kill(p.pid, sig)
    p.wait()
    if sig == signal.SIGKILL:
        netlab.sweep()
    sig = signal.Signals(sig).name
    check(not os.path.exists('/run/netns/' + ns), '%s: namespace gone' % sig)
    check(not os.path.exists(fifo), '%s: fifos gone' % sig)
    deadline = time.monotonic() + 10
    while (alive(pid) or alive(wanem)) and time.monotonic() < deadline:
        time.sleep(0.01)
    check(not alive(pid), '%s: children gone' % sig)
    check(not alive(wanem), '%s: wanem gone' % sig)


for test in (test_loss, test_delay_and_rate, test_cut, test_corrupt,
             test_queue_and_order, test_police, test_commands, test_reset, test_shell):
    test()
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL):
    test_killed(s)
print('ok %d checks' % checks)
PYTHON
