"""Standard input that has records, for a program.

usage: t_records.py seqpacket|packets|datagram FILE RECORD PROGRAM [ARGUMENT ...]

Writes what is in FILE in records of RECORD bytes, and exits as the program does.
"""

import os
import socket
import subprocess
import sys

kind, record = sys.argv[1], int(sys.argv[3])
if kind == "packets":
    ours, theirs = os.pipe2(os.O_DIRECT)[::-1]
else:
    pair = socket.socketpair(
        socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "seqpacket" else
        socket.SOCK_DGRAM)
    ours, theirs = (end.detach() for end in pair)
program = subprocess.Popen(sys.argv[4:], stdin=theirs)
os.close(theirs)
with open(sys.argv[2], "rb") as file:
    raw = file.read()
try:
    for at in range(0, len(raw), record):
        os.write(ours, raw[at:at + record])
except OSError:
    pass
os.close(ours)
sys.exit(program.wait())
