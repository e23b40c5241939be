#!/bin/sh
# Goal: The main job: a real tree goes through tar, tx, rx and tar, and the copy is
# the same in names, contents, links and modes.
# promise: EXIT STATUS 0, EXAMPLES
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need tar

tree=/usr/share/doc
[ -d "$tree" ] || tree=/usr/include
[ -d "$tree" ] || skip "needs a tree such as /usr/share/doc"
mkdir "$T/there"

listing()
{
	(cd "$1" && find . -printf '%y %m %s %l %p\n' | LC_ALL=C sort)
}

rx r | start unpack tar xpf - -C "$T/there"
start pack tar cf - -C "$tree" . | tx t r
ended pack 0 60
ended t 0
ended r 0
ended unpack 0
diff -r --no-dereference "$tree" "$T/there" >"$T/diff" ||
    fail "the trees differ: $(head -3 "$T/diff")"
listing "$tree" | grep -v '^d' >"$T/here.list"
listing "$T/there" | grep -v '^d' >"$T/there.list"
cmp "$T/here.list" "$T/there.list" || fail "the listings differ"
echo "$(wc -l <"$T/here.list") files"
