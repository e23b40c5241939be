#!/bin/sh
# Goal: the main job. A real tree goes through tar, tx, rx and tar, and what
# comes out is what went in: names, contents, links, modes.
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
