"""A sender as a job of a shell: `t_job.py PROGRAM` plays the shell, on a terminal of
its own, from which the sender reads.  In the background it is stopped and not
failed, in the foreground it goes on, and the terminal's key suspends it.  A message
and status 1 say what is wrong.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

LIMIT = 20 * int(os.environ.get("TEST_SLOW", "1"))


class Shell:
    """Leads the session whose terminal it is; the hand that types has the other end."""

    def __init__(self, hand):
        self.hand, self.job = hand, None
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def type(self, text):
        os.write(self.hand, text)

    def start(self, program, port):
        self.job = os.fork()
        if self.job == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execv(program, [program, "tx", "127.0.0.1", port])
        try:
            os.setpgid(self.job, self.job)
        except OSError:
            pass                        # it has done so itself

    def foreground(self):
        os.tcsetpgrp(0, self.job)
        self.go_on()

    def background(self):
        os.tcsetpgrp(0, os.getpgrp())
        self.go_on()

    def go_on(self):
        os.kill(-self.job, signal.SIGCONT)

    def wait(self):
        """The signal that stopped it, or None and the exit status."""
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            pid, status = os.waitpid(self.job, os.WUNTRACED | os.WNOHANG)
            if pid:
                return ((os.WSTOPSIG(status), None) if os.WIFSTOPPED(status) else
                        (None, status))
            time.sleep(0.02)
        sys.exit("the job neither stops nor ends")

    def must_stop(self, number, what):
        stopped, status = self.wait()
        if stopped != number:
            sys.exit("%s: stopped by %s, ended with %s" % (what, stopped, status))


def play(program, port, hand):
    shell = Shell(hand)
    shell.start(program, port)
    shell.must_stop(signal.SIGTTIN, "started in the background")
    shell.go_on()
    shell.must_stop(signal.SIGTTIN, "continued in the background")
    shell.foreground()
    shell.type(b"one\n")
    if not select.select([4], [], [], LIMIT)[0] or os.read(4, 1) != b"1":
        sys.exit("in the foreground nothing is sent")
    shell.type(b"\x1a")
    shell.must_stop(signal.SIGTSTP, "suspended by a key")
    shell.background()
    shell.must_stop(signal.SIGTTIN, "suspended, and continued in the background")
    # What it has to say stops it, too, where the terminal is set so.
    mode = termios.tcgetattr(0)
    mode[3] |= termios.TOSTOP
    termios.tcsetattr(0, termios.TCSANOW, mode)
    shell.foreground()
    shell.type(b"two\n\x04")
    stopped, status = shell.wait()
    if status != 0:
        sys.exit("at the end: stopped by %s, ended with %s" % (stopped, status))


def main():
    program = sys.argv[1]
    rx = subprocess.Popen([program, "rx", "0", "bind", "127.0.0.1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    port = re.search(rb":(\d+)\n", rx.stderr.readline()).group(1).decode()
    typed, hand = os.pipe()
    seen, tell = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.close(typed)
        os.close(tell)
        os.dup2(hand, 9)
        os.dup2(seen, 4)
        for other in (3, 5, 6, 7, 8):
            try:
                os.close(other)
            except OSError:
                pass
        os.set_inheritable(4, False)
        os.set_inheritable(9, False)
        play(program, port, 9)
        os._exit(0)
    os.close(hand)
    os.close(seen)
    got, screen = b"", b""
    while True:
        for ready in select.select([typed, fd, rx.stdout], [], [], LIMIT)[0] or sys.exit(
                "nothing happens: %r" % screen):
            if ready == typed:
                os.write(fd, os.read(typed, 100))
            elif ready == fd:
                try:
                    screen += os.read(fd, 4096)
                except OSError:
                    _, status = os.waitpid(pid, 0)
                    if status != 0 or rx.wait(LIMIT) != 0:
                        sys.exit("it ended with %x: %r" % (status, screen))
                    got += rx.stdout.read()
                    sys.exit(got != b"one\ntwo\n" and "came: %r" % got)
            else:
                before = got
                got += os.read(rx.stdout.fileno(), 100)
                if before == b"" and got:
                    os.write(tell, b"1")


main()
