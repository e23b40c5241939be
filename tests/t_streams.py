"""Many connections through initiate and terminate, for tests: server and clients.

    t_streams.py serve PORT_FILE
    t_streams.py call [option=value ...] ADDRESS KIND=COUNT ...

`serve' listens on a free port of 127.0.0.1, which it writes to the file, or, if PORT_FILE
ends in /socket, on that UNIX socket; it serves until it is ended.
`call' opens so many connections of each KIND to ADDRESS (PORT of 127.0.0.1, or the path
of a UNIX socket), and checks all that comes; options: size=BYTES of each (100000),
at_once=N (50), seed=N, pause=SECONDS that a resting one is silent (1). It prints a line with
counts and the median time of each kind, and exits 0 if all was right.

    down    the server sends, the client half-closes at once and reads to the end
    up      the client sends and half-closes; the server answers with a digest
    echo    both at once; each ends by itself
    short   one request, one small answer
    rest    as short, but it says nothing for a while before, and between
    reset   the server sends a part and resets: the client must see that, not an end
    leave   the client resets in the middle; the server says to the next `left' how many
    left    asks how many resets the server has seen, waiting until it is `want'
    stuck   never reads what the server sends, until all others are done

One thread.
"""

import asyncio
import hashlib
import os
import random
import socket
import statistics
import struct
import sys
import time

CHUNK = 65536
counts = {"resets": 0}
released = None


def data(size, seed):
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


def abort(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def send(writer, blob):
    for at in range(0, len(blob), CHUNK):
        writer.write(blob[at:at + CHUNK])
        await writer.drain()
    writer.write_eof()


async def serve_one(reader, writer):
    try:
        words = (await reader.readline()).decode().split()
        if not words:
            return
        kind, size, seed = words[0], int(words[1]), int(words[2])
        if kind == "down":
            await send(writer, data(size, seed))
            assert await reader.read() == b""
        elif kind == "up":
            digest = hashlib.sha256()
            while piece := await reader.read(CHUNK):
                digest.update(piece)
            writer.write(digest.hexdigest().encode())
        elif kind == "echo":
            while piece := await reader.read(CHUNK):
                writer.write(piece)
                await writer.drain()
        elif kind == "short" or kind == "rest":
            while True:
                writer.write(data(size, seed) + b".")
                await writer.drain()
                if kind == "short" or not await reader.readline():
                    break
        elif kind == "reset":
            writer.write(data(size, seed))
            await writer.drain()
            await asyncio.sleep(0.1)
            abort(writer)
            return
        elif kind == "leave":
            while await reader.read(CHUNK):
                pass
            writer.write(b"an end, not a reset")
        elif kind == "left":
            until = time.monotonic() + 20
            while counts["resets"] < size and time.monotonic() < until:
                await asyncio.sleep(0.02)
            writer.write(b"%d" % counts["resets"])
        elif kind == "stuck":
            await send(writer, data(size, seed))
            await reader.read()
        writer.write_eof()
        await writer.drain()
    except (ConnectionResetError, BrokenPipeError):
        counts["resets"] += 1
    finally:
        writer.close()


async def serve(port_file):
    if port_file.endswith("/socket"):
        server = await asyncio.start_unix_server(serve_one, port_file + ".new", backlog=1000)
        os.rename(port_file + ".new", port_file)
    else:
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=1000)
        port = server.sockets[0].getsockname()[1]
    if not port_file.endswith("/socket"):
        with open(port_file + ".new", "w", encoding="ascii") as f:
            f.write("%s\n" % port)
        os.rename(port_file + ".new", port_file)
    async with server:
        await server.serve_forever()


async def call_one(address, kind, size, seed, pause):
    if "/" in address:
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address))
    try:
        writer.write(b"%s %d %d\n" % (kind.encode(), size, seed))
        expected = data(size, seed)
        if kind == "down":
            writer.write_eof()
            assert await reader.read() == expected, "other bytes"
        elif kind == "up":
            await send(writer, expected)
            assert await reader.read() == hashlib.sha256(expected).hexdigest().encode()
        elif kind == "echo":
            sender = asyncio.create_task(send(writer, expected))
            assert await reader.read() == expected, "other bytes"
            await sender
        elif kind == "short":
            assert await reader.read() == expected + b".", "other bytes"
        elif kind == "rest":
            for _ in range(3):
                assert await reader.readexactly(size + 1) == expected + b"."
                await asyncio.sleep(pause)
                writer.write(b"again\n")
            writer.write_eof()
            assert await reader.read() == expected + b"."
        elif kind == "reset":
            try:
                await reader.read()
            except ConnectionResetError:
                return
            assert False, "an end instead of a reset"
        elif kind == "leave":
            writer.write(expected)
            await asyncio.sleep(0.1)
            abort(writer)
        elif kind == "left":
            assert await reader.read() == b"%d" % size
        elif kind == "stuck":
            await released.wait()
            assert await reader.read() == expected, "other bytes"
    finally:
        writer.close()


async def call(address, kinds, options):
    global released
    released = asyncio.Event()
    gate = asyncio.Semaphore(options["at_once"])
    times = {kind: [] for kind, _ in kinds}
    wrong = []

    async def one(kind, seed):
        began = time.monotonic()
        size = options["size"]
        try:
            if kind == "stuck":
                await call_one(address, kind, size, seed, options["pause"])
            else:
                async with gate:
                    began = time.monotonic()
                    await call_one(address, kind, size if kind != "left" else options["want"],
                                   seed, options["pause"])
        except (AssertionError, OSError, asyncio.IncompleteReadError) as e:
            wrong.append("%s %d: %s %s" % (kind, seed, type(e).__name__, e))
        times[kind].append(time.monotonic() - began)

    stuck, tasks, seed = [], [], options["seed"]
    for kind, count in kinds:
        for _ in range(count):
            seed += 1
            (stuck if kind == "stuck" else tasks).append(asyncio.create_task(one(kind, seed)))
    await asyncio.gather(*tasks)
    released.set()
    await asyncio.gather(*stuck)
    print(", ".join("%s %d (%.1f ms)" % (kind, len(t), 1000 * statistics.median(t))
                    for kind, t in times.items() if t))
    for text in wrong[:10]:
        print(text)
    print("%d wrong" % len(wrong))
    return 1 if wrong else 0


def main():
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    options = {"size": 100000, "at_once": 50, "seed": 1, "pause": 1.0, "want": 0}
    kinds, address = [], None
    for word in sys.argv[2:]:
        name, _, value = word.partition("=")
        if name in options:
            options[name] = type(options[name])(value)
        elif value:
            kinds.append((name, int(value)))
        else:
            address = word
    sys.exit(asyncio.run(call(address, kinds, options)))


main()
