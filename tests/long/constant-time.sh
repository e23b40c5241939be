#!/bin/sh
# Goal: No branch and no address depends on a key, a secret or a text. valgrind, told
# that those are undefined, finds nothing in any level that it can run (AVX-512 it
# cannot), as gcc and as clang compile it, and in the code for processors without
# 64-bit registers; and it finds both leaks that are there on purpose.
# limit: 600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
need valgrind
need gcc
need clang

SOURCES=${TESTS%/*}
echo '#include <valgrind/memcheck.h>' >"$T/try.c"
cc -c -o "$T/try.o" "$T/try.c" 2>"$T/try.log" || skip "needs the headers of valgrind"

# `make_it NAME COMPILER`: $T/NAME, from the sources.
make_it()
{
	# shellcheck disable=SC2046,SC2086
	(cd "$SOURCES" && $2 -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE \
	    -DCONSTANT_TIME_TEST -O2 -gdwarf-4 -I. -Itests -o "$T/$1" \
	    tests/constant_time.c $(find crypto -name '*.c') $(find . -maxdepth 1 \
	    -name sha256.c) -lpthread) >"$T/$1.log" 2>&1
}

# What may not be found: these, or what they call. A static program's C library
# has findings of its own, because valgrind does not know its functions there.
OURS=$(cd "$SOURCES" && find crypto sha256.c -name '*.c' 2>/dev/null | sed 's,.*/,,' |
    tr '\n' '|')
OURS="(at|by) .*(leak_|\\((${OURS%|}|[a-z0-9_]*_lanes.h):)"

# `finds PROGRAM CASE`: valgrind reports something in them.
finds()
{
	valgrind -q "$1" "$2" >"$T/out" 2>&1 || fail "$2: exit status $?: $(cat "$T/out")"
	grep -E -e "$OURS" "$T/out"
}

# `proves NAME LEAST`: for each case of it, at least so many.
proves()
{
	finds "$T/$1" leak-branch >"$T/leak" || fail "$1: a branch on a secret was not seen"
	finds "$T/$1" leak-address >"$T/leak" || fail "$1: an address from a secret was not seen"
	valgrind -q "$T/$1" list 2>"$T/list.log" | grep -v leak- >"$T/cases"
	[ "$(wc -l <"$T/cases")" -ge "$2" ] || fail "$1: nearly nothing to try"
	while read -r case; do
		echo "$1: $case"
		! finds "$T/$1" "$case" || fail "$1: $case: $(head -n 20 "$T/out")"
	done <"$T/cases"
}

for compiler in gcc clang; do
	make_it $compiler $compiler || fail "$compiler: $(cat "$T/$compiler.log")"
	proves $compiler 6
done
if make_it m32 "gcc -m32 -static -idirafter /usr/include/$(gcc -dumpmachine)"; then
	proves m32 4
else
	skip "all that was tried passed; gcc -m32 makes no programs here"
fi
