#!/bin/sh
# Goal: btrfs snapshots go to another file system through ssh, pushed and pulled,
# complete and incremental. A source or a receiver that fails fails both sides, and no
# partial snapshot is taken for a complete one.
# promise: EXIT STATUS 0, EXIT STATUS 6, EXAMPLES
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_btrfs.sh
. "$TESTS/n_btrfs.sh"
own_btrfs here there
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

sshd_begin 127.0.0.1
btrfs subvolume create "$T/here/live" >/dev/null
data 20000000 >"$T/here/live/big"
mkdir "$T/here/live/a b"
echo one >"$T/here/live/a b/one"
btrfs subvolume snapshot -r "$T/here/live" "$T/here/s1" >/dev/null
data 3000000 1 >"$T/here/live/more"
echo two >>"$T/here/live/a b/one"
rm "$T/here/live/big"
btrfs subvolume snapshot -r "$T/here/live" "$T/here/s2" >/dev/null

btrfs -q send "$T/here/s1" | push p "btrfs -q receive $T/there"
ended p 0
same_tree "$T/here/s1" "$T/there/s1"
pull p "btrfs -q send -p $T/here/s1 $T/here/s2" | start receive btrfs -q receive "$T/there"
ended p 0
ended receive 0
same_tree "$T/here/s2" "$T/there/s2"

# It is there already: the receiver says so, and here it is known.
btrfs -q send "$T/here/s1" | push p "btrfs -q receive $T/there"
ended p 6
told p 's1'
once p "the receiver's command exited 1"
# A source that does not know what it is asked for.
pull p "btrfs -q send $T/here/none" >"$T/out"
ended p 6
once p "the sender's command exited 1"
told p 'here/none'
nothing_left 5
no_btrfs
