"""A peer that speaks the protocol of frame.h, and breaks its rules.

usage: t_peer.py sender PORT BYTES SEED    to an rx: breaks every rule on its
                                           second leg, then ends well
       t_peer.py shuffle PORT BYTES SEED   to an rx: breaks no rule, but sends
                                           everything in overlapping pieces, out
                                           of order, twice, on three legs
       t_peer.py sluice PORT SEED          to an rx: frames with checks that stop in
                                           the middle, come twice, in overlapping
                                           parts, byte by byte, or spoilt
       t_peer.py farewell PORT KIND        to an rx: ends the stream wrongly
       t_peer.py streams PORT KIND         to a duplex with terminate to t_streams.py:
                                           `harm' breaks every rule in streams of
                                           its own, beside a good one; the others
                                           break what ends the session
       t_peer.py receiver KIND             to a tx: listens (says where), breaks
                                           one rule, then fails the session

The stream is that of t_source.c. Exits with 0 when the program under test did
what it should; otherwise says what it did.
"""

import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/t_source")

PATIENCE_S = 5 * int(os.environ.get("TEST_SLOW", "1"))
DATA, FIN, STATUS, HEARTBEAT, DONE, FAIL, BYE = range(1, 8)
CHECKED = 1
GREETING, HEADER = 128, 28
WINDOW, FRAME = 1 << 20, 1 << 16


def say(text):
    print(text, file=sys.stderr, flush=True)


def crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def greeting(magic, role, session, instance, leg, incarnation, **other):
    body = struct.pack(
        ">4sBBH16s16s16sHHIII4sQIIQQQQ", magic, other.get("version", 2), role,
        GREETING, session, other.get("name", bytes(16)), instance, leg,
        other.get("path", 0),
        incarnation, other.get("required", 0), other.get("known", 1),
        other.get("phrase", b"legs"), other.get("window", WINDOW),
        other.get("frame", FRAME), 300000, 600000,
        other.get("linger", 300000), 0, other.get("reserved", 0))
    return body + struct.pack(">I", crc32c(body) ^ other.get("spoil", 0))


def header(kind, length, seq=0, flags=0, check=0, reserved=0, spoil=0,
           stream=0):
    body = struct.pack(">BBHIIQI", kind, flags, reserved, length, stream, seq,
                       check)
    return body + struct.pack(">I", crc32c(body) ^ spoil)


def control(kind, payload=b"", seq=0, flags=CHECKED, spoil=0):
    return header(kind, len(payload), seq, flags,
                  crc32c(payload) ^ spoil) + payload


def data_frame(seq, payload):
    return header(DATA, len(payload), seq) + payload


def fin(total):
    return control(FIN, bytes(16), total)


def status(delivered, limit, entries=()):
    payload = struct.pack(">QQB5xH", delivered, limit, 0, len(entries))
    for leg, incarnation, received in entries:
        payload += struct.pack(">HHIQ", leg, 0, incarnation, received)
    return control(STATUS, payload)


def heartbeat(counter):
    return control(HEARTBEAT, struct.pack(">IIQQBB6x", counter, 0, 0, 0, 0, 0))


def failure(reason, text):
    return control(FAIL, struct.pack(">HH", reason, 0) + text)


def xxh64(data):
    """As published, with seed 0."""
    prime = (0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
             0x85ebca77c2b2ae63, 0x27d4eb2f165667c5)
    full = (1 << 64) - 1

    def turn(v, bits):
        return (v << bits | v >> 64 - bits) & full

    def mix(lane, word):
        return turn(lane + word * prime[1] & full, 31) * prime[0] & full

    lanes = [prime[0] + prime[1] & full, prime[1], 0, -prime[0] & full]
    whole = len(data) // 32 * 32
    for words in struct.iter_unpack("<4Q", data[:whole]):
        lanes = [mix(*pair) for pair in zip(lanes, words)]
    h = prime[4]
    if whole:
        h = sum(map(turn, lanes, (1, 7, 12, 18))) & full
        for lane in lanes:
            h = (h ^ mix(0, lane)) * prime[0] + prime[3] & full
    h, rest = h + len(data) & full, data[whole:]
    while len(rest) >= 8:
        word, rest = struct.unpack("<Q", rest[:8])[0], rest[8:]
        h = turn(h ^ mix(0, word), 27) * prime[0] + prime[3] & full
    if len(rest) >= 4:
        word, rest = struct.unpack("<I", rest[:4])[0], rest[4:]
        h = turn(h ^ word * prime[0] & full, 23) * prime[1] + prime[2] & full
    for byte in rest:
        h = turn(h ^ byte * prime[4] & full, 11) * prime[0] & full
    h = (h ^ h >> 33) * prime[1] & full
    h = (h ^ h >> 29) * prime[2] & full
    return h ^ h >> 32


class Leg:
    """One connection, whoever called."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(PATIENCE_S)
        self.got = b""

    def send(self, data):
        self.socket.sendall(data)

    def read(self, n):
        while len(self.got) < n:
            block = self.socket.recv(65536)
            if not block:
                raise EOFError
            self.got += block
        taken, self.got = self.got[:n], self.got[n:]
        return taken

    def next_frame(self):
        head = self.read(HEADER)
        kind, _, _, length, _, seq, _, _ = struct.unpack(">BBHIIQII", head)
        return kind, seq, self.read(length)

    def await_frame(self, wanted):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            kind, seq, payload = self.next_frame()
            if kind == wanted:
                return seq, payload
        raise TimeoutError("no frame of type %d" % wanted)

    def await_close(self):
        """The other side has closed or reset it, within the time."""
        until = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < until:
                if not self.socket.recv(65536):
                    return True
        except socket.timeout:
            return False
        except OSError:
            return True
        return False

    def discard(self):
        """Take whatever has come, so that the other side never waits."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(PATIENCE_S)


class Sender:
    """A sender's session with an rx."""

    def __init__(self, port, total, seed):
        self.port, self.total = port, total
        self.stream = subprocess.run([SOURCE, str(total), str(seed)], check=True,
                                     stdout=subprocess.PIPE).stdout
        self.session, self.instance = os.urandom(16), bytes(16)
        self.incarnation = 0

    role = 1

    def call(self):
        return Leg(socket.create_connection(("127.0.0.1", self.port)))

    def join(self, number, incarnation=0, **other):
        """A leg and the answer to its HELLO."""
        self.incarnation += 1
        leg = self.call()
        leg.send(greeting(b"VMhe", self.role, self.session,
                          other.pop("instance", self.instance), number,
                          incarnation or self.incarnation, **other))
        answer = leg.read(GREETING)
        return leg, answer

    def up(self, number, **other):
        leg, answer = self.join(number, **other)
        if answer[:4] != b"VMwe":
            sys.exit("leg %d was not welcome: %r" % (number, answer))
        self.instance = answer[40:56]
        return leg

    def piece(self, begin, end):
        return data_frame(begin, self.stream[begin:end])

    def deliver(self, leg, begin, end):
        """In order, on one leg, within the credit."""
        # What was agreed on is the first credit; later STATUS tells.
        limit, at = WINDOW, begin
        while at < end:
            while limit < min(end, at + FRAME):
                _, payload = leg.await_frame(STATUS)
                limit = max(limit, struct.unpack(">Q", payload[8:16])[0])
            n = min(end - at, FRAME)
            leg.send(self.piece(at, at + n))
            at += n

    def end(self, leg):
        leg.send(fin(self.total))
        _, payload = leg.await_frame(DONE)
        if struct.unpack(">Q", payload[:8])[0] != self.total:
            sys.exit("DONE with another length")
        leg.send(control(BYE))
        leg.socket.shutdown(socket.SHUT_WR)
        leg.await_close()


OPEN, PIECE, CREDIT, HALF, RESET, CLOSE = range(1, 7)


def record(kind, number, value=0, reason=0, reserved=0):
    return struct.pack(">BBHII", kind, reason, reserved, number, value)


class Streams(Sender):
    """The caller's end of a session with many streams; its one leg."""

    role = 4

    def __init__(self, port):
        Sender.__init__(self, port, 0, 1)
        self.leg = self.up(0)
        self.at, self.came = 0, b""
        self.delivered, self.streams, self.ended = 0, {}, {}

    def say(self, records):
        for at in range(0, len(records), FRAME):
            piece = records[at:at + FRAME]
            self.leg.send(data_frame(self.at, piece))
            self.at += len(piece)

    def data(self, number, payload):
        self.say(record(PIECE, number, len(payload)) + payload)

    def hear(self):
        """The next frame; records of DATA go to their streams."""
        kind, _, payload = self.leg.next_frame()
        if kind == FAIL:
            return payload[4:].decode()
        if kind != DATA:
            return None
        self.came += payload
        self.delivered += len(payload)
        self.leg.send(status(self.delivered, self.delivered + WINDOW,
                             [(0, self.incarnation, self.delivered)]))
        while len(self.came) >= 12:
            what, reason, _, number, value = struct.unpack(">BBHII", self.came[:12])
            length = value if what == PIECE else 0
            if len(self.came) < 12 + length:
                break
            piece, self.came = self.came[12:12 + length], self.came[12 + length:]
            self.streams[number] = self.streams.get(number, b"") + piece
            if what in (RESET, CLOSE):
                self.ended[number] = (what, reason)
        return None

    def await_end(self, number):
        until = time.monotonic() + PATIENCE_S
        while number not in self.ended:
            if time.monotonic() > until:
                sys.exit("stream %d has no end" % number)
            self.hear()
        return self.ended[number]


# What a peer may do wrong in a stream, by its number; each resets that stream alone.
HARMS = (
    ("more than its credit", lambda n: record(PIECE, n, 100000) + bytes(100000)),
    ("data after its end", lambda n: record(HALF, n) + record(PIECE, n, 1) + b"x"),
    ("two ends", lambda n: record(HALF, n) + record(HALF, n)),
    ("opened twice", lambda n: record(OPEN, n)),
    ("credit without end", lambda n: record(CREDIT, n, 1 << 24) * 200),
    ("closed in the middle", lambda n: record(CLOSE, n)),
)
# What is of no stream that is there.
ODD = (record(RESET, 4001, reason=1), record(CLOSE, 4001), record(HALF, 4001),
       record(CREDIT, 4001, 5), record(PIECE, 4001, 7) + b"nobody?", record(OPEN, 2),
       record(OPEN, 4000))
# What ends the session.
BREAKS = {
    "type": record(7, 1), "zero": record(0, 1), "stream": record(OPEN, 0),
    "length": record(PIECE, 1, (1 << 20) + 1), "nothing": record(PIECE, 1, 0),
    "credit": record(CREDIT, 1, (1 << 24) + 1), "reserved": record(HALF, 1, reserved=1),
    "reason": record(RESET, 1, reason=7), "none": record(RESET, 1),
    "many": b"".join(record(OPEN, 2 * n + 1) for n in range(5000)),
}


def run_streams(port, kind):
    end = Streams(port)
    if kind != "harm":
        end.say(BREAKS[kind])
        until = time.monotonic() + PATIENCE_S
        text = None
        while text is None:
            if time.monotonic() > until:
                sys.exit("the session went on")
            text = end.hear()
        say("it says: %s" % text)
        end.leg.send(control(BYE))
        end.leg.socket.shutdown(socket.SHUT_WR)
        end.leg.await_close()
        return
    end.say(record(OPEN, 1))
    end.data(1, b"echo 0 1\n")
    for n, (name, words) in enumerate(HARMS):
        number = 2 * n + 3
        end.say(record(OPEN, number))
        end.data(number, b"up 0 1\n")
        end.say(words(number))
        what, reason = end.await_end(number)
        if (what, reason) != ((CLOSE, 0) if name == "closed in the middle" else (RESET, 6)):
            sys.exit("%s: its end is %d, %d" % (name, what, reason))
        for words in ODD:
            end.say(words)
        end.data(1, b"still there? ")
    # One that is never given credit holds up nobody.
    end.say(record(OPEN, 101))
    end.data(101, b"down 1000000 1\n")
    while len(end.streams.get(101, b"")) < 32768:
        end.hear()
    end.data(1, b"the end")
    end.say(record(HALF, 1))
    while not end.streams.get(1, b"").endswith(b"the end"):
        end.hear()
    if end.streams[1] != b"still there? " * len(HARMS) + b"the end":
        sys.exit("the good stream has other bytes")
    end.say(record(CLOSE, 1))
    if end.await_end(1) != (CLOSE, 0):
        sys.exit("the good stream did not end well")
    if len(end.streams.get(101, b"")) != 32768:
        sys.exit("stream 101 sent %d bytes with a credit of 32768" %
                 len(end.streams.get(101, b"")))
    end.leg.send(failure(4, b"the test is over"))
    end.leg.socket.shutdown(socket.SHUT_WR)
    end.leg.await_close()


def violations(sender, limit):
    """Name, bytes; each has to cost the leg its connection."""
    far = 1 << 62
    beat = struct.pack(">IIQQB7x", 1, 0, 0, 0, 0)
    return (
        ("header's check differs", header(HEARTBEAT, 32, spoil=1)),
        ("type 0", header(0, 0)),
        ("CONFIRM without a key", control(9)),
        ("type 10", control(10)),
        ("type 255", header(255, 0)),
        ("reserved bytes", header(DATA, 10, 0, reserved=1)),
        ("reserved bytes, high", header(DATA, 10, 0, reserved=0x8000)),
        ("another stream", header(DATA, 10, 0, stream=1)),
        ("another stream, high", header(DATA, 10, 0, stream=1 << 31)),
        ("DATA without payload", header(DATA, 0, 0)),
        ("DATA larger than any", header(DATA, (16 << 20) + 1, 0)),
        ("DATA of 4 GiB", header(DATA, 0xffffffff, 0)),
        ("DATA larger than agreed", header(DATA, 2 << 20, 0)),
        ("DATA beyond the credit", header(DATA, 10, limit + (1 << 20))),
        ("DATA that ends beyond the window",
         header(DATA, FRAME, limit + (1 << 20) - 1)),
        ("DATA far away", header(DATA, 10, far)),
        ("DATA that wraps", header(DATA, 10, (1 << 64) - 5)),
        ("unknown flag", header(DATA, 10, 0, flags=0x80)),
        ("reply flag on DATA", header(DATA, 10, 0, flags=2)),
        ("check not announced", header(DATA, 10, 0, check=7)),
        ("payload's check differs",
         header(DATA, 10, limit - 20, CHECKED, 7) + bytes(10)),
        ("control without a check", control(HEARTBEAT, beat, flags=0)),
        ("control whose check differs", control(HEARTBEAT, beat, spoil=1)),
        ("control with a sequence number", control(HEARTBEAT, beat, seq=1)),
        ("HEARTBEAT too short", control(HEARTBEAT, beat[:-1])),
        ("HEARTBEAT too long", control(HEARTBEAT, beat + b"\0")),
        ("HEARTBEAT with reserved bits", control(HEARTBEAT, beat[:26] + b"\1" + beat[27:])),
        ("control of 1 MiB", header(HEARTBEAT, 1 << 20, 0, CHECKED, 1)),
        ("STATUS from a sender", status(0, 1 << 20)),
        ("STATUS with a wrong count",
         control(STATUS, struct.pack(">QQB5xH", 0, 1 << 20, 0, 9))),
        ("STATUS with 200 entries",
         status(0, 1 << 20, [(0, 1, 0)] * 200)),
        ("DONE from a sender", control(DONE, bytes(16))),
        ("FIN below what came", fin(1000)),
        ("FIN far away", fin(far + 1)),
        ("FIN with reserved bits",
         control(FIN, bytes(15) + b"\1", sender.total)),
        ("FAIL without a reason", control(FAIL, b"\0")),
        ("FAIL of 5000 bytes", header(FAIL, 5000, 0, CHECKED, 1)),
        ("BYE with a payload", control(BYE, b"x")),
        ("a second HELLO", greeting(b"VMhe", 1, sender.session,
                                    sender.instance, 1, 1 << 20)),
        ("garbage", random.Random(1).randbytes(4096)),
    )


def refused_hellos(sender):
    """Keyword arguments of HELLOs that must not be welcome."""
    return (
        ("version 1", dict(version=1)),
        ("reserved bytes", dict(reserved=1)),
        ("another name", dict(name=bytes(15) + b"\1")),
        ("path 64", dict(path=64)),
        ("check differs", dict(spoil=1)),
        ("a feature that nobody knows", dict(required=0x80, known=0x81)),
        ("requires more than it knows", dict(required=2, known=0)),
        ("window of nothing", dict(window=0)),
        ("window without end", dict(window=1 << 63)),
        ("frame of nothing", dict(frame=0)),
        ("frame without end", dict(frame=0xffffffff)),
        ("another phrase", dict(phrase=b"gels")),
        ("another receiver", dict(instance=os.urandom(16))),
        ("an old incarnation", dict(incarnation=1)),
    )


def joins_too_often(sender, good):
    """As fast as it can; more than hundreds in a second are refused."""
    refused = 0
    for _ in range(4000):
        try:
            leg, answer = sender.join(2)
            refused += answer[:4] == b"VMno" and b"too often" in answer
            leg.socket.close()
        except OSError:
            pass
        good.discard()
        if refused > 3:
            break
    time.sleep(1.2)
    return refused > 3


def run_sender(port, total, seed):
    sender = Sender(port, total, seed)
    good = sender.up(0)
    early = total // 2
    sender.deliver(good, 0, early)
    sender.incarnation = 10
    sender.up(1)
    for name, words in refused_hellos(sender):
        try:
            _, answer = sender.join(1, **words)
            if answer[:4] == b"VMwe":
                sys.exit("HELLO with %s was welcome" % name)
        except (EOFError, ConnectionResetError):
            pass
    for number in (128, 65535):
        try:
            if sender.join(number)[1][:4] == b"VMwe":
                sys.exit("HELLO of leg %d was welcome" % number)
        except (EOFError, ConnectionResetError):
            pass
    count, kept = 0, 0
    for name, raw in violations(sender, early):
        leg = sender.up(1)
        try:
            leg.send(raw)
        except OSError:
            pass
        if not leg.await_close():
            say("%s: the leg was not closed" % name)
            kept += 1
        leg.socket.close()
        count += 1
        good.discard()
    # More than any honest sender would say: at most this leg is lost.
    leg = sender.up(1)
    try:
        for n in range(200):
            leg.send(heartbeat(n) * 100)
    except OSError:
        pass
    for _ in range(300):
        leg = sender.up(2)
        good.discard()
    if not joins_too_often(sender, good):
        say("a leg may join without end")
        kept += 1
    leg = sender.up(2)
    leg = sender.up(0)
    sender.deliver(leg, early, total)
    sender.end(leg)
    say("%d violations" % count)
    return 1 if kept else 0


def run_shuffle(port, total, seed):
    sender = Sender(port, total, seed)
    chance = random.Random(seed + 1)
    legs = [sender.up(0)]
    legs += [sender.up(n) for n in (1, 2)]
    delivered, limit = 0, WINDOW
    while delivered < total:
        # Everything that may be sent, cut twice at random, in any order.
        until = min(limit, total)
        pieces = []
        for _ in range(2):
            at = delivered
            while at < until:
                n = chance.choice((1, 4096, 5000, 30000, FRAME))
                pieces.append((at, min(at + n, until)))
                at += n
        # Each frame is charged 4 KiB, so small ones must stay few.
        pieces = [p for p in pieces if p[1] - p[0] >= 4096 or
                  chance.random() < 0.05] + [
                      (at, min(at + FRAME, until))
                      for at in range(delivered, until, FRAME)]
        chance.shuffle(pieces)
        for begin, end in pieces:
            chance.choice(legs).send(sender.piece(begin, end))
        aim = until
        while delivered < aim:
            ready, _, _ = select.select([l.socket for l in legs], [], [],
                                        PATIENCE_S)
            if not ready:
                sys.exit("delivered %d of %d, then silence" % (delivered, aim))
            for leg in legs:
                if leg.socket in ready:
                    kind, _, payload = leg.next_frame()
                    if kind == STATUS:
                        there, may = struct.unpack(">QQ", payload[:16])
                        delivered = max(delivered, there)
                        limit = max(limit, may)
    for leg in legs[1:]:
        leg.send(fin(total))        # this, too, more than once
    sender.end(legs[0])


def checked(sender, begin, end, spoil=0):
    payload = sender.stream[begin:end]
    return header(DATA, len(payload), begin, CHECKED,
                  crc32c(payload) ^ spoil) + payload


def await_delivered(leg, to):
    while struct.unpack(">Q", leg.await_frame(STATUS)[1][:8])[0] < to:
        pass


def run_staging(port, seed):
    size, frames = 40000, 6
    sender = Sender(port, size * frames, seed)
    known = dict(required=1, known=1)
    a, b = sender.up(0, **known), sender.up(1, **known)
    half = HEADER + size // 2
    frame = checked(sender, 0, size)
    a.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # It stops; all of it comes elsewhere; then the rest is of no use.
    a.send(frame[:half])
    time.sleep(0.2)
    b.send(frame)
    await_delivered(b, size)
    a.send(frame[half:])
    # It stops; only its begin comes elsewhere; then the rest is of use.
    frame = checked(sender, size, 2 * size)
    a.send(frame[:half])
    time.sleep(0.2)
    b.send(checked(sender, size, size + 5000))
    await_delivered(b, size + 5000)
    a.send(frame[half:])
    await_delivered(a, 2 * size)
    # So many small pieces that they do not find room.
    frame = checked(sender, 2 * size, 3 * size)
    for i in range(600):
        a.send(frame[i:i + 1])
        time.sleep(0.0005)
    a.send(frame[600:])
    await_delivered(a, 3 * size)
    # Its last byte comes late.
    frame = checked(sender, 3 * size, 4 * size)
    b.send(frame[:-1])
    time.sleep(0.2)
    b.send(frame[-1:])
    await_delivered(b, 4 * size)
    # It is spoilt: that costs the leg, and nothing of it is written.
    b.send(checked(sender, 4 * size, 5 * size, spoil=1))
    if not b.await_close():
        sys.exit("a spoilt payload did not cost the leg")
    # Its leg dies in the middle.
    frame = checked(sender, 4 * size, 5 * size)
    a.send(frame[:half])
    time.sleep(0.2)
    a.socket.close()
    a = sender.up(2, **known)
    a.send(frame)
    a.send(checked(sender, 5 * size, 6 * size))
    a.send(control(FIN, struct.pack(">Q8x", xxh64(sender.stream)),
                   sender.total))
    a.await_frame(DONE)
    a.send(control(BYE))
    a.socket.shutdown(socket.SHUT_WR)
    a.await_close()


def run_farewell(port, kind):
    sender = Sender(port, 100000, 1)
    leg = sender.up(0, required=1 if kind == "digest" else 0)
    if kind == "escape":            # what a terminal would obey
        leg.send(failure(1, b"\x1b[2Jread \xff error\nviamillipede: all is well"))
    elif kind == "bye":             # no FIN ever came
        sender.deliver(leg, 0, 100000)
        leg.send(control(BYE))
    elif kind == "short":           # FIN, but bytes are missing
        sender.deliver(leg, 0, 50000)
        leg.send(fin(100000))
        leg.send(control(BYE))
    elif kind == "digest":          # not the one that the stream has
        for seq in (0, 50000):
            payload = sender.stream[seq:seq + 50000]
            leg.send(header(DATA, len(payload), seq, CHECKED,
                            crc32c(payload)) + payload)
        leg.send(control(FIN, struct.pack(">Q8x", 1), 100000))
        leg.await_frame(FAIL)
    leg.socket.shutdown(socket.SHUT_WR)
    leg.await_close()


def receiver_words(kind, leg, total):
    """What a receiver says that it must not; total bytes were sent so far."""
    number, incarnation = leg.number, leg.incarnation
    limit = total + WINDOW
    return {
        "delivered": status(total + (1 << 30), total + (2 << 30)),
        "received": status(0, limit, [(number, incarnation, total + (1 << 30))]),
        "limit": status(100, 50),
        "far": status(0, 1 << 63),
        "count": control(STATUS, struct.pack(">QQB5xH", 0, limit, 0, 3)),
        "entries": status(0, limit, [(200, 1, 0)]),
        "early": control(DONE, struct.pack(">QI4x", total, 0)),
        "other": control(DONE, struct.pack(">QI4x", 1, 0)),
        "data": data_frame(0, b"hello"),
        "fin": fin(0),
        "header": header(HEARTBEAT, 32, spoil=1),
        "type": header(99, 0),
        "reserved": header(STATUS, 24, 0, CHECKED, 0, reserved=1),
        "huge": header(FAIL, 0xfffffff0, 0, CHECKED, 1),
        "garbage": random.Random(2).randbytes(2000),
    }[kind]


def welcome(listener, instance, **other):
    connection, _ = listener.accept()
    leg = Leg(connection)
    hello = leg.read(GREETING)
    leg.session = hello[8:24]
    leg.number, leg.incarnation = struct.unpack(">H2xI", hello[56:64])
    session = other.pop("session", leg.session)
    leg.send(greeting(other.pop("magic", b"VMwe"), other.pop("role", 2),
                      session, instance, leg.number, leg.incarnation, **other))
    return leg


def run_stuck():
    """Takes nothing, so that much is unsent when it is given up; it is told all the same."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    listener.settimeout(PATIENCE_S)
    say("listening on 127.0.0.1:%d" % listener.getsockname()[1])
    instance = os.urandom(16)
    leg = welcome(listener, instance)
    leg.send(status(0, WINDOW))
    poll = select.poll()
    poll.register(leg.socket, select.POLLRDHUP)
    if not poll.poll(10000):
        sys.exit("whoever gave the leg up has not told")
    leg = welcome(listener, instance)
    leg.send(failure(2, b"the test is over"))
    leg.socket.shutdown(socket.SHUT_WR)
    leg.await_close()


def run_receiver(kind):
    if kind == "stuck":
        return run_stuck()
    greetings = {
        "session": dict(session=os.urandom(16)), "role": dict(role=1),
        "hello": dict(magic=b"VMhe"), "version": dict(version=9),
        "spoil": dict(spoil=1), "window": dict(window=0),
        "frame": dict(frame=1 << 31), "http": {},
    }
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)
    say("listening on 127.0.0.1:%d" % listener.getsockname()[1])
    instance = os.urandom(16)
    if kind == "http":
        leg = Leg(listener.accept()[0])
        leg.read(GREETING)
        leg.send(b"HTTP/1.0 400 Bad Request\r\n\r\n" + b"x" * 200)
    else:
        leg = welcome(listener, instance, **greetings.get(kind, {}))
    if kind not in greetings:
        leg.send(status(0, WINDOW))
        total, whole = 0, kind == "other"
        while total == 0 or whole:
            what, _, payload = leg.next_frame()
            if what == DATA:
                total += len(payload)
                leg.send(status(total if whole else 0, total + WINDOW,
                                [(leg.number, leg.incarnation, total)]))
            whole = whole and what != FIN
        leg.send(receiver_words(kind, leg, total))
    if not leg.await_close():
        sys.exit("%s: the leg was not closed" % kind)
    if kind in ("early", "other", "version"):
        return                      # the session may end of it
    leg = welcome(listener, instance)
    leg.send(failure(2, b"the test is over"))
    leg.socket.shutdown(socket.SHUT_WR)
    leg.await_close()


def main():
    kind, words = sys.argv[1], sys.argv[2:]
    if kind == "sender":
        sys.exit(run_sender(*map(int, words)))
    elif kind == "shuffle":
        run_shuffle(*map(int, words))
    elif kind == "sluice":
        run_staging(*map(int, words))
    elif kind == "streams":
        run_streams(int(words[0]), words[1])
    elif kind == "farewell":
        run_farewell(int(words[0]), words[1])
    else:
        run_receiver(words[0])


if __name__ == "__main__":
    main()
