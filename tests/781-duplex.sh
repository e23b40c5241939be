#!/bin/sh
# Goal: `duplex` carries both directions at once, of any length, each ended by itself, for
# pipes, for one socket and for a command; either side's `checksum' is both sides'. What
# fails at one end fails at both, and is said there.
# promise: EXIT STATUS 0, EXIT STATUS 1, EXIT STATUS 3, EXIT STATUS 6, OPTIONS duplex,
#          OPTIONS checksum, OPTIONS exec
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_duplex.sh
. "$TESTS/n_duplex.sh"

data 20000000 >"$T/a"
data 7000000 1 >"$T/b"
: >"$T/nothing"
printf 'a request\n' >"$T/short"
(umask 077 && head -c 32 /dev/urandom >"$T/key")

# --- bytes --------------------------------------------------------------------

for words in ' / ' 'checksum / ' ' / checksum' "key $T/key / key $T/key" \
    'legs 1 / window 1M' 'legs 4 checksum chaos 40:close / '; do
	listen l "${words##* / }" <"$T/a" >"$T/to_l"
	call c l "${words%% / *}" <"$T/b" >"$T/to_c"
	both_done
done
for pair in 'nothing nothing' 'a nothing' 'nothing a' 'short b'; do
	from_l=${pair% *}
	from_c=${pair#* }
	listen l '' <"$T/$from_l" >"$T/to_l"
	call c l '' <"$T/$from_c" >"$T/to_c"
	both_done "$from_c" "$from_l"
done

# One direction ends long before the other.
listen l '' <"$T/short" >"$T/to_l"
source_of 20000000 hold="10000000:$T/go" | call c l ''  >"$T/to_c"
arrived "$T/to_l" 10000000
arrived "$T/to_c" 10
must_run c
must_run l
: >"$T/go"
both_done a short

# --- one socket, as of inetd or a ProxyCommand ----------------------------------

listen l '' <"$T/a" >"$T/to_l"
start c "$PY" -IS -c 'import shutil, socket, subprocess, sys, threading
ours, theirs = socket.socketpair()
c = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()
def send():
    ours.sendall(sys.stdin.buffer.read())
    ours.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
shutil.copyfileobj(ours.makefile("rb"), sys.stdout.buffer)
sys.exit(c.wait())' "$V" duplex 127.0.0.1 "$(port l)" <"$T/b" >"$T/to_c"
both_done

# --- a command has both ----------------------------------------------------------

listen l '' exec 'cat; echo the end' </dev/null
call c l '' <"$T/b" >"$T/to_c"
ended c 0
ended l 0
printf 'the end\n' | cat "$T/b" - | cmp - "$T/to_c" || fail "the command's answer is another"

# It answers line by line, and nothing waits for more.
listen l '' exec cat </dev/null
start c "$PY" -IS -c 'import subprocess, sys, time
c = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
times = []
for i in range(300):
    began = time.monotonic()
    line = b"%d\n" % i
    c.stdin.write(line); c.stdin.flush()
    assert c.stdout.readline() == line
    times.append(time.monotonic() - began)
c.stdin.close()
assert c.stdout.read() == b"" and c.wait() == 0
times.sort()
print("there and back %.2f ms" % (times[150] * 1000))
assert times[150] < 0.1' "$V" duplex 127.0.0.1 "$(port l)"
ended c 0
ended l 0

listen l '' exec 'cat >/dev/null; echo full >&2; exit 3' </dev/null
call c l '' <"$T/b" >"$T/to_c"
ended c 6
ended l 6
told l "the listener's command exited 3"
told c "the listener's command exited 3"
told c "the listener's command: full"

listen l '' </dev/null >"$T/to_l"
call c l '' exec 'head -c 1000 >/dev/null' </dev/null
ended l 0
ended c 0
listen l '' <"$T/a" >"$T/to_l"
call c l '' exec 'head -c 1000 >/dev/null' </dev/null
ended l 6
ended c 6
told c "the caller's command exited 0 before the end of the stream"

# --- what fails -----------------------------------------------------------------

listen l '' </dev/null >"$T/to_l"
start c "$V" tx 127.0.0.1 "$(port l)" <"$T/a"
ended c 3
told c 'the roles of the two ends do not fit'
fetch c l >"$T/to_c"
ended c 3
stop l
rx l >"$T/to_l"
call c l '' </dev/null >"$T/to_c"
ended c 3
stop l

source_of 20000000 hold="5000000:$T/never" | listen l '' >"$T/to_l"
call c l '' </dev/null >"$T/to_c"
arrived "$T/to_c" 5000000
signal l TERM
ended l signal:15
ended c 1
told c 'the listener reports: ended by SIGTERM'

listen l '' <"$T/a" >"$T/to_l"
call c l '' <"$T/b" | start sink head -c 1000 >"$T/to_c"
ended c 1
ended l 1
told l 'the caller reports: the reader of standard output has closed it'
