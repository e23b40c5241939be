"""Runs one program for a test under a name, and tells how it ended.

usage: t_run.py NAME [in=socket|pty|reset|/PATH] [out=socket|pty]
               [err=broken|clogged] [nonblock=FD,...] [close=FD,...]
               -- PROGRAM [ARGUMENT ...]

Started in the background by `start` in lib.sh, with $T as the scratch
directory. The program gets this process's standard input and output, or, with
in= and out=, one end of a socket or terminal that is pumped from or to them, or
the file (or directory) at a path. Its standard error is the file $T/NAME.err, or
a pipe that nobody has open to read, or one that is full. Signals are as in a
fresh login: a shell's background jobs inherit SIGINT ignored, which would make
tests of SIGINT worthless.

    $T/NAME.pid   the program's process id, once it runs
    $T/NAME.end   when it is gone: "exit 0 RSS_KIB SECONDS" or "signal 15 ..."

RSS_KIB is the most memory that it ever had, never below this process's own 10
MiB. SIGTERM to this process kills the program; so nothing outlives its test.
"""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
import tty

BLOCK = 65536


def settings(arguments):
    cut = arguments.index("--")
    options = dict(word.split("=", 1) for word in arguments[1:cut])
    return arguments[0], options, arguments[cut + 1:]


def fds(text):
    return [int(word) for word in text.split(",")] if text else []


def write_whole(path, text):
    """Readers never see half of it."""
    with open(path + ".new", "w") as f:
        f.write(text + "\n")
    os.rename(path + ".new", path)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def pump(source, sink, last):
    """Copies until end of file or an error, also until nobody reads the sink
    any more, so that a program behind it learns of that; then calls last()."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(sink, 0)
    try:
        while True:
            events = dict(poll.poll())
            if events.get(sink, 0) & (select.POLLERR | select.POLLHUP):
                break
            data = os.read(source, BLOCK)   # EIO: the terminal has closed
            if not data:
                break
            write_all(sink, data)
    except OSError:
        pass
    last()


def terminal(end_of_file):
    """A terminal that passes bytes on as they are; as standard input it keeps
    its lines and its ^D, the way a person would end it."""
    ours, theirs = pty.openpty()
    if end_of_file:
        mode = termios.tcgetattr(theirs)
        mode[3] &= ~(termios.ECHO | termios.ISIG)
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
    else:
        tty.setraw(theirs)
    return ours, theirs


def feed(kind):
    """Standard input over a socket or terminal, or over a connection that is
    reset at the end; returns the program's end and the pump, not started."""
    if kind == "reset":
        listener = socket.create_server(("127.0.0.1", 0))
        theirs = socket.create_connection(listener.getsockname())
        ours = listener.accept()[0]
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        our_fd, their_fd = ours.fileno(), theirs.detach()
    elif kind == "socket":
        ours, theirs = socket.socketpair()
        our_fd, their_fd = ours.fileno(), theirs.detach()
    else:
        our_fd, their_fd = terminal(True)
    source = os.dup(0)

    def last():
        if kind == "reset":
            ours.close()
        elif kind == "socket":
            ours.shutdown(socket.SHUT_WR)
        else:
            os.write(our_fd, b"\x04")

    return their_fd, threading.Thread(
        target=pump, args=(source, our_fd, last), daemon=True)


def drain(kind):
    if kind == "socket":
        ours, theirs = socket.socketpair()
        our_fd, their_fd = ours.detach(), theirs.detach()
    else:
        our_fd, their_fd = terminal(False)
    sink = os.dup(1)

    def last():
        os.close(our_fd)
        os.close(sink)

    return their_fd, threading.Thread(
        target=pump, args=(our_fd, sink, last), daemon=True)


def fill(pipe):
    os.set_blocking(pipe, False)
    try:
        while True:
            os.write(pipe, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(pipe, True)


def child(command, wanted, options):
    """Becomes the program; wanted maps its descriptors to ours."""
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                pass
    for fd, ours in wanted.items():
        os.dup2(ours, fd)
    for fd in fds(options.get("nonblock")):
        fcntl.fcntl(fd, fcntl.F_SETFL,
                    fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
    for fd in fds(options.get("close")):
        os.close(fd)
    try:
        os.execvp(command[0], command)
    except OSError as e:
        try:
            os.write(2, ("%s: %s\n" % (command[0], e)).encode())
        except OSError:
            pass
    os._exit(127)


def main():
    name, options, command = settings(sys.argv[1:])
    base = os.path.join(os.environ["T"], name)
    began = time.monotonic()
    wanted, pumps = {}, []
    if options.get("in", "").startswith("/"):
        wanted[0] = os.open(options["in"], os.O_RDONLY)
    elif "in" in options:
        wanted[0], thread = feed(options["in"])
        pumps.append(thread)
    if "out" in options:
        wanted[1], thread = drain(options["out"])
        pumps.append(thread)
    if "err" in options:
        unread, wanted[2] = os.pipe()
        if options["err"] == "broken":
            os.close(unread)
        else:
            fill(wanted[2])
    else:
        wanted[2] = os.open(base + ".err", os.O_WRONLY | os.O_APPEND |
                            os.O_CREAT | os.O_TRUNC, 0o644)
    pid = os.fork()
    if pid == 0:
        child(command, wanted, options)

    def kill(*_):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass                    # it has just ended

    signal.signal(signal.SIGTERM, kill)

    # Of the program's descriptors nothing may stay open here: the pipes'
    # other ends have to see it die.
    nothing = os.open("/dev/null", os.O_RDWR)
    for thread in pumps:
        thread.start()
    for fd in wanted.values():
        os.close(fd)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    write_whole(base + ".pid", str(pid))

    _, status, usage = os.wait4(pid, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "out" in options:
        pumps[-1].join(5)
    how = "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) \
        else "exit %d" % os.WEXITSTATUS(status)
    write_whole(base + ".end", "%s %d %.2f" % (
        how, usage.ru_maxrss, time.monotonic() - began))


if __name__ == "__main__":
    main()
