# shellcheck shell=sh
# btrfs for behaviour tests: read in after lib.sh, before n_ssh.sh.

PATH=$PATH:/usr/sbin:/sbin

# `own_btrfs NAME ...`: the rest of the test runs with these file systems, $T/NAME.
own_btrfs()
{
	need_root "mounts file systems"
	need unshare
	need btrfs
	need mkfs.btrfs
	need losetup
	if ! grep -q btrfs /proc/filesystems; then
		modprobe btrfs 2>"$T/modprobe" || skip "needs a kernel with btrfs"
	fi
	losetup -f >"$T/loop" 2>&1 || skip "needs a loop device: $(cat "$T/loop")"
	# What is mounted here is seen by nobody else, and goes with the last of us.
	if [ "${INSIDE:-}" != yes ]; then
		unshare -m true 2>"$T/unshare" ||
		    skip "needs mount namespaces: $(cat "$T/unshare")"
		_status=0
		INSIDE=yes unshare -m --propagation private sh "$0" || _status=$?
		exit $_status
	fi
	BTRFS=
	for _fs; do
		truncate -s 200M "$T/$_fs.image"
		mkfs.btrfs -q "$T/$_fs.image" >"$T/mkfs" 2>&1 || skip "no btrfs: $(cat "$T/mkfs")"
		mkdir "$T/$_fs"
		mount -o loop "$T/$_fs.image" "$T/$_fs" 2>"$T/mount" ||
		    skip "cannot mount a file: $(cat "$T/mount")"
		BTRFS="$BTRFS $T/$_fs"
	done
}

# At the end of a test.
no_btrfs()
{
	# shellcheck disable=SC2086
	umount $BTRFS
}

tree_of()
{
	(cd "$1" && find . -printf '%p %y %m %s %n %l\n' | sort && find . -type f -exec cksum {} + |
	    sort)
}

# `same_tree A B`: they hold the same, and the second was received whole.
same_tree()
{
	tree_of "$1" >"$T/a"
	tree_of "$2" >"$T/b"
	diff "$T/a" "$T/b" || fail "$2 differs"
	btrfs subvolume show "$2" | grep -q 'Received UUID:.*[0-9a-f]' ||
	    fail "$2 was not received whole"
}
