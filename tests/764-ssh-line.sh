#!/bin/sh
# Goal: ssh's own connection is a leg. Where nothing else leads there the whole stream
# goes over it, pushed and pulled, and begins again after a reset; direct legs take over
# when they are up, and go on when ssh dies; it goes on when they are cut. What a login
# leaves behind on standard output ends it, and nothing else. A side whose other one is
# killed ends as without it.
# promise: OPTIONS ssh, OPTIONS linger
# waits
# takes: 40
# limit: 180
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need_root "makes an emulated path"
PATH=$PATH:/usr/sbin
need nft
lab 200M/40ms
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2

filter '' 2>"$T/nft" || skip "needs nftables: $(cat "$T/nft")"

# `begin NAME exec|source COMMAND [WORD ...]`, from a.
begin()
{
	_begin=$1
	_word=$2
	_command=$3
	shift 3
	start "$_begin" ip netns exec "$NS_A" "$V" ssh there "$_word" "$_command" \
	    ssh-command "$SSH" remote-program "$T/far" "$@"
} 3<&0

size=20000000
data $size >"$T/in"
plain=$SSH
# The first login is good, as with a password, and no other.
cat >"$T/once" <<EOF2
#!/bin/sh
case " \$* " in
*' -W '*)	exec $plain -o PubkeyAuthentication=no "\$@" ;;
esac
exec $plain "\$@"
EOF2
chmod +x "$T/once"

# --- nothing else leads there ---------------------------------------------------

SSH=$T/once
for verdict in drop 'reject with tcp reset'; do
	filter "$verdict"
	begin p exec "cat >$T/out; echo said" <"$T/in" >"$T/said"
	ended p 0 60
	same "$T/in" "$T/out"
	[ "$(cat "$T/said")" = said ] || fail "what the command prints is lost"
	begin p source "cat $T/in" >"$T/out"
	ended p 0 60
	same "$T/in" "$T/out"
done
source_of $size hold="10000000:$T/go" | begin p exec "cat >$T/out"
told p 'cannot be reached; the legs go through ssh' 20
told p 'cannot connect to there:.*Permission denied'
: >"$T/go"
ended p 0 60
same "$T/in" "$T/out"
rm "$T/go"
# Broken on purpose, again and again, on either side.
for fault in close reset; do
	begin p exec "cat >$T/out" chaos 40:$fault:5 <"$T/in"
	ended p 0 60
	same "$T/in" "$T/out"
	told p "chaos:.* [1-9][0-9]* $fault.* in all"
done

# --- ssh dies, direct legs go on --------------------------------------------------

filter ''
SSH=$plain
source_of $size hold="10000000:$T/go" | begin p exec "cat >$T/out" verbose 4
arrived "$T/out" 5000000
told p '^[^(]*leg [0-9]* up: 10.77.0.2:'
told p '^[^(]*leg [0-9]* up: there through ssh itself'
far SSH | while read -r _pid _; do
	kill -9 "$_pid"
done
told p '^[^(]*leg [0-9]* to there through ssh itself lost'
: >"$T/go"
ended p 0 60
same "$T/in" "$T/out"
never_said p 'no leg is up'
rm "$T/go" "$T/out"

# --- direct legs are cut, ssh goes on -----------------------------------------------

SSH=$T/once
source_of $size hold="10000000:$T/go" | begin p exec "cat >$T/out" heartbeat 3 verbose 4
told p '^[^(]*leg [0-9]* up: 10.77.0.2:'
arrived "$T/out" 5000000
filter drop
told p '^[^(]*leg [0-9]* to 10.77.0.2:[0-9]* lost' 20
: >"$T/go"
ended p 0 60
same "$T/in" "$T/out"
never_said p 'no leg is up'
filter ''
rm "$T/go" "$T/out"

# --- what is left of a login ----------------------------------------------------------

# `leaves TEXT`: it is written between the records, when $T/now is there.
leaves()
{
	cat >"$T/left" <<EOF2
#!/bin/sh
case " \$* " in
*' -W '*)	exec $plain "\$@" ;;
esac
{ until [ -e $T/now ]; do sleep 0.1; done; printf '%s' "$1"; } &
exec $plain "\$@"
EOF2
	chmod +x "$T/left"
}
SSH=$T/left
for text in 'motd' 'x'; do
	leaves "$text"
	source_of $size hold="10000000:$T/go" | begin p exec "cat >$T/out"
	arrived "$T/out" 5000000
	: >"$T/now"
	told p 'what comes through ssh is not from viamillipede alone' 20
	: >"$T/go"
	ended p 0 60
	same "$T/in" "$T/out"
	rm "$T/go" "$T/now" "$T/out"
done

# --- the other side is killed -----------------------------------------------------------

# With ssh alone here, and there with an open port at which nobody listens any more.
SSH=$T/once
filter drop
for side in local remote; do
	rm -f "$T/out" "$T/go"
	[ $side = local ] || filter ''
	source_of $size hold="10000000:$T/go" |
	    begin p exec "cat >$T/out; echo x >$T/end" linger 3 heartbeat 3
	arrived "$T/out" 5000000
	if [ $side = local ]; then
		signal p KILL
		ended p signal:9
	else
		kill -9 "$(far SERVE)"
		ended p nonzero 30
		never_said p 'no progress'
	fi
	nothing_left 20
	[ ! -e "$T/end" ] || fail "the command took it for whole"
	stop src
done
