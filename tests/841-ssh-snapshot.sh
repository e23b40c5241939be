#!/bin/sh
# Goal: btrfs snapshots go to another file system through ssh, pushed and pulled,
# complete and incremental. A source or a receiver that fails fails both sides, and no
# partial snapshot is taken for a complete one.
# promise: EXIT STATUS 0, EXIT STATUS 6, EXAMPLES
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need_root "mounts file systems"
need unshare
PATH=$PATH:/usr/sbin:/sbin
need btrfs
need mkfs.btrfs
need losetup
if ! grep -q btrfs /proc/filesystems; then
	modprobe btrfs 2>"$T/modprobe" || skip "needs a kernel with btrfs"
fi
losetup -f >"$T/loop" 2>&1 || skip "needs a loop device: $(cat "$T/loop")"
# What is mounted here is seen by nobody else, and goes with the last of us.
if [ "${INSIDE:-}" != yes ]; then
	unshare -m true 2>"$T/unshare" || skip "needs mount namespaces: $(cat "$T/unshare")"
	_status=0
	INSIDE=yes unshare -m --propagation private sh "$0" || _status=$?
	exit $_status
fi
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

file_system()
{
	truncate -s 200M "$T/$1.image"
	mkfs.btrfs -q "$T/$1.image" >"$T/mkfs" 2>&1 || skip "no btrfs: $(cat "$T/mkfs")"
	mkdir "$T/$1"
	mount -o loop "$T/$1.image" "$T/$1" 2>"$T/mount" ||
	    skip "cannot mount a file: $(cat "$T/mount")"
}

gone()
{
	umount "$T/here" && umount "$T/there"
}

tree_of()
{
	(cd "$1" && find . -printf '%p %y %m %s %n %l\n' | sort && find . -type f -exec cksum {} + |
	    sort)
}

# `same_tree NAME`: it is a snapshot on both sides, and the same.
same_tree()
{
	tree_of "$T/here/$1" >"$T/a"
	tree_of "$T/there/$1" >"$T/b"
	diff "$T/a" "$T/b" || fail "$1 differs"
	btrfs subvolume show "$T/there/$1" | grep -q 'Received UUID:.*[0-9a-f]' ||
	    fail "$1 was not received whole"
}

sshd_begin 127.0.0.1
file_system here
file_system there
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
same_tree s1
pull p "btrfs -q send -p $T/here/s1 $T/here/s2" | start receive btrfs -q receive "$T/there"
ended p 0
ended receive 0
same_tree s2

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
gone
