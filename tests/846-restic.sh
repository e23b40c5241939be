#!/bin/sh
# Goal: restic, unmodified, keeps a repository on another host through sftp with
# millipedesh as its ssh, also as legs are reset: what it backed up is found right by its
# check and restored again. Its own errors and status come through.
# promise: MILLIPEDESH, OPTIONS chaos
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need restic
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1
in_place_of_ssh there verbose 1 frame 64k chaos 10:reset

export RESTIC_REPOSITORY="sftp:there:$T/repository" RESTIC_PASSWORD=secret
export RESTIC_CACHE_DIR="$T/restic"

ARCHIVER=restic
# shellcheck source=tests/n_archive.sh
. "$TESTS/n_archive.sh"
archive 1 snapshots
told restic 'unable to open config file'
archive 0 init
archive 0 backup tree
told restic 'lost.*chaos: reset'
data 5000000 10 >"$T/tree/more"
rm "$T/tree/a b/5"
archive 0 backup tree
archive 0 check --read-data
told restic 'lost.*chaos: reset'
archive 0 restore latest --target "$T/out"
told restic 'lost.*chaos: reset'
diff -r --no-dereference "$T/tree" "$T/out/tree" || fail "something else was restored"
archive 1 restore no-such-one --target "$T/none"
nothing_left 10
