#!/bin/sh
# The suite over another build of the same sources:
#
#	tests/other-build.sh NAME CFLAGS [CC]
#
# builds the program and the unit tests with those CFLAGS in a copy of the
# sources, build/NAME, and runs tests/run there. A sanitizer's report fails it,
# also where a test did not see it: reports go to files, which are looked for
# at the end. `make test-asan` and `make test-tsan` are made of this.
#
# Environment: TESTS (files, as tests/run takes them, relative to the copy; all
# of them otherwise), TEST_SLOW (3), and what tests/run knows.

set -eu

usage()
{
	echo "usage: tests/other-build.sh NAME CFLAGS [CC]" >&2
	exit 2
}

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
	usage
fi
case $1 in
''|*[!a-z0-9-]*)
	usage ;;
esac
name=$1
flags=$2
compiler=${3:-${CC:-cc}}
cd "${0%/*}/.."
copy=$PWD/build/$name
reports=$copy/reports

# --- build ------------------------------------------------------------------

rm -rf "$copy"
mkdir -p "$copy" "$reports"
# Some tests run the program as another user.
chmod 1777 "$reports"
tests/copy-sources.sh "$copy"
cd "$copy"
unset MAKEFLAGS MAKEOVERRIDES MFLAGS
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# What the Makefile's own `make test` builds.
# shellcheck disable=SC2016
needed=$(printf 'needed:\n\t@echo $(UNITS) $(TOOLS)\n' |
    make -s -f Makefile -f - needed)
# These are to be as fast as ever; they link nothing of ours.
# shellcheck disable=SC2086
{
	make CC="$compiler" build/wanem build/t_far build/t_run build/t_sockets build/t_source build/t_wait
	make -j "$jobs" CC="$compiler" CFLAGS="$flags" viamillipede $needed
} >make.log 2>&1 || {
	tail -n 40 make.log >&2
	echo "tests/other-build.sh: $name does not build" >&2
	exit 1
}

# --- run --------------------------------------------------------------------

# lib.sh knows 86 for a sanitizer's end.
common="exitcode=86:log_path=$reports/report"
export ASAN_OPTIONS="$common:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="$common:print_stacktrace=1"
export TSAN_OPTIONS="$common:second_deadlock_stack=1"
export LSAN_OPTIONS="log_path=$reports/report"
export VIAMILLIPEDE="$copy/viamillipede" BUILD=build
export TEST_SLOW="${TEST_SLOW:-3}"
# What otherwise only waits computes a lot here.
export TEST_WAITERS="${TEST_WAITERS:-4}"

# The thread sanitizer of older compilers cannot live with all of today's
# randomisation of addresses.
without=
if ! ./viamillipede --version >/dev/null 2>&1; then
	without="setarch $(uname -m) -R"
	$without ./viamillipede --version >/dev/null || {
		cat "$reports"/* >&2 2>/dev/null || :
		echo "tests/other-build.sh: $name does not even start" >&2
		exit 1
	}
	rm -f "$reports"/*
fi

echo "$name: $compiler $flags${without:+, run by $without}"
status=0
# shellcheck disable=SC2086
$without tests/run ${TESTS:-} || status=$?

found=0
for report in "$reports"/*; do
	[ -s "$report" ] || continue
	found=$((found + 1))
	[ "$found" -gt 5 ] || { echo "--- ${report##*/}"; head -n 60 "$report"; }
done
if [ "$found" -gt 0 ]; then
	echo "$name: $found sanitizer reports in $reports"
	exit 1
fi
exit "$status"
