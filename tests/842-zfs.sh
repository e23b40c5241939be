#!/bin/sh
# Goal: ZFS snapshots go to another pool through ssh, pushed and pulled, complete and
# incremental, also when legs are reset: what zfs received has the identity and the
# content of what was sent. What zfs refuses fails with its own words, and a stream that
# is cut leaves nothing.
# promise: EXIT STATUS 0, EXIT STATUS 6, OPTIONS exec, OPTIONS source, OPTIONS chaos
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_zfs.sh
. "$TESTS/n_zfs.sh"
own_zfs 128 here there
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1

live=$ZFS_AT/here/live
zfs create here/live
data 20000000 >"$live/big"
mkdir "$live/a b"
echo one >"$live/a b/one"
zfs snapshot here/live@1
tree_of "$live" >"$T/tree.1"
data 6000000 1 >"$live/more"
echo two >>"$live/a b/one"
ln -s one "$live/a b/link"
rm "$live/big"
zfs snapshot here/live@2
tree_of "$live" >"$T/tree.2"

# `refused WORDS COMMAND`: what has changed since here/live@1 is sent to it.
refused()
{
	zfs send -i @1 here/live@2 | push p "$2"
	ended p 6
	once p "the receiver's command exited 1"
	once p "$1"
}
refused "destination 'there/none' does not exist" 'zfs recv -u there/none'

# Pushed: the first complete, then what has changed; the busiest legs are reset.
zfs send here/live@1 | push p 'zfs recv -u there/pushed' frame 64k chaos 20:reset
ended p 0
told p 'lost.*chaos: reset'
same_snapshot here/live@1 there/pushed@1
zfs send -i @1 here/live@2 | push p 'zfs recv -u there/pushed' frame 64k chaos 20:reset
ended p 0
told p 'lost.*chaos: reset'
same_snapshot here/live@2 there/pushed@2
holds there/pushed "$T/tree.2"

# Pulled, likewise.
pull p 'zfs send here/live@1' frame 64k chaos 20:reset | start receive zfs recv -u there/pulled
ended p 0
ended receive 0
told p 'lost.*chaos: reset'
same_snapshot here/live@1 there/pulled@1
pull p 'zfs send -i @1 here/live@2' | start receive zfs recv -u there/pulled
ended p 0
ended receive 0
same_snapshot here/live@2 there/pulled@2
holds there/pulled "$T/tree.2"

# With commands at both ends.
push p 'zfs recv -u there/both' source 'zfs send here/live@1' </dev/null
ended p 0
same_snapshot here/live@1 there/both@1

# Something else was added there meanwhile, and it is there already. With a snapshot: what
# was written a moment ago is not seen yet, and a snapshot of nothing new is no obstacle.
zfs mount there/both
echo changed >"$ZFS_AT/there/both/changed"
zfs snapshot there/both@own
refused 'most recent snapshot of there/both does not' 'zfs recv -u there/both'
zfs send here/live@1 | push p 'zfs recv -u there/pushed'
ended p 6
once p "destination 'there/pushed' exists"

gone()
{
	! zfs list "$1" >"$T/list" 2>&1
}
# A source that does not know what it is asked for, and one that is cut.
pull p 'zfs send here/live@none' >"$T/out"
ended p 6
once p "the sender's command exited 1"
once p 'here/live@none'
push p 'zfs recv -u there/cut' source 'zfs send here/live@1 | head -c 9000000; exit 1' </dev/null
ended p 6
once p "the sender's command exited 1"
nothing_left 5
within 10 gone there/cut || fail "a stream that was cut has left something"
no_zfs
