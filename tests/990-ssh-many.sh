#!/bin/sh
# Goal: Empty transfers through ssh, one after the other and some at once, pushed,
# pulled and failing, leave no process, descriptor, zombie or file on either side. The
# time of one, beside ssh alone, is printed.
# promise: DESCRIPTION
# waits
# takes: 35
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
MANY=${TEST_MANY:-12}

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
	0)	"$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/far" ;;
	1)	"$V" ssh there source true ssh-command "$SSH" remote-program "$T/far" ;;
	2)	"$V" ssh there exec 'exit 3' ssh-command "$SSH" remote-program "$T/far" 2>/dev/null ;;
	3)	"$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/far" tunnel ;;
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

# `open_at_most NAME NUMBER`; what is open for a moment, as for a dial, does not count,
# so this is waited for. What is leaked stays.
open_at_most()
{
	[ "$(open_files "$1")" -le "$2" ]
}

far_open_at_most()
{
	[ "$(far OPEN)" -le "$1" ]
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
within 10 open_at_most sshd "$_open" ||
    fail "sshd has more open than before: $_open, then $(open_files sshd)"

# All at once, each with its own remote side.
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

legs_through_ssh()
{
	[ "$(far SSH | grep -c -e ' -W ')" -ge "$1" ]
}

source_of 40000000 hold="20000000:$T/go" | push p "cat >$T/out" heartbeat 3 tunnel legs 2
arrived "$T/out" 20000000
within 20 legs_through_ssh 2 || fail "the second leg does not come up"
_near=$(open_files p)
for n in 1 2 3 4 5 6 7 8; do
	within 20 legs_through_ssh 1 || fail "no leg goes through ssh any more"
	far SSH | grep -e ' -W ' | while read -r _pid _; do
		kill -9 "$_pid" || :
	done
done
within 20 legs_through_ssh 1 || fail "no leg goes through ssh any more"
within 10 no_zombie || fail "zombies: $(cat "$T/children")"
within 20 open_at_most p "$_near" || fail "descriptors: $_near, then $(open_files p)"
: >"$T/go"
ended p 0
nothing_left 5
rm "$T/out" "$T/go"

# While one works for long, its descriptors do not become more.
source_of 40000000 rate=8000000 hold="39999999:$T/go" |
    push p "cat >$T/out" heartbeat 3 legs 2
arrived "$T/out" 4000000
within 20 has_legs p 2 || fail "the second leg does not come up"
_far=$(far OPEN)
_near=$(open_files p)
let_pass 2
within 2 far_open_at_most "$_far" ||
    fail "the remote side's descriptors: $_far, then $(far OPEN)"
within 2 open_at_most p "$_near" || fail "this side's: $_near, then $(open_files p)"
: >"$T/go"
ended p 0
nothing_left 5

"$PY" -IS - "$V" "$SSH" "$T/far" <<'EOF2'
import statistics, subprocess, sys, time

program, ssh, far = sys.argv[1:]
ours = [program, "ssh", "there", "exec", "cat", "ssh-command", ssh, "remote-program", far]
runs = {"ssh there true": ssh.split() + ["there", "true"], "ssh there exec cat": ours}
took = {name: [] for name in runs}
for _ in range(3):
    for name, command in runs.items():
        began = time.monotonic()
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
        took[name].append(time.monotonic() - began)
for name, seconds in took.items():
    print("%-20s median of 3: %.0f ms" % (name, 1000 * statistics.median(seconds)))
EOF2
