"""Kills one of the processes of a transfer and looks at what is made of it.

usage: t_killed.py PROGRAM SCRATCH SEED ROUNDS [VICTIM ...]

In each round a command takes its input for a whole image when that ends, run by
PROGRAM rx, or by the remote side of PROGRAM ssh, with a shell in ssh's place. At a
random moment before, while or after the stream comes, one of the processes is
killed, the local side and the receiver also by SIGQUIT and SIGSEGV, and the receiver
also with its process group. A sanitizer's build gets no SIGSEGV, because its handler
reports one from outside, too, as a fault of the program; with the handler off
(handle_segv=0) real faults would go without a report. VICTIMs are rx (which is what there is otherwise), tx,
command, source, near, ssh and far. Of the image there must be all or nothing; nobody
ends with 0 without an image; and soon after `linger' nothing is left, neither
commands nor guardians. Exits with 0 if all that was so, says the round's number
otherwise.
"""

import concurrent.futures
import os
import random
import resource
import signal
import subprocess
import sys
import time

SLOW = int(os.environ.get("TEST_SLOW", "1"))
SANITIZERS = (b"__asan_init", b"__tsan_init", b"__msan_init")
SIZE = 6000000
LINGER = "2"
AT_ONCE = 6
SHAPES = {
    "whole": "cat whole",
    "held": "cat whole; exec sleep 60",
    "slow": "for i in 1 2 3 4 5 6; do tail -c +$((1000000 * i - 999999)) whole "
            "| head -c 1000000; sleep 0.02; done",
}
COMMANDS = (
    "echo $$ >pid; cat >new && mv new image",
    "echo $$ >pid; cat | cat >new && mv new image",
    "echo $$ >pid; dd of=new bs=64k status=none && mv new image; sleep 0.05",
)


def within(seconds, true):
    until = time.monotonic() + seconds * SLOW
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def group_is_empty(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def fatal_signals(program):
    """Those that end a process at once, or, as SIGQUIT, soon."""
    text = read(program)
    if any(name in text for name in SANITIZERS):
        return signal.SIGKILL, signal.SIGQUIT
    return signal.SIGKILL, signal.SIGQUIT, signal.SIGSEGV


def marked(mark):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/environ" % entry, "rb") as f:
                if mark in f.read().split(b"\0"):
                    found.append(entry)
        except (OSError, NotADirectoryError):
            pass
    return found


class Round:
    def __init__(self, program, scratch, number, rng):
        self.program, self.rng = program, rng
        self.place = os.path.join(scratch, "round%d" % number)
        os.mkdir(self.place)
        self.mark = "KILLED=%s" % self.place
        self.whole = rng.randbytes(SIZE)
        self.ends = {}

    def path(self, name):
        return os.path.join(self.place, name)

    def start(self, *words, **how):
        with open(self.path(words[0] + ".err"), "wb") as err:
            return subprocess.Popen(
                [self.program, *words], stderr=err, cwd=self.place,
                env=dict(os.environ, KILLED=self.place), start_new_session=True, **how)

    def port(self):
        text = read(self.path("rx.err")) or b""
        at = text.find(b"listening on ")
        if at == -1 or b"\n" not in text[at:]:
            return None
        return text[at:].split(b"\n")[0].rsplit(b":", 1)[1].decode()

    def victim(self, which):
        """The process that is to be killed; None: there is none just now."""
        files = {"command": "pid", "source": "source", "ssh": "ssh.pid", "far": "far.pid"}
        if which in files:
            text = read(self.path(files[which]))
            return int(text) if text and text.strip() else None
        return self.ends["tx" if which in ("tx", "near") else "rx"].pid

    def begin_pair(self, command, feed, source):
        self.ends["rx"] = self.start("rx", "0", "linger", LINGER, "wait", "5", "exec", command,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if not within(10, self.port):
            return "rx does not listen"
        words = ["tx", "127.0.0.1", self.port(), "linger", LINGER, "wait", "5"]
        if source:
            words += ["source", "echo $$ >source; " + source]
        self.ends["tx"] = self.start(*words, stdin=feed.stdout, stdout=subprocess.DEVNULL)
        return None

    def begin_ssh(self, command, feed):
        """What is run in the place of ssh leaves its own number, and the remote side's."""
        with open(self.path("shell"), "w", encoding="ascii") as f:
            f.write('#!/bin/sh\necho $$ >ssh.pid\nexec 3<&0\n'
                    'sh -c "echo \\$\\$ >far.pid; exec $3" <&3 3<&- &\nexec 3<&-\nwait\n')
        os.chmod(self.path("shell"), 0o755)
        self.ends["tx"] = self.start(
            "ssh", "127.0.0.1", "exec", command, "linger", LINGER, "wait", "5", "remote", self.program,
            "ssh-command", self.path("shell"), stdin=feed.stdout, stdout=subprocess.DEVNULL)

    def run(self, which):
        rng = self.rng
        with open(self.path("whole"), "wb") as f:
            f.write(self.whole)
        command, shape = rng.choice(COMMANDS), rng.choice(sorted(SHAPES))
        source = SHAPES[shape] if which == "source" else None
        self.feed = subprocess.Popen(
            ["sh", "-c", "exec sleep 60" if source else SHAPES[shape]], cwd=self.place,
            stdout=subprocess.PIPE, start_new_session=True)
        if which in ("near", "ssh", "far"):
            why = self.begin_ssh(command, self.feed)
        else:
            why = self.begin_pair(command, self.feed, source)
        self.feed.stdout.close()
        if why:
            return why
        time.sleep(rng.random() ** 2 * 0.25 + (0.1 if which in ("near", "ssh", "far") else 0))
        # One that begins late is killed as soon as it is there.
        within(5, lambda: self.victim(which))
        pid = self.victim(which)
        number = signal.SIGKILL
        if which in ("rx", "tx", "near"):
            number = rng.choice(fatal_signals(self.program))
        try:
            if pid and which == "rx" and rng.random() < 0.3:
                os.killpg(pid, signal.SIGKILL)
            elif pid:
                os.kill(pid, number)
        except ProcessLookupError:
            pass
        why = self.judge()
        return why and "%s (%s to %s, %s)" % (why, signal.Signals(number).name, which, shape)

    def end(self):
        for process in (self.feed, *self.ends.values()):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        for pid in marked(self.mark.encode()):
            os.kill(int(pid), signal.SIGKILL)

    def others(self):
        """What is left."""
        for process in self.ends.values():
            process.poll()
        return marked(self.mark.encode())

    def judge(self):
        until = time.monotonic() + (int(LINGER) + 10) * SLOW
        # A source that goes on without end must not keep them when all is well.
        while self.others() and time.monotonic() < until:
            if time.monotonic() > until - (int(LINGER) + 4) * SLOW:
                try:
                    os.killpg(self.feed.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        left = self.others()
        if left:
            return "left: %s" % [read("/proc/%s/cmdline" % p) for p in left]
        pid = read(self.path("pid"))
        # What is dead is not reaped by us.
        if pid and pid.strip() and not within(4, lambda: group_is_empty(int(pid))):
            return "the command lives on"
        image = read(self.path("image"))
        if image is not None and image != self.whole:
            return "an image of %d bytes of %d" % (len(image), SIZE)
        for name, process in self.ends.items():
            if process.wait() == 0 and image is None:
                return "%s ended with 0 without an image" % name
        return None


def play(program, scratch, seed, number, victims):
    rng = random.Random("%s.%d" % (seed, number))
    one = Round(program, scratch, number, rng)
    try:
        why = one.run(rng.choice(victims))
    finally:
        one.end()
    if not why:
        subprocess.run(["rm", "-rf", one.place], check=True)
    return why and "round %d of seed %s: %s" % (number, seed, why)


def main():
    program, scratch, seed, rounds = sys.argv[1:5]
    victims = sys.argv[5:] or ["rx"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        played = pool.map(lambda n: play(program, scratch, seed, n, victims),
                          range(int(rounds)))
        wrong = [why for why in played if why]
    sys.exit("\n".join(wrong) if wrong else 0)


main()
