"""A path that takes time, for a test: passes connections on, late.

usage: t_delay.py PORT MILLISECONDS [FILE]

Says "listening on 127.0.0.1:NUMBER" on standard error; what comes there goes to
PORT of 127.0.0.1, and back, so many milliseconds later in each direction, and so
does the connection itself, with what its caller says first.  What the first of
them says is kept in FILE.  Ends when it is killed.
"""

import queue
import socket
import sys
import threading
import time


def read(source, late, delay_s):
    try:
        while part := source.recv(65536):
            late.put((time.monotonic() + delay_s, part))
    except OSError:
        pass
    late.put((time.monotonic() + delay_s, b""))


def write(sink, late, part=b""):
    try:
        if part:
            sink.sendall(part)
        while True:
            when, part = late.get()
            time.sleep(max(0.0, when - time.monotonic()))
            if not part:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(part)
    except OSError:
        return


def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


def carry(near, port, delay_s, keep):
    there, back = queue.Queue(64), queue.Queue(64)
    start(read, near, there, delay_s)
    when, part = there.get()
    time.sleep(max(0.0, when - time.monotonic()))
    if keep:
        with open(keep, "wb") as f:
            f.write(part[:128])         # the length of a HELLO
    try:
        far = socket.create_connection(("127.0.0.1", port))
    except OSError:
        near.close()
        return
    start(read, far, back, delay_s)
    start(write, near, back)
    write(far, there, part)


def main():
    port, delay_s = int(sys.argv[1]), float(sys.argv[2]) / 1000
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr, flush=True)
    keep = sys.argv[3] if len(sys.argv) > 3 else None
    while True:
        start(carry, listener.accept()[0], port, delay_s, keep)
        keep = None


main()
