"""Runs a sender whose standard error is a terminal, and looks at the screen.

usage: t_terminal.py PROGRAM CASE     the cases are the functions at the end

The sender gets a few megabytes in about three seconds, by a receiver of the
same program. The screen is emulated as far as is needed: carriage return,
newline and erasing to the end of the line, at the width of the terminal. A
message and status 1 say what is wrong.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

SLOW = int(os.environ.get("TEST_SLOW", "1"))
LOG_TIMEOUT_S = 0.1                 # after which the program drops a message
BLOCK, BLOCKS = 100000, 32          # every tenth of a second


class Screen:
    """Lines as they are seen, and each state of the last one."""

    def __init__(self, columns):
        self.columns, self.lines, self.row = columns, [""], 0
        self.column, self.states, self.raw = 0, [], b""
        self.seen = []              # as states, however much came at once
        self.wrapped, self.rest = 0, b""

    def feed(self, data):
        self.raw += data
        # A read may end within a sequence, which goes on in the next one.
        data, self.rest = re.fullmatch(rb"(.*?)((?:\x1b(?:\[[0-9;]*)?)?)",
                                       self.rest + data, re.S).groups()
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n",
                               data.decode("ascii"), re.S):
            self.take(part)
        self.states.append(self.lines[-1])

    def take(self, part):
        if part == "\r":
            self.seen.append(self.lines[-1])
            self.column = 0
        elif part == "\n":
            self.lines.append("")
        elif part == "\x1b[K":
            self.lines[-1] = self.lines[-1][:self.column]
        elif part.startswith("\x1b"):
            assert re.fullmatch(r"\x1b\[[0-9]*m", part), repr(part)
        else:
            if self.column == self.columns:
                self.lines.append("")
                self.column = 0
                self.wrapped += 1
            line = self.lines[-1].ljust(self.column)
            self.lines[-1] = (line[:self.column] + part +
                              line[self.column + 1:])
            self.column += 1


class Run:
    def __init__(self, program, columns, words=(), env=(), terminal=True,
                 rows=24, session=False):
        self.screen = Screen(columns)
        self.receiver = subprocess.Popen(
            [program, "rx", "0"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = self.receiver.stderr.readline().decode()
        port = said.rsplit(":", 1)[1].strip()
        environment = dict(dict(os.environ, TERM="xterm"), **dict(env))
        for name in ("NO_COLOR", "COLUMNS"):
            if name not in dict(env):
                environment.pop(name, None)
        if terminal:
            self.ours, theirs = pty.openpty()
            self.resize(columns, rows)
        else:
            self.ours, theirs = os.pipe()
        command = [program, "tx", "127.0.0.1", port] + list(words)
        if session:
            # As a shell would, but with somebody else in the foreground.
            command = [sys.executable, "-IS", "-c", BACKGROUND] + command
        self.sender = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=theirs, env=environment,
            start_new_session=session)
        os.close(theirs)
        self.got, self.away = bytearray(), 0.0
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self.drain, self.give)]
        for thread in self.threads:
            thread.start()

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def drain(self):
        while True:
            data = os.read(self.receiver.stdout.fileno(), 65536)
            if not data:
                return
            self.got += data

    def give(self):
        for number in range(BLOCKS):
            self.sender.stdin.write(bytes([number]) * BLOCK)
            self.sender.stdin.flush()
            time.sleep(0.1)
        self.sender.stdin.close()

    def watch(self, until=None):
        """Until the sender has ended, or until() is true. away is how long it did not look."""
        begin = now = time.monotonic()
        while now - begin < 20 * SLOW:
            ready = select.select([self.ours], [], [], 0.01)[0]
            last, now = now, time.monotonic()
            self.away = max(self.away, now - last)
            if ready:
                try:
                    data = os.read(self.ours, 65536)
                except OSError:
                    return
                if not data:
                    return
                self.screen.feed(data)
                if until and until():
                    return
        raise AssertionError("the sender does not end")

    def end(self):
        assert self.sender.wait(20 * SLOW) == 0, self.sender.returncode
        assert self.receiver.wait(20 * SLOW) == 0, self.receiver.returncode
        for thread in self.threads:
            thread.join(5)
        want = b"".join(bytes([n]) * BLOCK for n in range(BLOCKS))
        assert bytes(self.got) == want, "the bytes differ"

    def shows(self, least, most):
        """The last line is a progress line of such a length."""
        last = self.screen.states[-1]
        return least <= len(last) < most and "iB" in last

    def drawn(self):
        """The progress lines, as they were seen."""
        return [s for s in self.screen.seen if "/s" in s and
                not s.startswith("viamillipede")]


# Leads its session, has the terminal, runs the rest in a group of its own that
# is not in the foreground.
BACKGROUND = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.execv(sys.argv[1], sys.argv[1:])
try:
    os.setpgid(pid, pid)
except PermissionError:
    pass                        # the child did, and runs the program already
os.close(0)
assert os.tcgetpgrp(2) == os.getpgrp()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

LINE = re.compile(r"tx +[0-9.]+ [KM]iB +[0-9.]+ [KM]?i?B/s  mean [0-9.]+ "
                  r"[KM]iB/s  0:00:0\d  \d legs?  waits for source")


def plain(program):
    run = Run(program, 100)
    run.watch()
    run.end()
    drawn = run.drawn()
    assert len(drawn) >= 3, run.screen.states
    assert any(LINE.fullmatch(s) for s in drawn), drawn
    # One line, and then the summary in its place.
    lines = [s for s in run.screen.lines if s and run.screen.wrapped == 0 or s]
    assert lines[0].startswith("viamillipede: sent 3200000 bytes"), lines
    assert b"done" in run.screen.raw and b"\033[32m" in run.screen.raw


def size(program):
    run = Run(program, 120, ["size", "6400000"])
    run.watch()
    run.end()
    drawn = run.drawn()
    assert any(re.search(r"^tx +\d\d%  \[=*> *\] .* 0:00:0\d left ", s)
               for s in drawn), drawn
    # More comes than was said: never more than all of it.
    run = Run(program, 120, ["size", "1M"])
    run.watch()
    run.end()
    drawn = run.drawn()
    assert "100%  [====" in drawn[-1], drawn
    assert not any(re.search(r"[2-9]\d\d%", s) for s in drawn), drawn


def narrow(program):
    for columns in (2, 20, 47):
        run = Run(program, columns, ["quiet", "size", "3M"] if columns == 2
                  else ["size", "3M", "verbose", "1"])
        run.watch()
        run.end()
        drawn = [s for s in run.screen.states[:-1] if "iamil" not in s]
        assert all(len(s) < columns for s in drawn[:3]), drawn
        if columns >= 20:
            assert any("MiB" in s for s in drawn), drawn


def resized(program):
    run = Run(program, 120)
    run.watch(lambda: run.shows(40, 120))
    run.resize(40)
    run.watch(lambda: run.shows(1, 40))
    assert run.shows(1, 40), run.screen.states
    run.resize(0)
    run.watch()
    run.end()


def nocolor(program):
    run = Run(program, 100, env={"NO_COLOR": "1"})
    run.watch()
    run.end()
    assert len(run.drawn()) >= 3
    assert not re.search(rb"\x1b\[[0-9;]*m", run.screen.raw), run.screen.raw


def dumb(program):
    run = Run(program, 100, env={"TERM": "dumb"})
    run.watch()
    run.end()
    assert len(run.drawn()) >= 3
    assert b"\x1b" not in run.screen.raw, run.screen.raw


def messages(program):
    """Hundreds of them: each is whole, and the line is below them all. None is dropped
    but where a busy machine keeps this process from reading for long."""
    run = Run(program, 300, ["verbose", "20", "size", "9M"])
    run.watch()
    run.end()
    lines = [s for s in run.screen.lines[:-1] if s]
    assert len(lines) > 100, lines
    for line in lines:
        if line.endswith("standard error did not take them"):
            assert SLOW > 1 or run.away > LOG_TIMEOUT_S / 2, (run.away, line)
            continue
        assert re.match(r"viamillipede: \d{4}-\d\d-\d\dT\S+Z \S", line), line
        assert "MiB/s" not in line or " sent " in line, line
    assert len(run.drawn()) > 20, len(run.drawn())


def quiet(program):
    run = Run(program, 100, ["quiet"])
    run.watch()
    run.end()
    assert run.screen.raw == b"", run.screen.raw
    run = Run(program, 300, ["quiet", "verbose", "2"])
    run.watch()
    run.end()
    assert run.drawn() == [] and b" sent 3200000 " in run.screen.raw


def silent(program):
    run = Run(program, 100, ["verbose", "0"])
    run.watch()
    run.end()
    assert run.screen.raw == b"", run.screen.raw


def gone(program):
    run = Run(program, 100, ["verbose", "20"])
    run.watch(lambda: run.shows(1, 120))
    os.close(run.ours)
    run.end()


def forced(program):
    run = Run(program, 10000, ["progress"], terminal=False)
    run.watch()
    run.end()
    assert len(run.drawn()) >= 3, run.screen.raw
    assert b"\x1b" not in run.screen.raw, run.screen.raw
    assert run.screen.raw.endswith(b"done\n"), run.screen.raw
    assert run.screen.raw.count(b"\n") == 1, run.screen.raw
    # And not where nobody asked for it.
    run = Run(program, 10000, terminal=False)
    run.watch()
    run.end()
    assert run.screen.raw == b"", run.screen.raw


def background(program):
    run = Run(program, 300, ["verbose", "2"], session=True)
    run.watch()
    run.end()
    assert run.drawn() == [], run.drawn()
    assert b" sent 3200000 " in run.screen.raw, run.screen.raw


if __name__ == "__main__":
    try:
        globals()[sys.argv[2]](os.path.abspath(sys.argv[1]))
    except AssertionError as e:
        sys.exit("%s: %s" % (sys.argv[2], e))
