#!/bin/sh
# Goal: syncoid, unmodified, replicates ZFS file systems with millipedesh as its ssh: to
# another host and from it, complete, and what is new since; nothing of it is left to
# ssh alone but the connection that it asks to be kept open. What zfs refuses there
# is refused here.
# promise: MILLIPEDESH, ENVIRONMENT
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need syncoid
need perl
# shellcheck source=tests/n_zfs.sh
. "$TESTS/n_zfs.sh"
own_zfs 128 here there
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1

# The real ssh as a user has it, whose own files know the host. The host's name is this run's
# alone, as the name of syncoid's socket, which is in a place that others see, is made of it.
host=$(echo "there${T##*.}" | tr '[:upper:]' '[:lower:]')
sed -i "s/^Host there/Host $host/" "$T/ssh_config"
mkdir "$T/bin" "$T/cache"
cat >"$T/real" <<END
#!/bin/sh
exec $(command -v ssh) -F $T/ssh_config "\$@"
END
chmod +x "$T/real"
ln -s "$V" "$T/bin/ssh"
export PATH="$T/bin:$PATH" XDG_CACHE_HOME="$T/cache" MILLIPEDESH_SSH="$T/real"
export MILLIPEDESH_OPTIONS="remote-program $T/far"

# `sync STATUS ARGUMENT ...`: receives nothing into a mounted file system, as a
# receiver of backups does; this zfs cannot resume, nor tell the size beforehand.
sync()
{
	_status=$1
	shift
	start syncoid syncoid --no-sync-snap --no-resume --recvoptions=u "$@" </dev/null >"$T/out"
	ended syncoid "$_status"
	[ ! -e "$T/cache/viamillipede" ] || fail "left to ssh: $(cat "$T/syncoid.err")"
}

live=$ZFS_AT/here/live
zfs create here/live
data 12000000 >"$live/big"
mkdir "$live/a b"
echo one >"$live/a b/one"
zfs snapshot here/live@1

user=$(id -un)
sync 0 here/live "$user@$host:there/pushed"
cat $T/out $T/syncoid.err
same_snapshot here/live@1 there/pushed@1
sync 0 "$user@$host:here/live" there/pulled
same_snapshot here/live@1 there/pulled@1

data 5000000 1 >"$live/more"
rm "$live/big"
zfs snapshot here/live@2
echo two >>"$live/a b/one"
zfs snapshot here/live@3
tree_of "$live" >"$T/tree.3"
sync 0 here/live "$user@$host:there/pushed"
cat $T/out $T/syncoid.err
sync 0 "$user@$host:here/live" there/pulled
for to in pushed pulled; do
	same_snapshot here/live@2 there/$to@2
	same_snapshot here/live@3 there/$to@3
	holds there/$to "$T/tree.3"
done
no_zfs
