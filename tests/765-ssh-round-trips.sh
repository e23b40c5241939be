#!/bin/sh
# Goal: Over a long path `ssh` takes hardly longer than a command that reads its input
# there: for an empty stream to there, until its end, a round trip more, and for the first
# byte from there none. sshd itself takes no input before the command runs, which is a
# round trip that a command without input does without. The times are medians of runs
# side by side over one login, and are printed.
# promise: OPTIONS ssh
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need_root "makes an emulated path"
# So long that the speed of a machine hardly counts.
ms=${PATH_MS:-500}
lab "200M/${ms}ms"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# shellcheck disable=SC2034
SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2

# Nothing but the runs takes time.
cat >"$T/turns.py" <<'END'
import statistics, subprocess, sys, threading, time
program, ssh, far, trip = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
words = ["remote-program", far, "ssh-command"]
push, pull = ["exec", "cat >/dev/null"] + words, ["source", "echo hello"] + words
# In place of ssh: the other side runs here.
here = "sh -c 'exec sh -c \"$3\"' sh"

RUNS = {        # name: (what to write, until the first byte and not the end, command)
    "ssh true": (b"", False, ssh.split() + ["there", "true"]),
    "ssh read": (b"x\n", False, ssh.split() + ["there", "read x"]),
    "push": (b"", False, [program, "ssh", "there"] + push + [ssh]),
    "push here": (b"", False, [program, "ssh", "there"] + push + [here]),
    "ssh echo": (b"", True, ssh.split() + ["there", "echo hello"]),
    "ssh read, echo": (b"x\n", True, ssh.split() + ["there", "read x; echo hello"]),
    "pull": (b"", True, [program, "ssh", "there"] + pull + [ssh]),
    "pull here": (b"", True, [program, "ssh", "there"] + pull + [here]),
}
took = {name: [] for name in RUNS}

def run(name, text, first, argv):
    began = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(text)
    p.stdin.close()
    byte = p.stdout.read(1)
    until = time.monotonic()
    p.stdout.read()
    if p.wait() == 0 and (byte != b"") == first:
        took[name].append(1000 * ((until if first else time.monotonic()) - began))

for turn in range(5):
    threads = [threading.Thread(target=run, args=(name,) + RUNS[name]) for name in RUNS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in RUNS:
        assert len(took[name]) == turn + 1, name + " failed"
m = {name: statistics.median(took[name]) for name in RUNS}
for name in RUNS:
    print("%-14s %5.0f ms, of %s" % (name, m[name], " ".join("%.0f" % t for t in took[name])))
for one, other, most in ("push", "ssh read", 1), ("pull", "ssh read, echo", 0):
    more, alone = m[one] - m[other], m[one + " here"]
    print("%s: %.0f ms more than %s, %.0f ms of them in processes: %.2f round trips" %
          (one, more, other, alone, (more - alone) / trip))
    assert more < (most + 0.5) * trip + alone, one
END
# shellcheck disable=SC2086
ip netns exec "$NS_A" $SSH -S "$T/master" -o ControlPersist=60 -fNM there
ip netns exec "$NS_A" "$PY" -IS "$T/turns.py" "$V" "$SSH -S $T/master" "$T/far" "$ms" ||
    fail "a run failed, or took too long"
# shellcheck disable=SC2086
ip netns exec "$NS_A" $SSH -S "$T/master" -O exit there 2>"$T/exit"
nothing_left 10
