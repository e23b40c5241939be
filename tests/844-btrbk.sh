#!/bin/sh
# Goal: btrbk, unmodified, sends btrfs snapshots with millipedesh as its ssh: to another
# host and from it, the first complete, the next incremental. What btrfs refuses there is
# told here.
# promise: MILLIPEDESH
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need btrbk
# shellcheck source=tests/n_btrfs.sh
. "$TESTS/n_btrfs.sh"
own_btrfs here there
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1
in_place_of_ssh there

# `conf NAME SOURCE TARGET`
conf()
{
	cat >"$T/$1.conf" <<END
timestamp_format long-iso
snapshot_preserve_min all
target_preserve_min all
volume $2
	snapshot_dir snapshots
	subvolume $1
		target $3
END
}

# `back_up STATUS NAME HOW NUMBER`: HOW begins the line that btrbk prints of what was
# received; then so many snapshots are there, whole and the same.
back_up()
{
	start btrbk btrbk -c "$T/$2.conf" run </dev/null >"$T/out"
	ended btrbk "$1" 40
	none_left_to_ssh
	grep -q -F -e "$3 $T/there/$2/$2." -e "$3 there:$T/there/$2/$2." "$T/out" ||
	    fail "$2 was not received so: $(cat "$T/out")"
	_name=$2
	_number=$4
	set -- "$T/there/$_name"/*
	[ $# = "$_number" ] || fail "of $_name there are $#, not $_number"
	for _to; do
		same_tree "$T/here/snapshots/${_to##*/}" "$_to"
	done
}

mkdir "$T/here/snapshots"
for name in push pull; do
	btrfs subvolume create "$T/here/$name" >/dev/null
	mkdir "$T/here/$name/a b" "$T/there/$name"
	data 12000000 >"$T/here/$name/big"
	echo one >"$T/here/$name/a b/one"
done
conf push "$T/here" "ssh://there$T/there/push"
conf pull "ssh://there$T/here" "$T/there/pull"
back_up 0 push '***' 1
back_up 0 pull '***' 1
for name in push pull; do
	data 3000000 1 >"$T/here/$name/more"
	echo two >>"$T/here/$name/a b/one"
	rm "$T/here/$name/big"
done
back_up 0 push '>>>' 2
back_up 0 pull '>>>' 2

# It cannot be written there.
mount -o remount,ro "$T/there"
back_up 10 push '!!!' 2
told btrbk 'Read-only file system'
nothing_left 10
no_btrfs
