#!/bin/sh
# How many lines of the program its tests run: builds it for gcov in a tree of
# its own, build/coverage, runs the suite there, and prints the share of each
# file and of all. What was not run is listed in build/coverage/uncovered.
# `make coverage` is made of this; it fails below 90 percent. A test that fails
# is shown, but does not make this fail: such a build writes files when it ends,
# and one that limits the size of files ends it there.
#
# The unit tests count, too. What a process that was killed has run is not known.
#
# What the suite does not run, some 4 of 100 lines, is of these kinds, and run
# elsewhere or not at all:
# - what follows a call that failed (memory, descriptors, pipes, threads, random
#   raw, polls): the suite makes a few of them fail, tests/long/failing.sh each;
# - tunnel.c and what ssh.c, dial.c and listener.c do for legs that go through
#   ssh, and the way home from there: tests/long/ssh-tunnel.sh, ssh-under-fire.sh;
# - answers to a peer who breaks rules in ways that need its key or its place in
#   the handshake (WELCOME from another, a second HELLO, floods): the fuzz targets;
# - a turn that is waited for, lost or given up in mid-frame (REASSEMBLY_WAIT, skip):
#   the fuzz target of the session, tests/simulation.c and luck;
# - complaints of reassembly_audit and window_audit, which only a fault could make;
# - systems without eventfd, IPv6 or /proc: tests/860-other-compilers.sh has builds
#   for some of them.
#
# Environment: TESTS and TEST_SLOW, as tests/other-build.sh has them.

set -eu
cd "${0%/*}/.."
LEAST=90

# What was counted is written at the end of a process, unless a signal or _exit
# ends it: then here.
rm -rf build/coverage
mkdir -p build
# No header is included: what the sources ask of those they ask themselves.
cat >build/coverage.h <<'EOF'
extern void __gcov_dump(void);
extern int real_raise(int) __asm__("raise");
extern void real_exit(int) __asm__("_exit");
extern int raise(int) __asm__("counted_raise");
extern void _exit(int) __asm__("counted_exit");
__attribute__((weak)) int raise(int number) { __gcov_dump(); return real_raise(number); }
__attribute__((weak)) void _exit(int status) { __gcov_dump(); real_exit(status); for (;;) ; }
EOF
tests/other-build.sh coverage "-O0 -g --coverage -fprofile-update=atomic \
    -include $PWD/build/coverage.h" gcc || echo "coverage: tests failed, see above"

cd build/coverage
# Of each source that was built, beside its object; a folder has its own.
find . -name '*.gcda' ! -path './build/*' ! -path './tests/*' |
    sed -e 's,^\./,,' -e 's/gcda$/c/' | sort >measured
[ -s measured ] || {
	echo "tests/coverage.sh: nothing was run" >&2
	exit 1
}
while read -r source; do
	gcov -o "${source%.c}.o" "$source"
done <measured >gcov.log 2>&1 || {
	tail -n 20 gcov.log
	echo "tests/coverage.sh: gcov failed" >&2
	exit 1
}
# A line of gcov's: how often it was run, its number, its text; "#####" is never
# and "-" is nothing to run.
rm -f uncovered
while read -r source; do
	awk -v name="$source" '
	function flush() {
		if (from)
			print name ":" from (to > from ? "-" to : "") >>"uncovered"
		from = 0
	}
	{
		count = $0; sub(/:.*/, "", count); gsub(/[ *]/, "", count)
		line = $0; sub(/^[^:]*:/, "", line); line += 0
	}
	line == 0 || count == "-"	{ next }
	{ all++ }
	count ~ /^[#=]+$/		{ if (!from) from = line; to = line; next }
	{ run++; flush() }
	END {
		flush()
		printf "%5.1f %% of %4d  %s\n", all ? 100 * run / all : 100, all, name
	}' "${source##*/}.gcov"
done <measured | tee files
awk -v least=$LEAST '
	{ all += $4; run += $1 * $4 / 100 }
	END {
		printf "%5.1f %% of %4d lines in all\n", 100 * run / all, all
		exit 100 * run / all < least
	}' files
