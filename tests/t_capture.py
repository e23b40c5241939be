"""Listens in on an interface, and looks for a marker in what crosses it.

usage: t_capture.py INTERFACE MARKER

Says "capturing", and from SIGTERM on how many packets and bytes came, how many of
the packets hold any eight bytes of the marker, repeated without end, and how many
the system dropped. Needs root.
"""

import signal
import socket
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
PART = 8


def say(text):
    print(text, file=sys.stderr, flush=True)


class Over(Exception):
    """It was told to end."""


class Seen:
    """What came so far."""

    def __init__(self, parts):
        self.parts = parts
        self.packets = self.size = self.found = 0

    def take(self, packet):
        self.packets += 1
        self.size += len(packet)
        self.found += any(part in packet for part in self.parts)


def end(*_):
    raise Over


def main():
    interface, marker = sys.argv[1], sys.argv[2].encode()
    whole = marker + marker
    parts = {whole[i:i + PART] for i in range(len(marker))}
    capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                            socket.htons(ETH_P_ALL))
    capture.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    capture.bind((interface, 0))
    signal.signal(signal.SIGTERM, end)
    seen = Seen(parts)
    say("capturing")
    try:
        while True:
            seen.take(capture.recv(1 << 18))
    except Over:
        pass
    capture.setblocking(False)
    try:
        while True:
            seen.take(capture.recv(1 << 18))
    except BlockingIOError:
        pass
    _, dropped = (int.from_bytes(capture.getsockopt(
        SOL_PACKET, PACKET_STATISTICS, 8)[i:i + 4], sys.byteorder)
        for i in (0, 4))
    say("%d packets of %d bytes, %d with the marker, %d dropped" %
        (seen.packets, seen.size, seen.found, dropped))


if __name__ == "__main__":
    main()
