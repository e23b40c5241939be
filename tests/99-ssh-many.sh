#!/bin/sh
# Goal: transfers of nothing, one after the other and some at once, pushed, pulled
# and failing, leave no process, descriptor, zombie or file on either side. How long
# one takes, beside ssh alone, is printed.
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
MANY=${TEST_MANY:-20}

sshd_begin 127.0.0.1
mkdir "$T/there"

# Everything in the scratch directory and its parent that ours could have left.
files()
{
	find "$T" "${TMPDIR:-/tmp}" -maxdepth 1 ! -name '*.end' ! -name '*.err' ! -name '*.pid' \
	    ! -name '*.sup' ! -name 'before*' ! -name 'after*' 2>/dev/null | grep -i viamilli |
	    sort
	find "$T/there" | sort
}

one()
{
	case $1 in
	0)	"$V" ssh there exec cat sshcommand "$SSH" remote "$T/far" ;;
	1)	"$V" ssh there source true sshcommand "$SSH" remote "$T/far" ;;
	2)	"$V" ssh there exec 'exit 3' sshcommand "$SSH" remote "$T/far" 2>/dev/null ;;
	3)	"$V" ssh there exec cat sshcommand "$SSH" remote "$T/far" tunnel ;;
	esac </dev/null
}

expected()
{
	if [ "$1" = 2 ]; then echo 6; else echo 0; fi
}

open_files()
{
	find "/proc/$(pid "$1")/fd" -type l | wc -l
}

files >"$T/before"
_open=$(open_files sshd)
n=0
while [ $n -lt "$MANY" ]; do
	_status=0
	one $((n % 4)) >"$T/out" || _status=$?
	[ $_status = "$(expected $((n % 4)))" ] || fail "transfer $n ended with $_status"
	[ ! -s "$T/out" ] || fail "transfer $n wrote something"
	n=$((n + 1))
done
nothing_left 5
rm -f "$T/out"
files >"$T/after"
diff "$T/before" "$T/after" || fail "files were left"
within 5 [ "$(open_files sshd)" = "$_open" ] || fail "sshd has more open than before"

# All at once, each with its own far side.
for n in 1 2 3 4 5 6 7 8; do
	push "m$n" "cat >$T/there/$n; [ \$(wc -c <$T/there/$n) = $n ]" <<EOF2
$(printf "%$((n - 1))s" '')
EOF2
done
for n in 1 2 3 4 5 6 7 8; do
	ended "m$n" 0
done
nothing_left 5

# Tunnels that die are made anew, and leave neither zombie nor descriptor.
no_zombie()
{
	ps -o stat= --ppid "$(pid p)" >"$T/children"
	! grep -q Z "$T/children"
}

up_again()
{
	[ "$(legs_through_ssh)" -ge 1 ]
}

legs_through_ssh()
{
	far SSH | grep -c -e ' -W ' || :
}

source_of 40000000 hold="20000000:$T/go" | push p "cat >$T/out" heartbeat 3 tunnel
within 20 has_bytes "$T/out" 20000000
_near=$(open_files p)
for n in 1 2 3 4 5 6 7 8; do
	within 10 up_again || fail "no leg goes through ssh any more"
	far SSH | grep -e ' -W ' | while read -r _pid _; do
		kill -9 "$_pid" || :
	done
done
within 10 up_again || fail "no leg goes through ssh any more"
within 5 no_zombie || fail "zombies: $(cat "$T/children")"
[ "$(open_files p)" -le $((_near + 4)) ] || fail "descriptors: $_near, then $(open_files p)"
: >"$T/go"
ended p 0
nothing_left 5
rm "$T/out"

# While one works for long, its descriptors do not become more.
source_of 40000000 rate=8000000 | push p "cat >$T/out" heartbeat 3
within 10 has_bytes "$T/out" 4000000
_far=$(far OPEN)
_near=$(open_files p)
let_pass 2
[ "$(far OPEN)" -le "$_far" ] || fail "the far side's descriptors: $_far, then $(far OPEN)"
[ "$(open_files p)" -le "$_near" ] || fail "this side's descriptors"
ended p 0
nothing_left 5

"$PY" -IS - "$V" "$SSH" "$T/far" <<'EOF2'
import statistics, subprocess, sys, time

program, ssh, far = sys.argv[1:]
ours = [program, "ssh", "there", "exec", "cat", "sshcommand", ssh, "remote", far]
runs = {"ssh there true": ssh.split() + ["there", "true"], "ssh there exec cat": ours}
took = {name: [] for name in runs}
for _ in range(7):
    for name, command in runs.items():
        began = time.monotonic()
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
        took[name].append(time.monotonic() - began)
for name, seconds in took.items():
    print("%-20s median of 7: %.0f ms" % (name, 1000 * statistics.median(seconds)))
EOF2
