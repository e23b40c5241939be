"""Transfers in which SIGKILL hits a random process at a random moment.

usage: kills.py SCRATCH PROGRAM [-n RUNS] [-f FIRST] [-j AT_ONCE] [-v] [SEED ...]

SCRATCH has the ssh_config of a sshd, as tests/n_ssh.sh makes it. Each seed is one
session: tx and rx, offer and fetch, or the word ssh in either direction. One of these
is killed, or nobody is: the sender, the receiver, the local side's ssh, the remote side's
process, the source's command, the consumer's command. The consumer is
`cat >new && mv new image`, which must never make an image of half a stream. Judged:

  whole     the image is all of the stream
  none      there is no image, and nobody ended with 0
  cut       the image is a part of the stream
  false     somebody ended with 0, and there is no image of all of it
  left      a process was there LINGER + 10 seconds after the kill
  wrong     an exit status that the manual does not name for this

Exit status 0: each session was whole or none. What is not is told with its commands.
"""

import collections
import ctypes
import glob
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LINGER = 2
SLOW = float(os.environ.get("TEST_SLOW", "1"))
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(os.path.dirname(TESTS), "build/t_source")
GOOD = ("whole", "none")
OUTCOMES = GOOD + ("cut", "false", "left", "wrong", "driver")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def parent(pid):
    text = read("/proc/%d/stat" % pid)
    return int(text.rsplit(b")", 1)[1].split()[1]) if text else 0


class Session:
    def __init__(self, seed, scratch, program, verbose):
        self.r = r = random.Random(seed)
        self.seed, self.scratch, self.program, self.verbose = seed, scratch, program, verbose
        self.where = tempfile.mkdtemp(prefix="kill.%d." % seed, dir=scratch)
        self.shape = r.choice(("direct", "reverse", "push", "push", "pull"))
        self.victim = r.choice({
            "direct": ("sender", "receiver", "receiver", "source", "command"),
            "reverse": ("sender", "receiver", "receiver", "source", "command"),
            "push": ("near", "near", "ssh", "far", "far", "command"),
            "pull": ("near", "ssh", "far", "source"),
        }[self.shape] + ("nobody",))
        self.size = r.choice((0, 10, r.randint(1000, 100000), r.randint(100000, 2000000)))
        self.seconds = r.choice((0, 0.2, 0.5, 1))       # that the source takes
        self.moment = r.random() * (self.seconds + 0.7)
        self.commands, self.ours = [], {}

    # The commands

    def source(self):
        rate = " rate=%d" % (1 + self.size / self.seconds) if self.seconds else ""
        return "RUN=%s; export RUN; exec %s %d %d%s" % (
            self.where, SOURCE, self.size, self.seed, rate)

    def consumer(self):
        deaf = "trap '' TERM; " if self.r.random() < 0.2 else ""
        return "%sRUN=%s; export RUN; cat >%s/new && mv %s/new %s/image" % (
            deaf, *[self.where] * 4)

    def words(self):
        r = self.r
        words = ["linger", str(LINGER), "heartbeat", "3", "wait", "40", "verbose", "3"]
        if r.random() < 0.3:
            words += ["legs", r.choice(("1", "2", "4"))]
        return words

    def start(self, name, words, **streams):
        self.commands.append(" ".join(shlex.quote(w) for w in [self.program] + words))
        if self.verbose:
            print(self.commands[-1], flush=True)
        with open("%s/%s.err" % (self.where, name), "wb") as err:
            self.ours[name] = subprocess.Popen(
                [self.program] + words, stderr=err, cwd=self.where,
                env=dict(os.environ, RUN=self.where),
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams})

    def listening(self, name):
        limit = time.monotonic() + 20 * SLOW
        while time.monotonic() < limit:
            for line in read("%s/%s.err" % (self.where, name)).decode().splitlines(True):
                if "listening on " in line and line.endswith("\n"):
                    return line.rsplit(":", 1)[1].strip()
            time.sleep(0.01)
        raise RuntimeError("it does not listen")

    def begin(self):
        no_threads = [w for w in self.words()[:8]]
        if self.shape == "direct":
            self.start("receiver", ["rx", "0", *no_threads, "exec", self.consumer()])
            self.start("sender", ["tx", "127.0.0.1", self.listening("receiver"), *self.words(),
                                  "source", self.source()])
        elif self.shape == "reverse":
            self.start("sender", ["offer", "0", *no_threads, "source", self.source()])
            self.start("receiver", ["fetch", "127.0.0.1", self.listening("sender"),
                                    *self.words(), "exec", self.consumer()])
        else:
            self.begin_ssh()

    def begin_ssh(self):
        os.symlink(self.program, self.where + "/far")
        words = [*self.words(), "ssh-command", "ssh -F %s/ssh_config" % self.scratch,
                 "remote", self.where + "/far"]
        if self.r.random() < 0.2:
            words.append("tunnel")
        if self.shape == "push":
            source = subprocess.Popen(["/bin/sh", "-c", self.source()], cwd=self.where,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.start("near", ["ssh", "there", "exec", self.consumer(), *words],
                       stdin=source.stdout)
            source.stdout.close()
            self.ours["feed"] = source
        else:
            with open(self.where + "/image", "wb") as image:
                self.start("near", ["ssh", "there", "source", self.source(), *words],
                           stdout=image)

    # The processes

    def processes(self):
        """All of this session: pid -> words."""
        mark, found = self.where.encode(), {}
        for entry in glob.glob("/proc/[0-9]*"):
            pid = int(entry[6:])
            if pid == os.getpid():
                continue
            words = read(entry + "/cmdline")
            if mark in words or b"RUN=" + mark in read(entry + "/environ").split(b"\0"):
                found[pid] = words.split(b"\0")
        return found

    def target(self):
        """The victim's pid; None: it is not there (yet)."""
        if self.victim in self.ours:
            return self.ours[self.victim].pid
        ours = {p.pid for p in self.ours.values()}
        found = self.processes()
        if self.victim == "ssh":
            good = [p for p, w in found.items() if w[0].endswith(b"ssh") and parent(p) in ours]
        elif self.victim == "far":
            good = [p for p, w in found.items() if w[0].endswith(b"/far") and
                    not found.get(parent(p), [b""])[0].endswith(b"/far")]
        elif self.victim == "source":
            good = [p for p, w in found.items() if w[0].endswith(b"/t_source")]
        else:
            good = [p for p, w in found.items() if w[0] == b"cat" or
                    w[0] == b"/bin/sh" and b"/new" in b" ".join(w)]
        return self.r.choice(sorted(good)) if good else None

    def kill(self):
        """At its moment, or as soon after it as the victim is there."""
        if self.victim == "nobody":
            return
        time.sleep(self.moment)
        limit = time.monotonic() + 3
        while time.monotonic() < limit and any(p.poll() is None for p in self.ours.values()):
            pid = self.target()
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                    return
                except ProcessLookupError:
                    pass
            time.sleep(0.005)
        self.victim = "nobody"

    def reap(self):
        """Our own and orphans; one of ours whom somebody else reaped would have status 0."""
        ours = {p.pid: p for p in self.ours.values()}
        try:
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid not in ours or ours[dead.si_pid].poll() is None:
                    os.waitpid(dead.si_pid, 0)
        except ChildProcessError:
            pass

    def await_end(self):
        """False: something is left."""
        patience = LINGER + float(os.environ.get("KILLS_PATIENCE", "10")) if self.victim != "nobody" else 60
        # The far side gives whoever started it 10 s of its own, to dial again.
        if self.shape in ("push", "pull"):
            patience += 3
        if not any(b"contact -> " in read(path) for path in glob.glob(self.where + "/*.err")):
            patience = 45                   # before there is a session, `wait' holds
        limit = time.monotonic() + patience * SLOW
        while True:
            self.reap()
            if all(p.returncode is not None for p in self.ours.values()) and \
                    not self.processes():
                return True
            if time.monotonic() > limit:
                return False
            time.sleep(0.05)

    # Judging

    def expected(self):
        return subprocess.run([SOURCE, str(self.size), str(self.seed)], check=True,
                              stdout=subprocess.PIPE).stdout

    def judge(self, gone):
        statuses = {name: p.returncode for name, p in self.ours.items() if name != "feed"}
        image = self.where + "/image"
        whole = os.path.exists(image) and read(image) == self.expected()
        if os.path.exists(image) and not whole and self.shape != "pull":
            return "cut", "the image has %d bytes of %d" % (os.path.getsize(image), self.size)
        if 0 in statuses.values() and not whole:
            return "false", "0, and no image"
        if not gone:
            return "left", "%s" % {p: b" ".join(w)[:150] for p, w in self.processes().items()}
        for name, status in statuses.items():
            if status in (0, 1, 4, 5, 6, 7) or status == -9 and self.victim == name:
                continue
            return "wrong", "%s ended with %s" % (name, status)
        if self.victim == "nobody" and (not whole or any(statuses.values())):
            return "wrong", "nobody was killed, and it ended with %s" % statuses
        if self.victim == "source" and 0 in statuses.values() and not whole:
            return "false", "the source was killed"
        return ("whole" if whole else "none"), ""

    def report(self, verdict, why):
        lines = ["--- seed %d: %s: %s" % (self.seed, verdict, why),
                 "    %s, SIGKILL for %s after %.2f s, %d bytes in %.1f s, ends %s" % (
                     self.shape, self.victim, self.moment, self.size, self.seconds,
                     {n: p.returncode for n, p in self.ours.items()})]
        lines += ["    " + command for command in self.commands]
        for path in sorted(glob.glob(self.where + "/*.err")):
            lines += ["    %s| %s" % (os.path.basename(path)[0], line)
                      for line in read(path).decode("utf-8", "replace").splitlines()[-12:]]
        print("\n".join(lines), flush=True)

    def clean(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.where, ignore_errors=True)

    def go(self):
        try:
            self.begin()
            self.kill()
            verdict, why = self.judge(self.await_end())
            if verdict not in GOOD:
                self.report(verdict, why)
            return verdict
        finally:
            self.clean()


def one(seed, scratch, program, verbose):
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)     # PR_SET_CHILD_SUBREAPER
    verdict = "driver"
    try:
        verdict = Session(seed, scratch, program, verbose).go()
    except Exception as error:
        print("--- seed %d: the driver: %r" % (seed, error), flush=True)
    os._exit(OUTCOMES.index(verdict))


def main():
    scratch, program, words = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
    options, seeds, verbose = {"-n": 100, "-f": 1, "-j": 4}, [], False
    while words:
        word = words.pop(0)
        if word in options:
            options[word] = int(words.pop(0))
        elif word == "-v":
            verbose = True
        else:
            seeds.append(int(word))
    seeds = seeds or list(range(options["-f"], options["-f"] + options["-n"]))
    counts, bad = collections.Counter(), collections.defaultdict(list)
    running, began = {}, time.monotonic()
    os.nice(10)
    while seeds or running:
        while seeds and len(running) < options["-j"]:
            seed = seeds.pop(0)
            pid = os.fork()
            if pid == 0:
                one(seed, scratch, program, verbose)
            running[pid] = seed
        pid, status = os.wait()
        seed = running.pop(pid)
        verdict = OUTCOMES[os.WEXITSTATUS(status)] if os.WIFEXITED(status) else "driver"
        counts[verdict] += 1
        if verdict not in GOOD:
            bad[verdict].append(seed)
    print("%d sessions in %d s: %s" % (
        sum(counts.values()), time.monotonic() - began,
        ", ".join("%s %d" % (v, counts[v]) for v in OUTCOMES if counts[v])))
    for verdict, which in bad.items():
        print("%s: seeds %s" % (verdict, " ".join(map(str, which))))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
