#!/usr/bin/env python3
"""What initiate and terminate cost and give, beside a direct TCP connection.

usage: make bench-streams, or tests/bench_streams.py [ROUNDS] from where the program was
built; it needs root for the emulated paths, and iperf3.

Over loopback: one bulk connection, beside the plain pipe. Over 100 Mbit/s and 40 ms: a
request of 64 bytes while nothing else goes on, and beside four bulk connections. Over
200 Mbit/s, 150 ms and 0.01 % of loss, with CUBIC: the first byte of an answer and 50 MB,
each by a new connection. What is compared alternates in rounds, and medians count.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import netlab                                           # noqa: E402

PROGRAM = os.path.abspath(os.environ.get("VIAMILLIPEDE", "viamillipede"))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
ROUNDS = int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 3
MIB = 1 << 20


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Ended:
    """Processes of a round, which end with it."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in reversed(self.running):
            p.terminate()
        for p in self.running:
            p.wait()

    def start(self, words, pattern=None, space=()):
        p = subprocess.Popen([*space, *words], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.running.append(p)
        found = None
        while pattern and not found:
            line = p.stderr.readline()
            if not line:
                raise SystemExit("%s ended" % words[0])
            found = re.search(pattern, line)
        threading.Thread(target=p.stderr.read, daemon=True).start()
        return found.group(1) if found else None

    def joined(self, target, host="127.0.0.1", caller=(), listener=()):
        """A session that leads to the target; the port on which it accepts."""
        port = self.start([PROGRAM, "duplex", "0", "terminate", *target],
                          r"listening on \S*:(\d+)", listener)
        accepts = self.start([PROGRAM, "duplex", host, port, "initiate", "0"],
                             r"accepting on \S*:(\d+)", caller)
        time.sleep(0.5)
        return int(accepts)


# --- over loopback ----------------------------------------------------------------

def iperf(port):
    out = subprocess.run(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-n", "4G", "-J"],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return float(re.search(r'"sum_received":.*?"bits_per_second":\s*([0-9.e+]+)', out,
                           re.S).group(1)) / 8 / MIB


def pipe():
    rx = subprocess.Popen([PROGRAM, "rx", "0"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    port = re.search(r":(\d+)$", rx.stderr.readline()).group(1)
    sink = subprocess.Popen([BUILD + "/bench_sink"], stdin=rx.stdout,
                            stderr=subprocess.DEVNULL)
    source = subprocess.Popen([BUILD + "/bench_source", str(4096 * MIB)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    subprocess.run([PROGRAM, "tx", "127.0.0.1", port], stdin=source.stdout, check=True,
                   stderr=subprocess.DEVNULL)
    took = time.monotonic() - began
    rx.stdout.close()
    for p in (rx, sink, source):
        p.wait()
    return 4096 / took


def loopback():
    through, plain = [], []
    for _ in range(ROUNDS):
        with Ended() as e:
            port = free_port()
            e.start(["iperf3", "-s", "-p", str(port)])
            time.sleep(0.3)
            through.append(iperf(e.joined(["127.0.0.1", str(port)])))
        plain.append(pipe())
        say("one bulk connection %.0f, plain pipe %.0f MiB/s" % (through[-1], plain[-1]))
    a, b = statistics.median(through), statistics.median(plain)
    print("| one bulk connection over loopback | %.0f MiB/s | plain pipe %.0f | %.2f | >= 0.6 |"
          % (a, b, a / b))


# --- over emulated paths; these run inside a namespace -----------------------------

def server(port):
    """B: bytes for ever; E: an echo; N bytes and a newline: so many, then an end."""
    def serve(c):
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            kind = c.recv(1)
            if kind == b"E":
                while data := c.recv(65536):
                    c.sendall(data)
            elif kind == b"B":
                while True:
                    c.sendall(bytes(65536))
            else:
                c.sendall(bytes(int(kind + c.makefile("rb").readline())))
        except OSError:
            pass
        c.close()

    with socket.create_server(("0.0.0.0", port), backlog=64) as s:
        print("serving on %d" % port, file=sys.stderr, flush=True)
        while True:
            threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()


def bulk(address):
    with socket.create_connection(address) as s:
        s.sendall(b"B")
        while s.recv(65536):
            pass


def requests(address, beside):
    """Prints the median of a hundred requests, in milliseconds."""
    for _ in range(beside):
        threading.Thread(target=bulk, args=(address,), daemon=True).start()
    with socket.create_connection(address) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(b"E")
        time.sleep(5 if beside else 1)
        times = []
        for _ in range(100):
            began, got = time.monotonic(), 0
            s.sendall(bytes(64))
            while got < 64:
                got += len(s.recv(64))
            times.append(time.monotonic() - began)
            time.sleep(0.02)
    print(1000 * statistics.median(times))
    sys.stdout.flush()
    os._exit(0)         # the others never end


def answer(address, size):
    """Prints the milliseconds until the first byte and until the last."""
    began = time.monotonic()
    with socket.create_connection(address) as s:
        s.sendall(b"%d\n" % size)
        got = len(s.recv(65536))
        first = time.monotonic() - began
        while got < size:
            got += len(s.recv(1 << 20))
    print(1000 * first, 1000 * (time.monotonic() - began))


def inside(space, *words):
    out = subprocess.run([*space, sys.executable, "-B", os.path.abspath(__file__), *words],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return [float(word) for word in out.split()]


def on_path(spec, control, measure):
    """measure(round's processes, here, there's address, port through the session)."""
    for n in range(ROUNDS):
        with netlab.Lab([spec], seed=n + 1, congestion=control) as lab, Ended() as e:
            a, b = (["ip", "netns", "exec", lab.ns(side)] for side in "ab")
            e.start([sys.executable, "-B", os.path.abspath(__file__), "server", "5001"],
                    r"serving on (\d+)", b)
            port = e.joined(["127.0.0.1", "5001"], "10.77.0.2", a, b)
            measure(a, "10.77.0.2", port)


def latency():
    figures = {}

    def measure(a, there, port):
        for name, host, to, beside in (("idle", "127.0.0.1", port, 0),
                                       ("direct", there, 5001, 4),
                                       ("beside bulk", "127.0.0.1", port, 4)):
            figures.setdefault(name, []).append(
                inside(a, "requests", host, str(to), str(beside))[0])
            say("64 bytes, %s: %.1f ms" % (name, figures[name][-1]))

    on_path("100M/40ms", None, measure)
    idle, direct, ours = (statistics.median(figures[k])
                          for k in ("idle", "direct", "beside bulk"))
    print("| 64 bytes and back beside 4 bulk streams | %.1f ms | idle %.1f; TCP beside 4 bulk "
          "connections %.1f | %.2f | <= 1.5 |" % (ours, idle, direct, ours / idle))


def fetching():
    figures = {}

    def measure(a, there, port):
        for name, host, to in (("ours", "127.0.0.1", port), ("direct", there, 5001)):
            for size in (1, 50000000):
                got = inside(a, "answer", host, str(to), str(size))
                figures.setdefault((name, size), []).append(got[size > 1])
                say("%d bytes, %s: %.0f ms" % (size, name, got[size > 1]))

    on_path("200M/150ms/0.01%", "cubic", measure)
    for size, name, target in ((1, "first byte of an answer", 0.6), (50000000, "50 MB", 0.4)):
        ours, direct = (statistics.median(figures[who, size]) for who in ("ours", "direct"))
        print("| %s, 150 ms, 0.01 %% loss, CUBIC | %.0f ms | direct %.0f | %.2f | <= %.1f |"
              % (name, ours, direct, ours / direct, target))


def main():
    words = sys.argv[1:]
    if words[:1] == ["server"]:
        server(int(words[1]))
    elif words[:1] == ["requests"]:
        requests((words[1], int(words[2])), int(words[3]))
    elif words[:1] == ["answer"]:
        answer((words[1], int(words[2])), int(words[3]))
    else:
        print("| what | with initiate and terminate | beside | ratio | target |")
        print("|---|---|---|---|---|")
        loopback()
        latency()
        fetching()


main()
