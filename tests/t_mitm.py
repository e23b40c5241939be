"""A man in the middle of connections that are protected by a key, who lacks it.

usage: t_mitm.py attack PORT       to a listener there: each connection that
                                   comes suffers one attack, in this order:
                                   those on frames, on greetings, on the end
       t_mitm.py record PORT FILE  keeps what the first caller says
       t_mitm.py replay PORT FILE  says that to a listener, all of it
       t_mitm.py cut PORT FILE     says that to a listener, up to each byte of
                                   HELLO and CONFIRM, and hangs up
       t_mitm.py impostor          answers callers without having the key

Says where it listens, "fired NAME" for each attack when it happens, and then
"all fired", from which moment on it forwards what comes. It cannot see where
frames begin, but knows how long the first ones are; so an attack is on bytes of
one way of a connection, counted from its first one.
"""

import os
import socket
import sys
import threading

from t_peer import (DATA, FIN, FAIL, BYE, CHECKED, GREETING, PATIENCE_S, control,
                    crc32c, data_frame, failure, fin, greeting, header, say,
                    status)

HELLO, ANSWER, SEALED, TAG = 172, 180, 36, 16
GREETINGS = {b"VMhe": "HELLO", b"VMwe": "WELCOME", b"VMno": "REFUSE",
             b"VMan": "ANSWER"}
# Where the frames of each way begin, behind CONFIRM and ANSWER.
BEGIN = {"up": HELLO + SEALED, "down": ANSWER}


class Closed(Exception):
    """The connection is over, by an attack or by itself."""


def good_greeting(raw):
    return raw[:124] + crc32c(raw[:124]).to_bytes(4, "big")


class Attack:
    """On so many bytes of a way, from that one on."""

    def __init__(self, way, start, length, what, change):
        self.way, self.start, self.length = way, start, length
        self.change = change
        self.name = "%s %d %s" % (way, start, what)
        self.fired = False

    def fire(self, raw):
        self.fired = True
        say("fired " + self.name)
        return self.change(raw)

    def is_on_greeting(self):
        return self.start < HELLO if self.way == "up" else self.start < ANSWER


def flip(bit=1, at=0):
    return lambda raw: raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1:]


def drop(raw):
    return b""


def repeat(raw):
    return raw + raw


def swap(raw):
    half = len(raw) // 2
    swapped = raw[half:] + raw[:half]
    return swapped if swapped != raw else flip()(raw)


def before(other):
    return lambda raw: other + raw


def instead(other):
    return lambda raw: other


def guess(raw):
    guessed = os.urandom(len(raw))
    return guessed if guessed != raw else flip()(raw)


def cut_off(raw):
    """What came is said, and then the end."""
    raise Closed


def remember(raw):
    """Genuine bytes of a connection come in the next one at their place."""
    Attack.memory = raw
    raise Closed


def recall(raw):
    return Attack.memory


def refusal(raw):
    """An answer that anybody can give: not the receiver of this session."""
    body = b"VMno\2\4\0\200" + Middle.session
    return good_greeting(body + bytes(GREETING - len(body)))


def on_frames(way):
    """Also those that somebody forges who knows the protocol, but not the key."""
    begin = BEGIN[way]
    beat = SEALED + 32 + TAG            # a HEARTBEAT
    data = SEALED + 16384 + TAG         # a DATA frame of this test
    sizes = (1, SEALED, beat, beat + 16, 256, data)
    if way == "down":
        sizes = sizes[:-1]
    attacks = [(way, begin + at, 1, "flipped", flip(bit))
               for at, bit in ((0, 1), (7, 1), (15, 16), (19, 128), (20, 1),
                               (35, 64), (36, 1), (60, 1), (83, 8), (84, 1),
                               (120, 1), (300, 4))]
    for size in sizes:
        attacks += [
            (way, begin, size, "%d dropped" % size, drop),
            (way, begin, size, "%d repeated" % size, repeat),
            (way, begin, size, "%d guessed" % size, guess),
            (way, begin, 2 * size, "%d swapped with the next" % size, swap),
        ]
    attacks += [
        (way, begin, 0, "a frame in clear before", before(raw)) for raw in (
            data_frame(0, b"forged" * 100), fin(1 << 20),
            failure(1, b"forged"), control(BYE), control(8), control(9),
            header(DATA, 16384, 5000), header(FIN, 16, 1 << 20, CHECKED),
            status(1 << 40, 1 << 41), good_greeting(bytes(GREETING - 4)),
            header(FAIL, 4, 0, CHECKED) + bytes(TAG))]
    attacks += [
        (way, begin, 100, "kept", remember),
        (way, begin, 100, "of another connection", recall),
        (way, begin + 50, 0, "cut off", cut_off),
        (way, begin + 90, 0, "cut off", cut_off),
    ]
    if way == "up":
        attacks += [(way, begin + at, 1, "flipped", flip())
                    for at in (16000, 40000, 100000, 300000)]
        attacks += [(way, begin + 33333, 0, "cut off", cut_off),
                    (way, HELLO, SEALED, "CONFIRM repeated", repeat),
                    (way, HELLO, SEALED, "CONFIRM dropped", drop),
                    (way, HELLO, SEALED, "CONFIRM guessed", guess),
                    (way, HELLO, 1, "CONFIRM flipped", flip()),
                    (way, HELLO + SEALED - 1, 1, "CONFIRM flipped", flip())]
    return attacks


def on_greetings():
    attacks = [("up", at, 1, "HELLO flipped", flip(bit)) for at, bit in (
        (4, 3), (5, 3), (7, 44), (8, 1), (39, 1), (40, 1), (155, 1), (171, 1))]
    attacks += [("down", at, 1, "ANSWER flipped", flip(bit)) for at, bit in (
        (4, 3), (7, 1), (8, 1), (40, 1), (163, 1), (179, 1))]
    attacks += [
        ("up", 0, HELLO, "HELLO in clear instead", instead(
            greeting(b"VMhe", 1, bytes(16), bytes(16), 0, 1))),
        ("up", 0, HELLO, "HELLO kept", remember),
        ("up", 0, HELLO, "HELLO of another connection", recall),
        ("down", 0, ANSWER, "refused in clear instead", refusal),
        ("down", 0, ANSWER, "ANSWER kept", remember),
        ("down", 0, ANSWER, "ANSWER of another connection", recall),
        ("down", 0, ANSWER, "guessed", guess),
        ("down", 0, 8 + 32, "the caller's number in ANSWER", lambda raw:
         raw[:8] + Middle.number),
    ]
    return attacks


def on_end():
    # What comes down after the last byte may be the outcome and no more.
    return [(way, BEGIN[way] + at, 1, "at the end", flip())
            for way, most in (("up", 140), ("down", 84))
            for at in (0, 36, 60, 84, 120, 140) if at <= most]


def made(attacks):
    return [Attack(*a) for a in attacks]


class Middle:
    """One connection and its continuation, a thread for each way."""

    session = number = b""          # of the last HELLO

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

    def note(self, way, at, raw):
        """What a HELLO has in clear; and whoever was deceived by a greeting."""
        if way == "up" and at == 0 and len(raw) >= HELLO:
            Middle.session, Middle.number = raw[8:24], raw[40:72]
        attack = self.attack
        if not attack.fired or not attack.is_on_greeting() or way == attack.way:
            return
        # The listener says ANSWER to a HELLO that is right only, though maybe old;
        # the caller goes on after an ANSWER that is right only.
        if (way == "down" and raw[:4] == b"VMan" and at == 0 and
                "of another" not in attack.name) or \
                (way == "up" and at >= HELLO):
            say("went on after " + attack.name)

    def through(self, way, at, raw):
        """What is to be said instead of these bytes, and how many were used."""
        attack = self.attack
        if attack.fired or way != attack.way or at + len(raw) < attack.start:
            return raw, len(raw)
        if at < attack.start:
            return raw[:attack.start - at], attack.start - at
        if len(raw) < attack.length or (len(raw) == 0 and attack.length == 0):
            return b"", 0
        return attack.fire(raw[:attack.length]), attack.length

    def carry(self, way):
        other = self.ends["down" if way == "up" else "up"]
        at, raw = 0, b""
        try:
            while True:
                block = self.ends[way].recv(65536)
                if not block:
                    break
                self.note(way, at + len(raw), block)
                raw += block
                used = 1
                while raw and used:
                    said, used = self.through(way, at, raw)
                    at, raw = at + used, raw[used:]
                    other.sendall(said)
                    if self.attack.fired and not used:
                        used = 1
            other.shutdown(socket.SHUT_WR)
        except Closed:
            try:
                other.shutdown(socket.SHUT_WR)
            except OSError:
                pass
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
    fired, way = False, ""


def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    say("listening on 127.0.0.1:%d" % listener.getsockname()[1])
    return listener


def attack_all(port):
    listener = listen()
    now = made(on_frames("up") + on_frames("down") + on_greetings())
    ends = made(on_end())
    for attack in now + ends:
        if attack is ends[0]:
            say("only the end is left")
        # What a short-lived connection does not see is for the next one.
        while not attack.fired:
            Middle(listener.accept()[0], port, attack).run()
    say("all fired")
    while True:
        Middle(listener.accept()[0], port, Nothing()).run()


class Record(Nothing):
    def __init__(self, path):
        self.file = open(path, "wb")
        self.start = self.length = 0

    def is_on_greeting(self):
        return False


def record(port, path):
    listener, kept = listen(), Record(path)
    middle = Middle(listener.accept()[0], port, kept)
    middle.through = lambda way, at, raw: keep(kept, way, raw)
    middle.run()


def keep(kept, way, raw):
    if way == "up":
        kept.file.write(raw)
        kept.file.flush()
    return raw, len(raw)


def answers(port, raw):
    """What a listener says to this, and how many bytes behind its greetings."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(2 * PATIENCE_S)
    got = b""
    try:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    try:
        while True:
            block = connection.recv(65536)
            if not block:
                break
            got += block
    except OSError:
        pass
    connection.close()
    names = []
    while got[:4] in GREETINGS:
        names.append(GREETINGS[got[:4]])
        got = got[ANSWER if got[:4] == b"VMan" else GREETING:]
    return names + (["and more"] if got else [])


def replay(port, path):
    with open(path, "rb") as f:
        raw = f.read()
    say("answered: " + " ".join(answers(port, raw)))


def cut(port, path):
    with open(path, "rb") as f:
        raw = f.read(HELLO + SEALED)
    for n in range(len(raw)):
        said = answers(port, raw[:n])
        if said != ([] if n < HELLO else ["ANSWER"]):
            sys.exit("%d bytes were answered with %s" % (n, said))
    say("cut at each byte")


def impostor():
    """To each caller in another way: nobody of these has the key."""
    listener = listen()
    instance = os.urandom(16)
    for kind in range(4):
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE_S)
        hello = connection.recv(HELLO, socket.MSG_WAITALL)
        clear = b"VMan\2\0\0" + bytes([ANSWER])
        said = (
            # As if nobody had spoken of a key; the caller's own word;
            greeting(b"VMwe", 2, hello[8:24], instance, 0, 1), hello,
            # its own number and words as an answer; a guess.
            clear + hello[40:] + bytes(ANSWER - 8 - (HELLO - 40)),
            clear + os.urandom(ANSWER - 8))[kind]
        try:
            connection.sendall(said)
            more = connection.recv(GREETING)
            if more:
                say("it went on: %r" % more)
        except OSError:
            pass
        connection.close()
        say("fired %d" % kind)
    say("all fired")


def main():
    kind, words = sys.argv[1], sys.argv[2:]
    if kind == "attack":
        attack_all(int(words[0]))
    elif kind == "record":
        record(int(words[0]), words[1])
    elif kind == "replay":
        replay(int(words[0]), words[1])
    elif kind == "cut":
        cut(int(words[0]), words[1])
    else:
        impostor()


if __name__ == "__main__":
    main()
