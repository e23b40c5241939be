#!/bin/sh
# Goal: syncoid, unmodified, replicates ZFS file systems with millipedesh as its ssh: to
# another host and from it, complete, and what is new since. Nothing of it is left to ssh
# alone but the connection that it keeps open. What zfs refuses there is refused here,
# with the words of both.
# promise: MILLIPEDESH, ENVIRONMENT
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need syncoid
# shellcheck source=tests/n_zfs.sh
. "$TESTS/n_zfs.sh"
own_zfs 128 here there
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1

# syncoid lists snapshots with `get -t`, which this zfs does not have yet; what it does
# in place of that is for local file systems only. And it asks for bookmarks, where this
# zfs complains of -t and not, as it expects, of the type.
zfs=$(command -v zfs)
cp "$zfs" "$T/zfs"
cat >"$T/shim" <<END
#!/bin/sh
case "\$1 \$2 \$3 \$4 \$5" in
"get -Hpd 1 -t snapshot")	$T/zfs get -Hpd 1 "\$6" "\$7" | grep @; exit 0 ;;
"get -Hpd 1 -t bookmark")	echo "invalid type 'bookmark'" >&2; exit 2 ;;
esac
exec $T/zfs "\$@"
END
chmod +x "$T/shim"
mount --bind "$T/shim" "$zfs"

# syncoid makes of the host's name that of a socket, in a place that others see.
host=$(echo "there${T##*.}" | tr '[:upper:]' '[:lower:]')
in_place_of_ssh "$host"
user=$(id -un)

# `sync STATUS ARGUMENT ...`: into a file system that is not mounted. This zfs cannot resume.
sync()
{
	_status=$1
	shift
	start syncoid syncoid --no-sync-snap --no-resume --recvoptions=u "$@" </dev/null >"$T/out"
	ended syncoid "$_status" 40
	none_left_to_ssh
}

live=$ZFS_AT/here/live
zfs create here/live
data 12000000 >"$live/big"
mkdir "$live/a b"
echo one >"$live/a b/one"
zfs snapshot here/live@1
sync 0 here/live "$user@$host:there/pushed"
same_snapshot here/live@1 there/pushed@1
sync 0 "$user@$host:here/live" there/pulled
same_snapshot here/live@1 there/pulled@1

data 5000000 1 >"$live/more"
rm "$live/big"
zfs snapshot here/live@2
echo two >>"$live/a b/one"
zfs snapshot here/live@3
tree_of "$live" >"$T/tree"
sync 0 here/live "$user@$host:there/pushed"
sync 0 "$user@$host:here/live" there/pulled
for to in pushed pulled; do
	same_snapshot here/live@2 there/$to@2
	same_snapshot here/live@3 there/$to@3
	holds there/$to "$T/tree"
done

# Something else was added there meanwhile, which must not be rolled back.
zfs send here/live@3 | zfs recv -u there/changed
zfs mount there/changed
echo changed >"$ZFS_AT/there/changed/changed"
zfs snapshot there/changed@own
echo three >>"$live/a b/one"
zfs snapshot here/live@4
sync 2 --no-rollback here/live "$user@$host:there/changed"
grep -q 'most recent snapshot of there/changed does not' "$T/out" ||
    fail "not what zfs says: $(cat "$T/out" "$T/syncoid.err")"
told syncoid 'CRITICAL ERROR: .*zfs receive.* failed: 256'
[ -z "$(guid there/changed@4)" ] || fail "what was refused is there"
# One with nothing in common.
zfs create there/other
sync 2 here/live "$user@$host:there/other"
grep -q 'there/other exists but has no snapshots matching' "$T/out" ||
    fail "not what syncoid says: $(cat "$T/out" "$T/syncoid.err")"
nothing_left 10
no_zfs
