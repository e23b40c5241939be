# shellcheck shell=sh
# A real ZFS for behaviour tests: read in after lib.sh, before n_ssh.sh. zfs-fuse is all
# of it in one process, which needs /dev/fuse and no module in the kernel. The rest of
# the test runs in namespaces of its own, whose first process is the test's shell: what
# zfs-fuse keeps in fixed places is seen by nobody else, and it goes with that shell.
# Its zfs is of pool version 23: no `send -n`, `receive -s` or -u in the usage (it is
# there), `get -t`, and no bookmarks.

PATH=$PATH:/usr/sbin:/sbin
ZFS_AT=/var/lib/zfs		# where file systems are mounted; nobody else sees that

# `own_zfs MIB POOL ...`: these pools, each on a file of so many MiB.
own_zfs()
{
	need_root "mounts file systems"
	need unshare
	need zfs-fuse
	need zfs
	need zpool
	(: <>/dev/fuse) 2>/dev/null || skip "needs /dev/fuse"
	if [ "${INSIDE:-}" != yes ]; then
		unshare -m -p -n --fork true 2>"$T/unshare" ||
		    skip "needs namespaces: $(cat "$T/unshare")"
		_status=0
		INSIDE=yes unshare -m -p -n --fork --kill-child --mount-proc \
		    --propagation private sh "$0" || _status=$?
		exit $_status
	fi
	ip link set lo up
	for _place in /run /etc/zfs $ZFS_AT; do
		mount -t tmpfs none "$_place" 2>"$T/mount" ||
		    skip "cannot mount: $(cat "$T/mount")"
	done
	mkdir -p /run/zfs /run/lock/zfs /run/sshd
	start zfs_fuse zfs-fuse --no-daemon --no-kstat-mount
	within 20 zfs_answers || fail "zfs-fuse does not answer"
	_mib=$1
	shift
	for _pool; do
		truncate -s "${_mib}M" "$T/$_pool.pool"
		zpool create -m "$ZFS_AT/$_pool" "$_pool" "$T/$_pool.pool" >"$T/zpool" 2>&1 ||
		    fail "no pool $_pool: $(cat "$T/zpool")"
	done
}

zfs_answers()
{
	must_run zfs_fuse
	zpool list >"$T/zpool" 2>&1
}

# At the end of a test: it would take seconds to write what nobody needs.
no_zfs()
{
	stop zfs_fuse
	ended zfs_fuse any
}

# `guid SNAPSHOT`: nothing if there is none.
guid()
{
	zfs get -H -p -o value guid "$1" 2>/dev/null || :
}

# `same_snapshot A B`: the second was received whole from the first.
same_snapshot()
{
	[ -n "$(guid "$1")" ] || fail "no $1"
	[ "$(guid "$1")" = "$(guid "$2")" ] || fail "$2 is not $1"
}

# `tree_of DIRECTORY`: all that it holds, as text.
tree_of()
{
	(cd "$1" && find . -printf '%p %y %m %s %n %l\n' | sort && find . -type f -exec cksum {} + |
	    sort)
}

# `holds FILE_SYSTEM TREE`: this is in it; it is mounted from then on, to be read only.
holds()
{
	zfs mount -o ro "$1" 2>"$T/mount" || fail "cannot mount $1: $(cat "$T/mount")"
	tree_of "$ZFS_AT/$1" | diff "$2" - || fail "$1 holds something else"
}
