#!/bin/sh
# Goal: borg, unmodified, keeps a repository on another host with millipedesh as its remote
# shell, and notices nothing of legs that are reset all the time: what it created is
# found right by its check and extracted again. Its own errors and status come through.
# promise: MILLIPEDESH, ENVIRONMENT, OPTIONS chaos
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need borg
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1
# A leg that is lost is told, which borg prints as what the remote side said.
in_place_of_ssh there verbose 1 frame 64k chaos 10:reset

export BORG_REPO="ssh://there$T/repository" BORG_RSH="$T/bin/ssh" BORG_BASE_DIR="$T/borg"
export BORG_PASSPHRASE=secret LC_ALL=C.UTF-8
mkdir "$T/borg"

ARCHIVER=borg
# shellcheck source=tests/n_archive.sh
. "$TESTS/n_archive.sh"
archive 2 list
told borg 'does not exist'
archive 0 init -e repokey
archive 0 create ::first tree
told borg 'lost.*chaos: reset'
data 5000000 10 >"$T/tree/more"
rm "$T/tree/a b/5"
archive 0 create ::second tree
told borg 'lost.*chaos: reset'
archive 0 check --verify-data
mkdir "$T/out"
cd "$T/out"
archive 0 extract ::second
told borg 'lost.*chaos: reset'
diff -r --no-dereference "$T/tree" "$T/out/tree" || fail "something else was extracted"
archive 0 delete ::first
archive 2 extract ::first
told borg 'Archive first does not exist'
nothing_left 10
