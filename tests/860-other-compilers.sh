#!/bin/sh
# Goal: The same sources compile without a warning for other compilers, optimisation
# levels, C libraries, word sizes and byte orders, and for a system without the macros
# that #ifdef asks for. Each build passes tests, and carries exact bytes to and from
# the build that is tested otherwise.
#
# This is the part of it that `make test` has time for; with TEST_ALL=machines, as
# tests/long/other-machines.sh says it, that for other processors, and with TEST_ALL=1,
# as tests/long/other-compilers.sh says it, all of it. What is not installed is left
# out, and then this test is skipped in the end, though the rest passed.
# promise: none
# takes: 40
# limit: 480
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need make
need cc

SOURCES=${TESTS%/*}
ALL=${TEST_ALL:-} MACHINES=no
case $ALL in
machines)	ALL='' MACHINES=only ;;
?*)	MACHINES=yes ;;
esac
MISSING=
# Warnings about types and calls do not depend on this; what an optimiser finds, the
# other builds find as well.
LEVEL=-O1 BRIEF=-O0	# for what runs long in the end, and what does not
[ -z "$ALL" ] || LEVEL=-O2 BRIEF=-O2

# Everything here is built anew, so other flags of the caller's make no sense.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS CC CFLAGS LDFLAGS
if ! memory_is_honest; then
	echo "this is about builds without a sanitizer, which another run has tested"
	exit 0
fi

# --- building ----------------------------------------------------------------

# `has PROGRAM PACKAGE`: it is installed; otherwise that is noted.
has()
{
	command -v "$1" >/dev/null && return 0
	echo "left out: $1 is not installed"
	MISSING="$MISSING $2"
	return 1
}

# `compiles COMPILER PACKAGE`: it makes programs, which some packages are for.
compiles()
{
	echo '#include <errno.h>
	int main(void) { return errno; }' >"$T/try.c"
	# shellcheck disable=SC2086
	$1 -o "$T/try" "$T/try.c" 2>/dev/null && return 0
	echo "left out: '$1' makes no programs here"
	MISSING="$MISSING $2"
	return 1
}

# `build NAME COMPILER CFLAGS [TARGET ...]`: $T/NAME has the program.
build()
{
	_name=$1
	_cc=$2
	_flags=$3
	shift 3
	mkdir "$T/$_name"
	"$TESTS/copy-sources.sh" "$T/$_name"
	echo "-------- $_name: $_cc $_flags"
	(cd "$T/$_name" && make -s -j 2 CC="$_cc" CFLAGS="$_flags -Werror" \
	    viamillipede "$@") >"$T/$_name/log" 2>&1 || {
		tail -n 30 "$T/$_name/log"
		fail "$_name: does not build without a warning"
	}
}

# `drop NAME`: the room is needed.
drop()
{
	rm -rf "${T:?}/$1"
}

# --- testing -----------------------------------------------------------------

if [ -n "$ALL" ]; then
	CORE="020-help 030-sizes 040-legs 050-checksum 070-start-order 081-stdio 090-closed-descriptors
	    100-nonblocking 110-trickle 130-consumer-gone 150-disk-full 160-read-error 170-checkphrase
	    210-signals 250-two-receivers 280-idle-source 320-all-reset"
else
	CORE="020-help 040-legs 081-stdio 150-disk-full"
fi

# `core PROGRAM [TEST ...]`: it passes these tests.
core()
{
	_program=$1
	shift
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $CORE
	for _test; do
		[ -e "$TESTS/$_test.sh" ] || fail "no test $_test"
		_status=0
		VIAMILLIPEDE=$_program TMPDIR=$T sh "$TESTS/$_test.sh" >"$T/core" 2>&1 ||
		    _status=$?
		case $_status in
		0)	;;
		77)	echo "$_test: skipped: $(tail -n 1 "$T/core")" ;;
		*)	tail -n 60 "$T/core"
			fail "${_program#"$T"/}: $_test" ;;
		esac
	done
}

# `units NAME "RUNNER ..." UNIT ...`: the unit tests pass, as built in $T/NAME.
units()
{
	_name=$1
	_runner=$2
	shift 2
	for _unit in "$@"; do
		# shellcheck disable=SC2086
		(cd "$T/$_name" && $_runner "$_unit") >"$T/unit" 2>&1 || {
			tail -n 20 "$T/unit"
			fail "$_name: $_unit"
		}
	done
}

# `exchange TX RX`: 20 MB from the one to the other, exactly, spliced and not,
# plain, then with checks and so that legs are reset meanwhile, when frames
# are cut anew and all fields of the protocol have something in them, and with a key.
exchange()
{
	for how in pipe 'file checksum frame 64k chaos 80:reset' "pipe key $T/key" \
	    ${ALL:+file 'pipe checksum frame 64k chaos 20:reset,short'}; do
		words=${how#[pf]i[pl]e}
		key=$(expr "$words" : '.*\(key .*\)') || :
		# shellcheck disable=SC2086
		case $how in
		pipe*)	start r "$2" rx 0 $key | start sink cat >"$T/out" ;;
		*)	start r "$2" rx 0 $key >"$T/out" ;;
		esac
		told r 'listening on .*:[0-9][0-9]*$' 20
		# shellcheck disable=SC2086
		start t "$1" tx 127.0.0.1 "$(port r)" legs 3 $words <"$T/in"
		ended t 0 60
		ended r 0 20
		case $how in
		pipe*)	ended sink 0 ;;
		esac
		same "$T/in" "$T/out"
		case $words in
		*reset*)	told t 'lost.*chaos: reset' ;;
		esac
	done
}
data 20000000 >"$T/in"
(umask 077 && data 32 9 >"$T/key")

# --- without what only some systems have -------------------------------------

# The text of every source file of the program.
sources()
{
	find "$SOURCES" -name '*.[ch]' ! -path "$SOURCES/build/*" ! -path "$SOURCES/tests/*" \
	    -exec cat {} +
}

# Every macro that some system may lack: whatever is asked for with #ifdef, but
# guards, VERSION, what the compiler says of itself or the processor, and what
# Linux never has.
macros()
{
	sources | sed -n -e 's/^# *ifn*def  *\([A-Za-z_0-9]*\).*/\1/p' \
	    -e 's/^# *if.*defined *(\([A-Za-z_0-9]*\)).*/\1/p' |
	    grep -v -x -e '__.*' -e '_[A-Z]*_SOURCE' -e '.*_H' -e VERSION -e INSTRUCTION -e SIGINFO | sort -u
}

# `bare FILE MACRO ...`: a header, to be included before everything, after which
# these are not there. It includes every header that the sources do, under other
# names for the enumerators that some are, and takes the names away again; so
# their guards keep them from coming back. The processor's own headers have none of
# them, and would take most of the compiler's time. Calls that only Linux has are
# forbidden where the macro that goes with them is missing.
bare()
{
	_file=$1
	shift
	{
		echo '#define _GNU_SOURCE'
		for _macro in "$@"; do
			echo "#define $_macro hidden_$_macro"
		done
		sources | sed -n 's/^#include <\(.*\)>.*/\1/p' |
		    sort -u | grep -v -x -e immintrin.h -e arm_neon.h | while read -r _header; do
			printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' \
			    "$_header" "$_header"
		done
		echo '#pragma GCC poison accept4 pipe2 signalfd getrandom'
		for _macro in "$@"; do
			echo "#undef $_macro"
			case $_macro in
			SPLICE_F_MOVE)	echo '#pragma GCC poison splice tee vmsplice' ;;
			EFD_NONBLOCK)	echo '#pragma GCC poison eventfd' ;;
			EPOLL_CLOEXEC)	echo '#pragma GCC poison epoll_create1' ;;
			PR_SET_NAME)	echo '#pragma GCC poison prctl' ;;
			esac
		done
		echo '#define SIGINFO SIGPWR'
	} >"$_file"
}

# The macro is really not there, or all of this proves nothing.
is_bare()
{
	_file=$1
	shift
	for _macro in "$@"; do
		printf '#ifdef %s\n#error %s is there\n#endif\n' "$_macro" "$_macro"
	done >"$T/try.c"
	echo 'int unused;' >>"$T/try.c"
	cc -include "$_file" -c -o "$T/try.o" "$T/try.c" || fail "a macro cannot be taken away"
}

# Our own way of asking on a system that has SIGINFO.
asked_by_siginfo()
{
	start r "$1" rx 0 >"$T/out"
	told r 'listening on .*:[0-9][0-9]*$' 20
	signal r PWR
	told r 'viamillipede rx: no contact yet'
	signal r TERM
	ended r signal:15
}

# shellcheck disable=SC2046
without_macros()
{
	bare "$T/bare.h" $(macros)
	is_bare "$T/bare.h" $(macros)
	build bare cc "$BRIEF -U__linux__ -include $T/bare.h"
	core "$T/bare/viamillipede"
	core "$T/bare/viamillipede" 782-streams
	exchange "$T/bare/viamillipede" "$V"
	exchange "$V" "$T/bare/viamillipede"
	asked_by_siginfo "$T/bare/viamillipede"
	drop bare
	[ -n "$ALL" ] || return 0
	build unlinux cc '-O2 -U__linux__'
	core "$T/unlinux/viamillipede"
	drop unlinux
	for macro in $(macros); do
		bare "$T/without-$macro.h" "$macro"
		is_bare "$T/without-$macro.h" "$macro"
		build "without-$macro" cc "-O1 -include $T/without-$macro.h"
		core "$T/without-$macro/viamillipede"
		drop "without-$macro"
	done
}

# --- other compilers ---------------------------------------------------------

UNITS=$(cd "$TESTS" && for f in unit_*.c; do echo "build/${f%.c}"; done)
CODEC="build/unit_frame build/unit_crc32c build/unit_digest build/unit_channel
    build/unit_handshake build/unit_key build/unit_sha256 build/unit_aead build/unit_noise
    build/unit_x25519"
[ -z "$ALL" ] || CODEC=$UNITS

# `both NAME`: the build passes the tests and speaks with the other.
both()
{
	core "$T/$1/viamillipede"
	exchange "$T/$1/viamillipede" "$V"
	exchange "$V" "$T/$1/viamillipede"
	drop "$1"
}

optimisers()
{
	for compiler in gcc clang; do
		has $compiler $compiler || continue
		for level in 0 1 2 3; do
			# shellcheck disable=SC2086
			build $compiler-O$level $compiler -O$level $UNITS
			# shellcheck disable=SC2086
			units $compiler-O$level '' $UNITS
			core "$T/$compiler-O$level/viamillipede"
			drop $compiler-O$level
		done
	done
}

musl()
{
	has musl-gcc musl-tools || return 0
	# shellcheck disable=SC2086
	build musl musl-gcc "$BRIEF" ${ALL:+$UNITS}
	# shellcheck disable=SC2086
	[ -z "$ALL" ] || units musl '' $UNITS
	both musl
}

# A kernel that runs 64-bit programs alone may be without their headers' link.
m32()
{
	compiler="cc -m32 -idirafter /usr/include/$(cc -dumpmachine)"
	compiles "$compiler" gcc-multilib || return 0
	"$T/try" || {
		echo "left out: the kernel runs no 32-bit programs"
		return 0
	}
	# shellcheck disable=SC2086
	build m32 "$compiler" $LEVEL $CODEC
	# shellcheck disable=SC2086
	units m32 '' $CODEC
	both m32
}

big_endian()
{
	compiler=$(for f in $(echo "$PATH" | tr : ' '); do
		ls "$f"/s390x-linux-gnu-gcc "$f"/s390x-linux-gnu-gcc-[0-9]* 2>/dev/null || :
	done | head -n 1)
	[ -n "$compiler" ] || compiler=s390x-linux-gnu-gcc
	has "$compiler" 'gcc-s390x-linux-gnu libc6-dev-s390x-cross' || return 0
	has qemu-s390x qemu-user || return 0
	# shellcheck disable=SC2086
	build s390x "$compiler" -O2 $CODEC
	printf '#!/bin/sh\nexec qemu-s390x -L /usr/s390x-linux-gnu "%s" "$@"\n' \
	    "$T/s390x/viamillipede" >"$T/s390x/emulated"
	chmod 755 "$T/s390x/emulated"
	# shellcheck disable=SC2086
	units s390x 'qemu-s390x -L /usr/s390x-linux-gnu' $CODEC
	exchange "$T/s390x/emulated" "$V"
	exchange "$V" "$T/s390x/emulated"
	[ -z "$ALL" ] || core "$T/s390x/emulated"
	drop s390x
}

# The processor's own instructions are looked for, and used, as on a real one.
arm64()
{
	compiler=$(for f in $(echo "$PATH" | tr : ' '); do
		ls "$f"/aarch64-linux-gnu-gcc "$f"/aarch64-linux-gnu-gcc-[0-9]* 2>/dev/null || :
	done | head -n 1)
	[ -n "$compiler" ] || compiler=aarch64-linux-gnu-gcc
	has "$compiler" 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross' || return 0
	has qemu-aarch64 qemu-user || return 0
	# shellcheck disable=SC2086
	build arm64 "$compiler" -O2 $CODEC
	# shellcheck disable=SC2086
	units arm64 'qemu-aarch64 -L /usr/aarch64-linux-gnu' $CODEC
	drop arm64
}

if [ "$MACHINES" != only ]; then
	without_macros
	musl
fi
if [ "$MACHINES" != no ]; then
	m32
	big_endian
	arm64
fi
[ -z "$ALL" ] || optimisers
[ -z "$MISSING" ] || skip "all that is installed passed; not installed:$MISSING"
