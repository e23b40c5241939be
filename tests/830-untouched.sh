#!/bin/sh
# Goal: If nothing was begun, nothing of standard input was read, so that a script can
# fall back on another way with the same input: ssh cannot log in, there is no
# viamillipede there (7), the remote side's port is not reached (7), nobody listens
# (4), another checkphrase (3).
# promise: EXIT STATUS 3, EXIT STATUS 4, EXIT STATUS 7
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

# `untouched STATUS PROGRAM ARGUMENT ...`: it ends so, and all of its input is still there.
untouched()
{
	_status=$1
	shift
	data $size | { start q "$@"; within 20 test -e "$T/q.end"; cat; } >"$T/rest"
	ended q "$_status"
	same "$T/in" "$T/rest"
}

cat >"$T/refusing" <<'EOF2'
#!/bin/sh
echo 'Permission denied (publickey).' >&2
exit 255
EOF2
cat >"$T/empty" <<'EOF2'
#!/bin/sh
exit 127
EOF2
# It answers, and is not there any more.
cat >"$T/gone" <<'EOF2'
#!/bin/sh
read -r _ _ _ token _
echo "viamillipede answer 2 $token 9 192.0.2.1"
exec sleep 60
EOF2
chmod +x "$T/refusing" "$T/empty" "$T/gone"
for kind in refusing empty gone; do
	untouched 7 "$V" ssh there exec "cat >$T/out" ssh-command "$T/$kind" wait 2
done
[ ! -e "$T/out" ] || fail "a command was run"

rx r checkphrase abcd >/dev/null
untouched 3 "$V" tx 127.0.0.1 "$(port r)"
signal r TERM
ended r signal:15
untouched 4 "$V" tx 127.0.0.1 "$(port r)" wait 2
