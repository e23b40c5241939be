#!/bin/sh
# Goal: Whatever fuzzing has found, and a small set of inputs with the same coverage,
# go through the codec, both sides of the handshake, whole sessions and the parsers of
# user input without breaking a rule.
# promise: none
# limit: 120
set -eu
tests=${0%/*}
build=${BUILD:-build}
for name in codec handshake session text; do
	"$build/corpus_$name" "$tests/corpus/$name"/* >"${TMPDIR:-/tmp}/corpus-$name" 2>&1 || {
		tail -n 3 "${TMPDIR:-/tmp}/corpus-$name"
		echo "corpus_$name failed at the last file above"
		exit 1
	}
	tail -n 1 "${TMPDIR:-/tmp}/corpus-$name"
done
# It can fail: a target that is given nothing to read says so.
! "$build/corpus_codec" "$tests/corpus/codec/no such file" >/dev/null 2>&1
