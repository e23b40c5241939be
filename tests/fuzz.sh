#!/bin/sh
# tests/fuzz.sh SECONDS PROGRAM ...: runs each libFuzzer program, build/fuzz_NAME,
# for so long, from what tests/corpus/NAME and build/corpus/NAME hold; keeps new
# inputs in the latter. Ends with status 1 after the first that finds something,
# which it leaves in build as NAME-crash-..., -timeout-... or -oom-...: fix it,
# and give the file a name in tests/corpus/NAME.
#
# Environment: FUZZ_OPTIONS, more options for libFuzzer.
set -eu
cd "${0%/*}/.."
seconds=$1
shift
for program in "$@"; do
	name=${program##*/fuzz_}
	mkdir -p "build/corpus/$name"
	echo "-------- $program, $seconds s"
	# shellcheck disable=SC2086
	"$program" -max_total_time="$seconds" -timeout=10 -max_len=256 \
	    -print_final_stats=1 -artifact_prefix="build/$name-" ${FUZZ_OPTIONS:-} \
	    "build/corpus/$name" "tests/corpus/$name" >"build/fuzz-$name.log" 2>&1 || {
		tail -n 60 "build/fuzz-$name.log"
		echo "tests/fuzz.sh: $program found something" >&2
		exit 1
	}
	grep '^stat::' "build/fuzz-$name.log"
done
