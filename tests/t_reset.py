"""Can `ss -K` reset connections here? Tries it on one of its own; 0 or 1."""

import socket
import subprocess
import sys


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    caller = socket.create_connection(listener.getsockname())
    accepted = listener.accept()[0]
    accepted.settimeout(1)
    try:
        subprocess.run(
            ["ss", "-K", "-t", "-n",
             "sport = :%d" % caller.getsockname()[1],
             "dport = :%d" % listener.getsockname()[1]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        accepted.recv(1)
    except ConnectionResetError:
        return 0
    except OSError:
        pass
    return 1


if __name__ == "__main__":
    sys.exit(main())
