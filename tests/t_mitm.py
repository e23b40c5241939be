"""A man in the middle of connections that are protected by a key, who lacks it.

usage: t_mitm.py attack PORT       to a listener there: each connection that
                                   comes suffers one attack, in this order:
                                   those on frames, on greetings, on the end
       t_mitm.py end PORT          the same, of BYE alone
       t_mitm.py record PORT FILE  keeps what the first caller says
       t_mitm.py replay PORT FILE  says that to a listener, all of it
       t_mitm.py impostor          answers callers without having the key

Says where it listens, "fired NAME" for each attack when it happens, and then
"all fired", from which moment on it forwards what comes. All checks that need
no key (CRC-32C) are made good: only the MACs and proofs are in its way.
"""

import os
import socket
import struct
import sys
import threading

from t_peer import (DATA, FIN, STATUS, HEARTBEAT, DONE, FAIL, BYE, CHECKED,
                    GREETING, HEADER, PATIENCE_S, control, crc32c, data_frame,
                    failure, fin, greeting, status, say)

MAC = 16
FRAMES = {DATA: "DATA", FIN: "FIN", STATUS: "STATUS", HEARTBEAT: "HEARTBEAT",
          DONE: "DONE", FAIL: "FAIL", BYE: "BYE", 8: "LEAVE"}
GREETINGS = {b"VMhe": "HELLO", b"VMwe": "WELCOME", b"VMno": "REFUSE",
             b"VMch": "CHALLENGE", b"VMpr": "PROOF"}


class Closed(Exception):
    """The connection is over, by an attack or by itself."""


def flipped(octets, at, bit=1):
    return octets[:at] + bytes([octets[at] ^ bit]) + octets[at + 1:]


def good_greeting(octets):
    return octets[:124] + struct.pack(">I", crc32c(octets[:124]))


def good_frame(octets):
    """Checks made anew, of a control frame's payload and of the header."""
    head, rest = octets[:HEADER], octets[HEADER:]
    if head[1] & CHECKED and len(rest) < 5000:
        head = head[:16] + struct.pack(">I", crc32c(rest[:-MAC])) + head[20:]
    return head[:20] + struct.pack(">I", crc32c(head[:20])) + rest


def forged(octets):
    """A frame of ours with a MAC that is a guess."""
    return octets + os.urandom(MAC)


class Attack:
    """On the number-th message of that name that goes that way."""

    def __init__(self, way, message, what, change, number=1):
        self.way, self.message, self.number = way, message, number
        self.change = change
        self.name = "%s %s %s" % (way, message, what)
        self.seen, self.fired, self.held = 0, False, None

    def __call__(self, way, message, octets):
        """What is to be said instead of it: a list; None is the end."""
        if way != self.way:
            # Who was deceived by a greeting goes on with frames.
            if self.fired and self.message in GREETINGS.values() and \
                    message in FRAMES.values():
                say("went on after " + self.name)
            return [octets]
        if self.held is not None:
            held, self.held = self.held, None
            return [octets, held]
        if self.fired or message != self.message:
            return [octets]
        self.seen += 1
        if self.seen < self.number:
            return [octets]
        self.fired = True
        say("fired " + self.name)
        return self.change(self, octets)


def flip(at, bit=1, fix=good_frame):
    return lambda _, octets: [fix(flipped(octets, at % len(octets), bit))]


def drop(_, octets):
    return []


def repeat(_, octets):
    return [octets, octets]


def swap(attack, octets):
    attack.held = octets
    return []


def before(*others):
    return lambda _, octets: list(others) + [octets]


def instead(*others):
    return lambda _, octets: list(others)


def cut_off(_, octets):
    """Some of it, not as it was, and then the end."""
    return [flipped(octets, HEADER + 100)[:len(octets) // 2], None]


def remember(attack, octets):
    """A genuine frame of another connection comes in the next one's place."""
    Attack.memory = octets
    raise Closed


def recall(attack, octets):
    return [Attack.memory, octets]


def refusal(_, octets):
    """An answer that anybody can give: not the receiver of this session."""
    body = b"VMno\1\4\0\200" + octets[8:24]
    return [good_greeting(body + bytes(GREETING - len(body)))]


def field(at, octets):
    def change(_, whole):
        return [good_greeting(whole[:at] + octets + whole[at + len(octets):])]
    return change


def attacks():
    done = control(DONE, struct.pack(">QI4x", 1 << 20, 0))
    frames = [
        ("up", "DATA", "flipped payload", flip(HEADER + 100), 3),
        ("up", "DATA", "flipped last octet", flip(-MAC - 1), 3),
        ("up", "DATA", "flipped MAC", flip(-1), 2),
        ("up", "DATA", "flipped offset", flip(15, 16), 3),
        ("up", "DATA", "an old offset", field_of_frame(8, bytes(8)), 3),
        ("up", "DATA", "shortened", field_of_frame(4, b"\0\0\x20\0"), 2),
        ("up", "DATA", "turned into a heartbeat", field_of_frame(0, b"\4"), 2),
        ("up", "DATA", "dropped", drop, 4),
        ("up", "DATA", "repeated", repeat, 3),
        ("up", "DATA", "swapped with the next", swap, 3),
        ("up", "DATA", "flipped and cut off", cut_off, 3),
        ("up", "DATA", "flipped and cut off later", cut_off, 9),
        ("up", "DATA", "flipped and cut off much later", cut_off, 40),
        ("up", "DATA", "kept", remember, 3),
        ("up", "DATA", "of another connection", recall, 3),
        ("up", "DATA", "forged before it",
         before(forged(data_frame(0, b"forged" * 100))), 2),
        ("up", "DATA", "FIN before it", before(forged(fin(1 << 20))), 3),
        ("up", "DATA", "FAIL before it",
         before(forged(failure(1, b"forged"))), 3),
        ("up", "DATA", "BYE before it", before(forged(control(BYE))), 3),
        ("up", "DATA", "LEAVE before it", before(forged(control(8))), 3),
        ("up", "DATA", "without a MAC", before(control(BYE)), 3),
        ("up", "HEARTBEAT", "flipped", flip(HEADER + 16), 1),
        ("up", "HEARTBEAT", "repeated", repeat, 1),
        ("down", "STATUS", "flipped delivered", flip(HEADER + 5), 4),
        ("down", "STATUS", "flipped limit", flip(HEADER + 12), 4),
        ("down", "STATUS", "flipped MAC", flip(-1), 4),
        ("down", "STATUS", "dropped", drop, 4),
        ("down", "STATUS", "repeated", repeat, 4),
        ("down", "STATUS", "swapped with the next", swap, 4),
        ("down", "STATUS", "forged before it",
         before(forged(status(1 << 40, 1 << 41))), 4),
        ("down", "STATUS", "DONE before it", before(forged(done)), 4),
        ("down", "STATUS", "FAIL before it",
         before(forged(failure(2, b"forged"))), 4),
        ("down", "STATUS", "BYE before it", before(forged(control(BYE))), 4),
        ("down", "STATUS", "LEAVE before it", before(forged(control(8))), 4),
        ("down", "STATUS", "REFUSE before it", before(good_greeting(
            b"VMno\1\4\0\200" + bytes(GREETING - 8))), 4),
        ("down", "HEARTBEAT", "flipped", flip(HEADER + 8), 1),
    ]
    greetings = [
        ("up", "HELLO", "without a key", field(48, bytes(8))),
        ("up", "HELLO", "with checks", field(48, b"\0\0\0\3\0\0\0\3")),
        ("up", "HELLO", "of another version", field(4, b"\2")),
        ("up", "HELLO", "from a receiver", field(5, b"\2")),
        ("up", "HELLO", "of another session", flip(8, 1, good_greeting)),
        ("up", "HELLO", "of another leg", field(40, b"\0\5")),
        ("up", "HELLO", "incarnation", field(44, b"\0\0\1\0")),
        ("up", "HELLO", "window", flip(67, 1, good_greeting)),
        ("up", "HELLO", "nonce", flip(92, 1, good_greeting)),
        ("up", "PROOF", "flipped", flip(55, 1, good_greeting)),
        ("down", "CHALLENGE", "nonce", flip(24, 1, good_greeting)),
        ("down", "CHALLENGE", "for another session",
         flip(8, 1, good_greeting)),
        ("down", "CHALLENGE", "refused instead", refusal),
        ("down", "WELCOME", "refused instead", refusal),
        ("down", "WELCOME", "window", flip(67, 1, good_greeting)),
        ("down", "WELCOME", "without a key", field(48, bytes(8))),
        ("down", "WELCOME", "nonce", flip(92, 1, good_greeting)),
        ("down", "PROOF", "flipped", flip(24, 1, good_greeting)),
    ]
    ends = [
        ("up", "FIN", "flipped total", flip(15)),
        ("up", "FIN", "flipped digest", flip(HEADER)),
        ("down", "DONE", "flipped", flip(HEADER + 7)),
        ("down", "DONE", "FAIL instead", instead(forged(failure(2, b"no")))),
    ]
    return [[Attack(*a) for a in some] for some in (frames, greetings, ends)]


def field_of_frame(at, octets):
    def change(_, whole):
        return [good_frame(whole[:at] + octets + whole[at + len(octets):])]
    return change


class Middle:
    """One connection and its continuation, a thread for each way."""

    def __init__(self, client, port, attack):
        self.ends = {"up": client,
                     "down": socket.create_connection(("127.0.0.1", port))}
        self.attack = attack
        self.threads = [threading.Thread(target=self.carry, args=(way,),
                                         daemon=True) for way in self.ends]

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        for end in self.ends.values():
            end.close()

    def read(self, way, n):
        octets = b""
        while len(octets) < n:
            block = self.ends[way].recv(n - len(octets))
            if not block:
                raise Closed
            octets += block
        return octets

    def messages(self, way):
        """(name, octets): greetings up to the side's last one, then frames."""
        name, first = None, self.read(way, 4)
        while True:
            if first[:4] in GREETINGS:
                name = GREETINGS[first[:4]]
                yield name, first + self.read(way, GREETING - 4)
                first = self.read(way, 4)
                continue
            head = first + self.read(way, HEADER - 4)
            length = struct.unpack(">I", head[4:8])[0]
            yield FRAMES.get(head[0], "?"), head + self.read(way, length + MAC)
            first = self.read(way, 4)

    def carry(self, way):
        other = self.ends["down" if way == "up" else "up"]
        try:
            for name, octets in self.messages(way):
                for one in self.attack(way, name, octets):
                    if one is None:
                        raise Closed
                    other.sendall(one)
            other.shutdown(socket.SHUT_WR)
        except Closed:
            try:
                other.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            if self.attack.fired:
                self.end()
        except OSError:
            self.end()

    def end(self):
        for end in self.ends.values():
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Nothing:
    fired = False

    def __call__(self, way, name, octets):
        return [octets]


def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    say("listening on 127.0.0.1:%d" % listener.getsockname()[1])
    return listener


def attack_all(port, now, ends):
    listener = listen()
    for attack in now + ends:
        if attack in ends[:1]:
            say("only the end is left")
        # What a short-lived connection does not see is for the next one.
        while not attack.fired:
            attack.seen, attack.held = 0, None
            Middle(listener.accept()[0], port, attack).run()
    say("all fired")
    while True:
        Middle(listener.accept()[0], port, Nothing()).run()


class Record:
    fired = False

    def __init__(self, path):
        self.file = open(path, "wb")

    def __call__(self, way, name, octets):
        if way == "up":
            self.file.write(octets)
            self.file.flush()
        return [octets]


def replay(port, path):
    with open(path, "rb") as f:
        octets = f.read()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(2 * PATIENCE_S)
    got = b""
    try:
        connection.sendall(octets)
        while True:
            block = connection.recv(65536)
            if not block:
                break
            got += block
    except OSError:
        pass
    names = [GREETINGS.get(got[i:i + 4], "?")
             for i in range(0, len(got), GREETING)]
    say("answered: " + " ".join(names))


def impostor():
    """To each caller in another way: nobody of these has the key."""
    listener = listen()
    instance = os.urandom(16)
    for kind in range(4):
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE_S)
        hello = connection.recv(GREETING, socket.MSG_WAITALL)
        leg, incarnation = struct.unpack(">H2xI", hello[40:48])
        welcome = greeting(b"VMwe", 2, hello[8:24], instance, leg, incarnation,
                           required=2 if kind else 0, known=3)
        try:
            if kind == 0:           # as if nobody had spoken of a key
                connection.sendall(welcome)
            elif kind == 1:         # the caller's own word
                connection.sendall(hello)
            else:
                body = b"VMch\1\0\0\200" + hello[8:24] + os.urandom(16)
                connection.sendall(
                    good_greeting(body + bytes(GREETING - len(body))))
                proof = connection.recv(GREETING, socket.MSG_WAITALL)
                if kind == 2:       # the caller's own proof
                    connection.sendall(welcome + proof)
                else:               # a guess
                    proof = proof[:24] + os.urandom(32) + proof[56:]
                    connection.sendall(welcome + good_greeting(proof))
            said = connection.recv(GREETING)
            if said:
                say("it went on: %r" % said)
        except OSError:
            pass
        connection.close()
        say("fired %d" % kind)
    say("all fired")


def main():
    kind, words = sys.argv[1], sys.argv[2:]
    if kind == "attack":
        frames, greetings, ends = attacks()
        attack_all(int(words[0]), frames + greetings, ends)
    elif kind == "end":
        attack_all(int(words[0]), [], [Attack("up", "BYE", "flipped", flip(-1))])
    elif kind == "record":
        listener = listen()
        Middle(listener.accept()[0], int(words[0]), Record(words[1])).run()
    elif kind == "replay":
        replay(int(words[0]), words[1])
    else:
        impostor()


if __name__ == "__main__":
    main()
