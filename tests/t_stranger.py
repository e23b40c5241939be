"""Somebody who connects to rx and is no sender.

usage: t_stranger.py PORT KIND [FILE or NUMBER]

garbage    random bytes, as many as are taken
http       a GET request
silence    nothing
slow FILE  the HELLO in FILE, a byte each 200 ms
half FILE  the first half of it, then nothing
whole FILE all of it: a HELLO of another session
stay FILE  all of it, and says "stayed" when it was not shown the door in 4 s
reset      a connection that is reset at once
flood N    N silent connections, each made again when it is closed, as fast
           as 50 in a second
crowd N FILE  N connections, each made again when it is closed, as fast as 200
           in a second: of four, one is silent, two say the HELLO in FILE, a
           byte each second, and one says all of it and nothing after that
hellos RATE FILE ADDRESS  so many connections a second from that address of this
           machine, or from many, all of which say the HELLO in FILE and stay until
           they are shown the door
capture FILE  the other way round: listens, and keeps what the first caller
           says first

Says "connected" (capture: "listening on ADDRESS:PORT") on standard error, and
stays until the other side closes; flood, crowd and hellos until they are killed.
"""

import random
import resource
import select
import socket
import struct
import sys
import time

PATIENCE_S = 60


def say(text):
    print(text, file=sys.stderr, flush=True)


def wait_closed(connection):
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def contents(path, part=1.0):
    with open(path, "rb") as f:
        whole = f.read()
    return whole[:int(len(whole) * part)]


def flood(port, number):
    poll = select.poll()
    open_ones = {}

    def add():
        connection = socket.create_connection(("127.0.0.1", port))
        poll.register(connection, select.POLLIN)
        open_ones[connection.fileno()] = connection

    for _ in range(number):
        add()
    say("connected")
    while True:
        closed = poll.poll(1000)
        for fd, _ in closed:
            poll.unregister(fd)
            open_ones.pop(fd).close()
            time.sleep(0.02)
            try:
                add()
            except OSError:
                return              # rx has ended


def crowd(port, number, hello):
    poll = select.poll()
    people = {}                     # connection, what is still to be said
    begun = 0

    def add():
        nonlocal begun
        connection = socket.create_connection(("127.0.0.1", port))
        poll.register(connection, select.POLLIN)
        words = (b"", hello, hello, b"")[begun % 4]
        if begun % 4 == 3:
            connection.sendall(hello)
        people[connection.fileno()] = [connection, words]
        begun += 1

    def leave(fd):
        try:
            if people[fd][0].recv(4096):
                return              # an answer, which nobody confirms
        except OSError:
            pass
        poll.unregister(fd)
        people.pop(fd)[0].close()
        time.sleep(0.005)
        add()

    for _ in range(number):
        add()
    say("connected")
    spoken = 0.0
    try:
        while True:
            for fd, _ in poll.poll(200):
                leave(fd)
            if time.monotonic() - spoken > 1:
                spoken = time.monotonic()
                say("%d of them in all" % begun)
                for person in people.values():
                    try:
                        person[0].send(person[1][:1])
                    except OSError:
                        continue
                    person[1] = person[1][1:]
    except ConnectionRefusedError:
        return                      # rx has ended


def hellos(port, rate, hello, address):
    people = []
    began = time.monotonic()
    said = 0
    while True:
        source = address if address != "many" else "127.1.%d.%d" % (said // 250 % 250, said % 250 + 1)
        try:
            connection = socket.create_connection(("127.0.0.1", port), 5, (source, 0))
            connection.sendall(hello)
        except ConnectionRefusedError:
            return                  # rx has ended
        except OSError:
            continue
        people.append(connection)
        if len(people) > 200:
            people.pop(0).close()
        said += 1
        if said == 200:
            say("connected")
        if said % rate == 0:
            say("%.0f a second" % (said / (time.monotonic() - began)))
        time.sleep(max(0.0, began + said / rate - time.monotonic()))


def hello_length(said):
    return int.from_bytes(said[6:8], "big") if len(said) >= 8 else 8


def capture(path):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    say("listening on 127.0.0.1:%d" % listener.getsockname()[1])
    caller = listener.accept()[0]
    caller.settimeout(1)
    said = b""
    try:
        while len(said) < hello_length(said):
            block = caller.recv(4096)
            if not block:
                break
            said += block
    except socket.timeout:
        pass
    with open(path, "wb") as f:
        f.write(said)


def main():
    port, kind = int(sys.argv[1]), sys.argv[2]
    if kind == "capture":
        capture(sys.argv[3])
        return
    if kind == "flood":
        flood(port, int(sys.argv[3]))
        return
    if kind == "hellos":
        hellos(port, float(sys.argv[3]), contents(sys.argv[4]), sys.argv[5])
        return
    if kind == "crowd":
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        crowd(port, int(sys.argv[3]), contents(sys.argv[4]))
        return
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(PATIENCE_S)
    say("connected")
    try:
        if kind == "garbage":
            generator = random.Random(port)
            for _ in range(1000):
                connection.sendall(generator.randbytes(4096))
        elif kind == "http":
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        elif kind == "slow":
            for byte in contents(sys.argv[3]):
                connection.sendall(bytes([byte]))
                time.sleep(0.2)
        elif kind == "half":
            connection.sendall(contents(sys.argv[3], 0.5))
        elif kind == "whole":
            connection.sendall(contents(sys.argv[3]))
        elif kind == "stay":
            connection.sendall(contents(sys.argv[3]))
            connection.settimeout(4)
            while connection.recv(4096):
                pass                # an answer
        elif kind == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
            return
    except socket.timeout:
        say("stayed")
        return
    except OSError:
        pass
    wait_closed(connection)


if __name__ == "__main__":
    main()
