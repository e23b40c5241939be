#!/bin/sh
# Goal: A session that has begun survives the death of ssh and of its legs. Ending the
# local side ends the remote side and its command as well; a side that is killed is
# missed; and nothing is left.
# waits
# limit: 180
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# The local side's own ssh; those of tunnels have -W.
own_ssh()
{
	far SSH | grep -v -e ' -W ' | cut -d' ' -f1
}

has_far()
{
	[ -n "$(far SERVE)" ]
}

no_far()
{
	! has_far
}

legs_up()
{
	[ "$(legs p | wc -l)" -ge "$1" ]
}

# Before each: nothing has arrived, and the source stops in the middle.
fresh()
{
	rm -f "$T/out" "$T/go"
}

# `half`: the transfer is in the middle; the source goes on when $T/go is there.
half()
{
	arrived "$T/out" $((size / 2))
	must_run p
}

size=10000000
data $size >"$T/in"
sshd_begin 127.0.0.1

# --- ssh dies -----------------------------------------------------------------

# What the command prints afterwards goes nowhere, and is no fault of its own.
source_of $size hold="$((size / 2)):$T/go" |
    push p "cat >$T/out; head -c 1000000 /dev/zero; echo \$? >$T/wrote; echo end"
half
kill -9 "$(own_ssh)"
let_pass 1
must_run p
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
[ "$(cat "$T/wrote")" = 0 ] || fail "the command was told that ssh died"
nothing_left 5
fresh

source_of $size hold="$((size / 2)):$T/go" |
    push p "cat >$T/out; echo last words >&2; exit 5"
half
kill -9 "$(own_ssh)"
: >"$T/go"
ended p 6
once p "the receiver's command exited 5"
once p "the receiver's command: last words"
nothing_left 5
fresh

pull p "$SOURCE $size $SEED hold=$((size / 2)):$T/go" >"$T/out"
half
kill -9 "$(own_ssh)"
let_pass 1
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
nothing_left 5
fresh

# --- the legs -----------------------------------------------------------------

if [ "$(id -u)" = 0 ] && "$PY" -IS "$TESTS/t_reset.py"; then
	source_of $size hold="$((size / 2)):$T/go" | push p "cat >$T/out" ports 0
	half
	within 10 legs_up 1 || fail "no leg"
	for leg in $(legs p); do
		ss -K -H -t -n state established "sport = :$leg" >>"$T/killed"
	done
	[ -s "$T/killed" ] || fail "no leg was reset"
	: >"$T/go"
	ended p 0
	told p 'lost'
	same "$T/in" "$T/out"
	nothing_left 5
	fresh
fi

# --- strangers at the open port -----------------------------------------------

# Before there is a session, and while there is one: without a key, with another,
# and in both roles. Nobody gets the stream or any part of it in.
data 32 1 >"$T/key"
data 32 2 >"$T/other"
chmod 600 "$T/key" "$T/other"
strangers()
{
	for words in '' "key $T/key" "key $T/other"; do
		# shellcheck disable=SC2086
		data 1000000 3 | start s "$V" tx 127.0.0.1 "$1" wait 5 $words
		ended s 3
		told s 'refused by 127.0.0.1'
		# shellcheck disable=SC2086
		start s "$V" fetch 127.0.0.1 "$1" wait 5 $words >"$T/stolen"
		ended s 3
		[ ! -s "$T/stolen" ] || fail "a stranger got something"
	done
	start s "$PY" -IS "$TESTS/t_stranger.py" "$1" garbage
	ended s 0
}

# The remote side's port; a leg's would do, but there may be none yet.
far_port()
{
	"$TESTS/../build/t_sockets" listening "$(far SERVE)" | head -n 1
}

fresh
source_of $size hold="$((size / 2)):$T/go" | push p "cat >$T/out"
half
strangers "$(far_port)"
must_run p
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
nothing_left 5
fresh
pull p "$SOURCE $size $SEED hold=$((size / 2)):$T/go" >"$T/out"
half
strangers "$(far_port)"
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
nothing_left 5
# The local side is held up before its first leg: the strangers are there first.
cat >"$T/slow-ssh" <<EOF2
#!/bin/sh
$SSH "\$@" | { until [ -e $T/go ]; do sleep 0.1; done; exec cat; }
EOF2
chmod +x "$T/slow-ssh"
fresh
start p "$V" ssh there exec "cat >$T/out" ssh-command "$T/slow-ssh" remote-program "$T/far" <"$T/in"
within 10 has_far || fail "no remote side"
far_listens()
{
	[ -n "$(far_port)" ]
}
within 5 far_listens || fail "it does not listen"
strangers "$(far_port)"
[ ! -e "$T/out" ] || fail "a stranger started the command"
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
nothing_left 5

# --- the local side is ended ---------------------------------------------------

# The command ends itself when it is told to, and says that it was.
for sign in INT TERM HUP; do
	for tunnel in '' tunnel; do
		rm -f "$T/told"
		fresh
		# shellcheck disable=SC2086
		source_of $size hold="$((size / 2)):$T/go" | start p setsid "$V" ssh there \
		    exec "exec 3<&0; trap 'echo TERM >$T/told; exit 1' TERM
		    cat <&3 >$T/out & wait" ssh-command "$SSH" remote-program "$T/far" $tunnel
		half
		# Those that are to tell the remote side of it do not get it themselves.
		far SSH | grep -e ' -W ' | while read -r _pid _; do
			[ "$(ps -o pgid= -p "$_pid" | tr -d ' ')" != "$(pid p)" ] ||
			    fail "a tunnel is in our group"
		done
		# The whole group, as a terminal does.
		kill "-$sign" "-$(pid p)"
		case $sign in
		INT)	ended p signal:2 5 ;;
		TERM)	ended p signal:15 5 ;;
		HUP)	ended p signal:1 5 ;;
		esac
		nothing_left 5
		[ -s "$T/told" ] || fail "SIG$sign $tunnel: the command was not told"
		stop src
	done
done

# It is killed: the remote side goes by its timeout.
fresh
source_of $size hold="$((size / 2)):$T/go" | push p "cat >$T/out" timeout 3
half
stop p
within 2 has_far || fail "the remote side is gone at once"
nothing_left 12
stop src
pull p "$SOURCE $size $SEED hold=$((size / 2)):$T/go" timeout 3 >"$T/out"
half
stop p
nothing_left 12

# --- the remote side is killed ---------------------------------------------------

# It is missed, though there is all the time in the world.
for tunnel in '' tunnel; do
	fresh
	# shellcheck disable=SC2086
	source_of $size hold="$((size / 2)):$T/go" | push p "cat >$T/out" $tunnel
	half
	# shellcheck disable=SC2046
	kill -9 $(far SERVE)
	ended p 1 25
	once p 'no path leads to the receiver of this session any more'
	nothing_left 5
	stop src
done
pull p "$SOURCE $size $SEED hold=$((size / 2)):$T/go" >"$T/out"
half
# shellcheck disable=SC2046
kill -9 $(far SERVE)
ended p 1 25
once p 'no path leads to the sender of this session any more'
# Who is killed can tell nobody: the source finds out when it writes.
: >"$T/go"
nothing_left 5

# --- before there is a session ------------------------------------------------

# Whoever gave the orders is gone: so is the remote side, soon.
printf 'viamillipede orders 2 %s %s 6\n2\nrx\n1\n0\n4\nwait\n1\n0\n4\nexec\n3\ncat\n' \
    0123456789abcdef0123456789abcdef \
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >"$T/orders"
start q "$V" serve <"$T/orders" >"$T/answer"
ended q 4 15
once q 'is gone and has not called'
grep -q '^viamillipede answer 2 0123456789abcdef0123456789abcdef [0-9]* -$' "$T/answer" ||
    fail "the answer is $(cat "$T/answer")"
# This side fails after the far one was started.
push p 'cat' report "$T/none/report" <"$T/in"
ended p 7
once p 'cannot write the report'
nothing_left 15

# --- ssh does not end ---------------------------------------------------------

fresh
# It is stopped: all arrives, and at the end nobody waits for it for ever.
source_of $size hold="$((size / 2)):$T/go" | push p "cat >$T/out; echo end" >"$T/said"
half
kill -STOP "$(own_ssh)"
: >"$T/go"
ended p 0 16
once p 'ssh does not end; what the remote side said last may be missing'
same "$T/in" "$T/out"
nothing_left 5
fresh

# A master that stays for others holds up nobody, neither us nor who reads us.
keep="-o ControlMaster=auto -o ControlPersist=20 -o ControlPath=$T/master"
start p "$V" ssh there exec "cat >$T/out; echo end" ssh-command "$SSH $keep" remote-program "$T/far" \
    <"$T/in" | start sink cat >"$T/said"
ended p 0 10
ended sink 0 3
same "$T/in" "$T/out"
[ "$(cat "$T/said")" = end ] || fail "it did not say what it says"
# Again, through the master, with tunnels that go their own way.
push p "cat >$T/out" tunnel <"$T/in"
ended p 0 10
# shellcheck disable=SC2086
$SSH $keep -O exit there 2>/dev/null || fail "there was no master"
nothing_left 5

# --- descriptors --------------------------------------------------------------

start p close=0 "$V" ssh there exec "cat >$T/out" ssh-command "$SSH" remote-program "$T/far"
ended p 1
once p 'cannot read standard input'
nothing_left 15
start p close=1 "$V" ssh there exec "cat >$T/out; head -c 200000 /dev/zero" \
    ssh-command "$SSH" remote-program "$T/far" <"$T/in"
ended p 0
same "$T/in" "$T/out"
start p close=1 "$V" ssh there source "cat $T/in" ssh-command "$SSH" remote-program "$T/far"
ended p 1
start p close=2 "$V" ssh there exec "cat >$T/out; echo x >&2" ssh-command "$SSH" \
    remote-program "$T/far" <"$T/in"
ended p 0
start p nonblock=0,1,2 in=socket out=socket "$V" ssh there exec "cat; echo x >&2" \
    ssh-command "$SSH" remote-program "$T/far" <"$T/in" >"$T/out"
ended p 0
same "$T/in" "$T/out"
start p err=broken "$V" ssh there exec "cat >$T/out; echo x >&2" ssh-command "$SSH" \
    remote-program "$T/far" <"$T/in"
ended p 0
nothing_left 5
