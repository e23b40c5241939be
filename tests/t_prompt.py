"""A command that asks on the terminal: `t_prompt.py PROGRAM` runs a receiver as
the foreground of a terminal of its own; its command reads a line from there,
and then the stream, and must get both. A message and status 1 say what is wrong.
"""

import os
import pty
import re
import select
import subprocess
import sys
import time

LIMIT = 20 * int(os.environ.get("TEST_SLOW", "1"))
SCRIPT = "read x </dev/tty; stty -echo </dev/tty; stty echo </dev/tty; echo got $x; wc -c"


def read_until(fd, pattern, text=b""):
    until = time.monotonic() + LIMIT
    while not re.search(pattern, text):
        if not select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
            sys.exit("%r does not come after %r" % (pattern, text))
        try:
            text += os.read(fd, 4096)
        except OSError:
            sys.exit("it ended after %r" % text)
    return text


def main():
    program = sys.argv[1]
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(program, [program, "rx", "0", "bind", "127.0.0.1", "exec", SCRIPT])
    text = read_until(fd, rb"listening on .*:\d+\r\n")
    port = re.search(rb":(\d+)\r\n", text).group(1).decode()
    tx = subprocess.Popen([program, "tx", "127.0.0.1", port], stdin=subprocess.PIPE)
    tx.stdin.write(b"x" * 1000)
    tx.stdin.close()
    time.sleep(1)   # until it was stopped; without this it would be asked in time, too
    os.write(fd, b"\x1a")   # and this does not suspend it for good
    os.write(fd, b"secret\n")
    text = read_until(fd, rb"got secret\r\n *1000", text)
    if tx.wait(LIMIT) != 0:
        sys.exit("tx ended with %d" % tx.returncode)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        sys.exit("rx ended with %x" % status)


main()
