#!/bin/sh
# Goal: Under the name millipedesh, or ssh, the program takes ssh's command line and does
# what ssh does: for the same commands the same output, errors and exit status; rsync,
# git, scp and sftp use it unmodified. What it cannot carry, and a far side without it,
# is left to the real ssh, and that is said once.
# promise: MILLIPEDESH, OPTIONS run, OPTIONS remote-program
# waits
# takes: 40
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
need git
need rsync
need scp
need sftp
sshd_begin 127.0.0.1
real=$(command -v ssh)
mkdir "$T/bin" "$T/cache" "$T/home"
ln -s "$V" "$T/bin/millipedesh"
ln -s "$V" "$T/bin/ssh"
export XDG_CACHE_HOME="$T/cache" MILLIPEDESH_OPTIONS="remote-program $T/far"
MSH="$T/bin/millipedesh -F $T/ssh_config"

# --- as ssh does -----------------------------------------------------------------

# `same_as_ssh ARGUMENT ...`, with $T/in.
same_as_ssh()
{
	status=0
	# shellcheck disable=SC2086
	$SSH "$@" <"$T/in" >"$T/out.ssh" 2>"$T/err.ssh" || status=$?
	# shellcheck disable=SC2086
	start m $MSH "$@" <"$T/in" >"$T/out"
	ended m $status
	cmp "$T/out.ssh" "$T/out" || fail "another output of: $*"
	cmp "$T/err.ssh" "$T/m.err" || fail "other errors of: $*"
}

data 100000 >"$T/in"
same_as_ssh there cat
same_as_ssh there 'wc -c; echo err >&2; exit 9'
# shellcheck disable=SC2016
same_as_ssh there echo "'a   b'" c '$HOME "$#"' '*'
same_as_ssh there "printf '%s\n' 'it'\\''s'"
same_as_ssh -n there cat
same_as_ssh -T -x -o BatchMode=yes -- there echo x
same_as_ssh -oConnectTimeout=20 -l "$(id -un)" there -q -4 'head -c 7; exit 3'
# shellcheck disable=SC2016
same_as_ssh there 'echo "$SHELL"; pwd; echo "$PATH"'
same_as_ssh there -n sleep 0 '; exit 77'
same_as_ssh there 'echo err >&2; exec sh -c "exit 127"'

# Errors and output into one pipe, or one file, in whatever order.
for sh in "$SSH" "$MSH"; do
	$sh there 'echo out; echo err >&2; exit 9' 2>&1 </dev/null | sort >"$T/both"
	[ "$(cat "$T/both")" = "err
out" ] || fail "of output and errors in one pipe came: $(cat "$T/both")"
	status=0
	$sh there 'echo err >&2; exit 9' >"$T/both" 2>&1 </dev/null || status=$?
	[ $status = 9 ] || fail "status $status with errors in the output's file"
	[ "$(cat "$T/both")" = err ] || fail "errors in the output's file: $(cat "$T/both")"
	$sh -o HostKeyAlias=nobody there true 2>&1 </dev/null | cat >"$T/both"
	grep -q 'Host key verification failed' "$T/both" || fail "ssh's own: $(cat "$T/both")"
done

# --- what is left to ssh -------------------------------------------------------------

same_as_ssh -V
same_as_ssh -G there
same_as_ssh -o nonsense there true
same_as_ssh -9 there true
same_as_ssh
# `left_to_ssh REASON ARGUMENT ...`: said once.
left_to_ssh()
{
	_reason=$1
	shift
	rm -rf "$T/cache/viamillipede"
	# shellcheck disable=SC2086
	start m $MSH "$@" </dev/null >"$T/out"
	ended m 0
	told m "there: $_reason; ssh does it alone (said once a day)"
	# shellcheck disable=SC2086
	start m $MSH "$@" </dev/null >"$T/out"
	ended m 0
	never_said m 'ssh does it alone'
}
: >"$T/in"
left_to_ssh 'what was asked for is not carried' -tt there 'echo x'
left_to_ssh 'what was asked for is not carried' -A there 'echo x'
free_port
left_to_ssh 'what was asked for is not carried' -L "$PORT:localhost:1" there 'echo x'
left_to_ssh 'what was asked for is not carried' -o RemoteCommand='echo y' there
left_to_ssh 'a login without a command is not carried' there
MILLIPEDESH_OPTIONS="remote-program $T/no/program"
left_to_ssh 'it has no viamillipede of this version' there 'cat; echo x'
[ "$(cat "$T/out")" = x ] || fail "what ssh printed alone is lost"
MILLIPEDESH_OPTIONS="remote-program $T/far"
# A connection that is kept open for what follows is nothing to tell; that is carried.
rm -r "$T/cache/viamillipede"
# shellcheck disable=SC2086
start master $MSH -M -S "$T/socket" -o ControlPersist=1m there exit </dev/null
ended master 0
same_as_ssh -S "$T/socket" there 'echo x; exit 4'
# shellcheck disable=SC2086
start m $MSH -S "$T/socket" -O exit there </dev/null
ended m 0
[ ! -e "$T/cache/viamillipede" ] || fail "told of a master: $(cat "$T/master.err")"
# A wrong word of ours is no reason to go on without it.
status=0
MILLIPEDESH_OPTIONS=legz
# shellcheck disable=SC2086
$MSH there true 2>"$T/why" </dev/null || status=$?
[ $status = 255 ] || fail "status $status after a wrong word"
grep -q legz "$T/why" || fail "the wrong word is not told"
MILLIPEDESH_OPTIONS="remote-program $T/far"

# --- in ssh's place --------------------------------------------------------------------

sed "s,^Host there,Host *," "$T/ssh_config" >"$T/config"
PATH="$T/bin:$PATH" MILLIPEDESH_SSH='' ssh -F "$T/ssh_config" there 'echo by name; exit 5' \
    >"$T/out" 2>"$T/why" </dev/null || status=$?
[ $status = 5 ] || fail "as ssh it exited $status: $(cat "$T/why")"
[ "$(cat "$T/out")" = 'by name' ] || fail "as ssh"
MILLIPEDESH_SSH="$real" "$T/bin/ssh" -F "$T/ssh_config" there 'exit 6' </dev/null || status=$?
[ $status = 6 ] || fail "with MILLIPEDESH_SSH it exited $status"

status=0
PATH="$T/bin" "$T/bin/millipedesh" there true </dev/null 2>"$T/why" || status=$?
[ $status = 255 ] || fail "without an ssh it exited $status"
grep -q 'no ssh in PATH but this program; say where it is with MILLIPEDESH_SSH' "$T/why" ||
    fail "without an ssh: $(cat "$T/why")"

# --- tools, unmodified -----------------------------------------------------------------

mkdir "$T/tree"
for i in 1 2 3 4 5 6 7 8; do
	mkdir "$T/tree/$i"
	data $((i * 300000)) "$i" >"$T/tree/$i/file"
	ln -s file "$T/tree/$i/link"
done
rsync -a -e "$MSH" "$T/tree/" "there:$T/there/" 2>"$T/why" || fail "rsync: $(cat "$T/why")"
diff -r "$T/tree" "$T/there" || fail "rsync brought something else"
data 300000 9 >"$T/there/3/file"
rm -r "$T/tree/8"
rsync -a --delete --checksum -e "$MSH" "there:$T/there/" "$T/tree/" 2>"$T/why" ||
    fail "rsync back: $(cat "$T/why")"
diff -r "$T/tree" "$T/there" || fail "rsync fetched something else"
status=0
rsync -a -e "$MSH" "$T/tree/" "there:$T/no/such/place/" 2>"$T/why" || status=$?
[ $status != 0 ] || fail "rsync to nowhere succeeded"

export GIT_SSH_COMMAND="$MSH" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q --bare "$T/repository"
git clone -q "there:$T/repository" "$T/clone" 2>"$T/why" || fail "git clone: $(cat "$T/why")"
cp -R "$T/tree" "$T/clone/tree"
git -C "$T/clone" add tree
git -C "$T/clone" commit -q -m tree
git -C "$T/clone" push -q origin HEAD:main 2>"$T/why" || fail "git push: $(cat "$T/why")"
git clone -q -b main "there:$T/repository" "$T/clone2" 2>"$T/why" ||
    fail "git clone: $(cat "$T/why")"
diff -r "$T/tree" "$T/clone2/tree" || fail "git cloned something else"
git -C "$T/repository" fsck --no-progress >"$T/said" 2>&1 || fail "git fsck: $(cat "$T/said")"

scp -q -S "$T/bin/millipedesh" -F "$T/ssh_config" "$T/tree/7/file" "there:$T/scp" 2>"$T/why" ||
    fail "scp: $(cat "$T/why")"
same "$T/tree/7/file" "$T/scp"
echo "get $T/tree/6/file $T/sftp" | sftp -q -b - -S "$T/bin/millipedesh" -F "$T/ssh_config" \
    there >"$T/said" 2>"$T/why" || fail "sftp: $(cat "$T/why")"
same "$T/tree/6/file" "$T/sftp"
within 20 far_is_gone || fail "left: $(far LIST)"
