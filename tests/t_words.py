"""What stands in the words of `ssh` arrives as it was written, and nothing else reads it.

usage: t_words.py COMMANDS V T SSHCOMMAND   commands of all kinds, through a real ssh
       t_words.py SERVE V                   orders that are none, at `serve`

COMMANDS: each command saves the argument list of the shell that runs it, which
has the command itself in it, byte for byte; what would happen if anybody
expanded it is that a file T/expanded appears.
SERVE: each must end with status 2 and one line, within seconds.
"""

import os
import random
import select
import subprocess
import sys
import time

SLOW = int(os.environ.get("TEST_SLOW", "1"))
SEED = int(os.environ.get("TEST_SEED", "20240229"))
TOKEN, KEY = b"0123456789abcdef" * 2, b"0123456789abcdef" * 4


def fail(text):
    sys.exit("FAILED: " + text)


def commands(scratch):
    touch = b"touch " + scratch.encode() + b"/expanded"
    trap = b"$(" + touch + b")`" + touch + b"`;" + touch + b"|" + touch + b"&" + touch
    yield b""
    yield b"'\"" + trap
    yield b"''\"\" \\ \\\\ \\' $$ $1 ${HOME} !! !$ ~ * ? [a-z] {a,b} <(x) >/nowhere"
    yield b"\n\n  two\n\nlines\n'" + trap + b"\n"
    yield b"\t\r\v\f\x01\x1b[31m\x7f"
    yield "äöü € 猫 \u202e".encode() + b"\xff\xfe\x80"
    yield b"viamillipede orders 2 " + TOKEN + b" " + KEY + b" 1\n3\nabc\n"
    yield b"-c -- exec rx 0 wait 1"
    draw = random.Random(SEED)
    letters = b"'\"$`\\\n;&|<>(){}[]*?!~#= \tab\xc3\xa4\xff" + bytes([1])
    for size in (100, 4096, 100 * 1024):
        yield b"".join(bytes([draw.choice(letters)]) for _ in range(size))


def run_commands(program, scratch, ssh):
    saved = os.path.join(scratch, "saved")
    for number, tail in enumerate(commands(scratch)):
        # The shell reads no further than the exit.
        command = b"cp /proc/$$/cmdline " + saved.encode() + b"; cat >/dev/null; exit 0\n" + tail
        done = subprocess.run(
            [program, "ssh", "there", "exec", command, "ssh-command", ssh, "remote-program",
             scratch + "/far"], input=b"x" * 1000, capture_output=True, timeout=30 * SLOW)
        if done.returncode != 0 or done.stdout or done.stderr:
            fail("command %d: %d %r" % (number, done.returncode, done.stderr[:300]))
        with open(saved, "rb") as f:
            got = f.read().split(b"\0")
        os.unlink(saved)
        if got[0] != b"/bin/sh" or got[-2] != command or got[-1] != b"":
            fail("command %d arrives as %r" % (number, got[:5]))
        if os.path.exists(os.path.join(scratch, "expanded")):
            fail("command %d was expanded" % number)


def orders(*words):
    text = b"viamillipede orders 2 %s %s %d\n" % (TOKEN, KEY, len(words))
    return text + b"".join(b"%d\n%s\n" % (len(w), w) for w in words)


def serve(program, text, end=True):
    """Its status and what it said; without end its standard input stays open."""
    process = subprocess.Popen([program, "serve"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    view = memoryview(text)
    os.set_blocking(process.stdin.fileno(), False)
    until = time.monotonic() + 20 * SLOW
    while view and process.poll() is None:
        if time.monotonic() > until:
            fail("it neither takes %r nor ends" % text[:100])
        select.select([], [process.stdin], [], 0.1)
        try:
            view = view[os.write(process.stdin.fileno(), view):]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            break
    if end:
        process.stdin.close()
    try:
        process.wait(20 * SLOW)
    except subprocess.TimeoutExpired:
        fail("it hangs after %r" % text[:200])
    said, errors = process.stdout.read(), process.stderr.read()
    if process.stdin:
        process.stdin.close()
    return process.returncode, said, errors


def must_refuse(program, text, why, end=True):
    status, said, errors = serve(program, text, end)
    if status != 2 or said or errors.count(b"\n") != 1 or why not in errors:
        fail("%r: %d %r %r" % (text[:200], status, said, errors))


def run_serve(program):
    whole = orders(b"rx", b"0", b"wait", b"1", b"exec", b"true")
    for cut in range(len(whole)):
        must_refuse(program, whole[:cut], b"the orders end too early")
    status, said, errors = serve(program, whole)
    if status != 4 or not said.startswith(b"\nviamillipede answer 2 " + TOKEN + b" "):
        fail("whole orders: %d %r %r" % (status, said, errors))
    alien, malformed = b"no orders of this version", b"orders are malformed"
    for text in (b"\n", b"hello\n", b"\0" * 10, b"x" * (2 << 20), whole.replace(b" 2 ", b" 3 ", 1),
                 whole.replace(KEY, KEY[1:]), whole.replace(TOKEN, TOKEN.upper()),
                 whole.replace(b" 6\n", b" 257\n"), whole.replace(b" 6\n", b" -6\n"),
                 whole.replace(b" 6\n", b"\n"), b"viamillipede orders 2 " + b"x" * (2 << 20)):
        must_refuse(program, text, alien, end=False)
    for text in (whole.replace(b"2\nrx", b"1\nrx"), whole.replace(b"2\nrx", b"-2\nrx"),
                 whole.replace(b"2\nrx", b"99999999999\nrx"), whole.replace(b"rx", b"r\0"),
                 whole.replace(b"2\nrx", b"\nrx"), whole.replace(b"2\nrx", b"\0"),
                 whole[:whole.index(b"2\nrx")] + b"7" * (2 << 20),
                 orders(b"rx", b"0", b"exec", b"x" * (2 << 20))):
        must_refuse(program, text, malformed, end=False)
    # Well formed, but nothing for a side that listens.
    for words in ((b"tx", b"127.0.0.1", b"1"), (b"fetch", b"127.0.0.1", b"1"), (b"serve",),
                  (b"--help",), (b"-V",), (b"ssh", b"x", b"exec", b"y")):
        must_refuse(program, orders(*words), b"not for a side that listens", end=False)
    for words in ((), (b"",), (b"rx",), (b"rx", b"0", b"rx", b"0"), (b"\x1b[31m",),
                  (b"rx", b"70000"), tuple([b"checksum"] * 256)):
        must_refuse(program, orders(*words), b"", end=False)


def main():
    if sys.argv[1] == "COMMANDS":
        run_commands(*sys.argv[2:])
    else:
        run_serve(*sys.argv[2:])


if __name__ == "__main__":
    main()
