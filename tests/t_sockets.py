"""What TCP sockets a process has, from /proc, one in a line.

usage: t_sockets.py listening PID    the ports it listens on
       t_sockets.py connected PID    the local ports of its established
                                     connections
       t_sockets.py addresses PID    the local IPv4 addresses of those
"""

import glob
import os
import sys

STATES = {"listening": "0A", "connected": "01", "addresses": "01"}


def main():
    state, pid = STATES[sys.argv[1]], sys.argv[2]
    sockets = set()
    for link in glob.glob("/proc/%s/fd/*" % pid):
        try:
            sockets.add(os.readlink(link))
        except OSError:
            pass
    found = set()
    for table in ("/proc/%s/net/tcp" % pid, "/proc/%s/net/tcp6" % pid):
        if not os.path.exists(table):
            continue
        with open(table) as f:
            for line in f.readlines()[1:]:
                word = line.split()
                if word[3] == state and "socket:[%s]" % word[9] in sockets:
                    address, port = word[1].rsplit(":", 1)
                    if sys.argv[1] != "addresses":
                        found.add(int(port, 16))
                    else:           # the last four bytes, little-endian
                        raw = bytes.fromhex(address[-8:])[::-1]
                        found.add(".".join(map(str, raw)))
    for one in sorted(found):
        print(one)


if __name__ == "__main__":
    main()
