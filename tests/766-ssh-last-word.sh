#!/bin/sh
# Goal: The local side ends when it has the outcome and ssh has its last word. If that is
# lost because ssh is killed then, both sides still end with the right status, the remote
# one after `linger`. What the remote command wrote to standard error at its end is there
# before the local side ends, and its failure is the local side's.
# promise: OPTIONS ssh, OPTIONS linger
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# In place of ssh: the other side runs here, and there is no way to it but this one. What
# goes there is held up; $T/relay is the process that does that.
cat >"$T/relay.py" <<'END'
import os, sys, time
with open(sys.argv[2], "w") as f:
    f.write(str(os.getpid()))
while (text := os.read(0, 65536)) != b"":
    time.sleep(float(sys.argv[1]))
    while text != b"":
        text = text[os.write(1, text):]
END
cat >"$T/ssh" <<END
#!/bin/sh
case " \$* " in
*' -W '*)	exec sleep 60 ;;
*' -G '*)	exit 255 ;;
esac
$PY -IS $T/relay.py "\$(cat $T/delay)" $T/relay 2>/dev/null | sh -c "\$3"
END
cat >"$T/far" <<END
#!/bin/sh
status=0
$V "\$@" || status=\$?
echo \$status >$T/status
END
chmod +x "$T/ssh" "$T/far"

# `push COMMAND [WORD ...]`: nothing, to a command.
push()
{
	_command=$1
	shift
	rm -f "$T/status"
	start p "$V" ssh there exec "$_command" ssh-command "$T/ssh" remote-program "$T/far" \
	    tunnel "$@" </dev/null
}

# `remote STATUS SECONDS`: the remote side ends with this status by then.
remote()
{
	within "$2" test -s "$T/status" || fail "the remote side has not ended"
	[ "$(cat "$T/status")" = "$1" ] || fail "the remote side: status $(cat "$T/status")"
}

# --- the last word is lost --------------------------------------------------------

echo 1 >"$T/delay"
push 'cat >/dev/null' linger 3
ended p 0
[ ! -e "$T/status" ] || fail "the last word arrived in no time"
kill -9 "$(cat "$T/relay")"
remote 0 10
never_said p viamillipede

# --- and arrives ------------------------------------------------------------------

push 'cat >/dev/null' linger 30
ended p 0
[ ! -e "$T/status" ] || fail "the last word arrived in no time"
remote 0 10

# --- what is said last --------------------------------------------------------------

echo 0 >"$T/delay"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	push 'cat >/dev/null; echo last >&2'
	ended p 0
	[ "$(cat "$T/p.err")" = last ] || fail "the local side did not wait for it"
	remote 0 10
	push 'cat >/dev/null; exit 5'
	ended p 6
	told p 'command exited 5'
	remote 6 10
done

# --- the caller is gone, and a pipe is not ---------------------------------------------

# What comes from there is passed on until $T/stop is there, then the pipe is held.
cat >"$T/hold.py" <<'END'
import os, sys, time
place = os.path.dirname(sys.argv[0])
while not os.path.exists(place + "/stop"):
    os.write(1, os.read(0, 65536))
os.closerange(1, 3)
with open(place + "/holds", "w") as f:
    f.write(str(os.getpid()))
time.sleep(90)
END
cat >"$T/ssh" <<END
#!/bin/sh
case " \$* " in
*' -W '*|*' -G '*)	exit 255 ;;
esac
exec 3<&0
sh -c "\$3" <&3 3<&- | { exec 3<&-; exec $PY -IS $T/hold.py; }
END
rm -f "$T/status"
mkfifo "$T/never"
exec 9<>"$T/never"
start p "$V" ssh there exec yes linger 3 ssh-command "$T/ssh" remote-program "$T/far" \
    tunnel <"$T/never" >"$T/said"
arrived "$T/said" 2000000
: >"$T/stop"
within 10 test -s "$T/holds" || fail "nobody holds the pipe"
signal p KILL
ended p signal:9
remote 4 14
kill "$(cat "$T/holds")"
