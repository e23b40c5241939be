"""What a test's own sshd has started, and what of ssh logs in to it, from /proc.

usage: t_far.py T LIST     processes with FAR_OF=T in their environment, and their
                           arguments, one in a line; zombies too
       t_far.py T SERVE    the processes of the remote sides among them
       t_far.py T SSH      processes of ssh with the configuration in T
       t_far.py T OPEN     of each remote side the number of its open descriptors
"""

import glob
import os
import sys


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def parent(entry):
    fields = read(entry + "/stat").rpartition(b")")[2].split()
    return "/proc/%d" % int(fields[1]) if fields else ""


def runs_serve(entry):
    return read(entry + "/cmdline").split(b"\0")[1:2] == [b"serve"]


def main():
    scratch, what = sys.argv[1:]
    mark = ("FAR_OF=" + scratch).encode()
    config = (scratch + "/ssh_config").encode()
    for entry in glob.glob("/proc/[0-9]*"):
        number = entry[6:]
        words = read(entry + "/cmdline").split(b"\0")
        far = mark in read(entry + "/environ").split(b"\0")
        # The guardian of a command has the words of its parent.
        serves = far and runs_serve(entry) and not runs_serve(parent(entry))
        if what == "SSH" and (words[0].split(b"/")[-1] != b"ssh" or config not in words):
            continue
        if what == "LIST" and not far or what in ("SERVE", "OPEN") and not serves:
            continue
        if what == "OPEN":
            try:
                print(len(os.listdir(entry + "/fd")))
            except OSError:
                pass
        elif what == "SERVE":
            print(number)
        else:
            print(number, b" ".join(words).decode("utf-8", "replace")[:200])


if __name__ == "__main__":
    main()
