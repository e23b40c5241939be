#!/bin/sh
# Goal: Without /proc and /dev (no null, no urandom), as in an empty root, with some
# of descriptors 0 to 2 closed or standard error full, a stream is carried as always.
# promise: none
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need_root "covers /dev and /proc"
need unshare
unshare -m true 2>/dev/null || skip "cannot cover /dev and /proc"

data 1000000 >"$T/in"
cat >"$T/bare" <<'EOF'
set -eu
redirect=$1
shift
exec 9>/dev/full
mount -t tmpfs none /dev
# A sanitizer cannot live without /proc.
[ -n "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}" ] || mount -t tmpfs none /proc
eval "exec \"\$@\" $redirect"
EOF

# `goes RX_REDIRECTION TX_REDIRECTION`
goes()
{
	start r unshare -m sh "$T/bare" "$1 9>&-" "$V" rx "$PORT" timeout 10 >"$T/out"
	start t unshare -m sh "$T/bare" "$2 9>&-" "$V" tx 127.0.0.1 "$PORT" wait 10 \
	    chaos 7:reset frame 16k checksum <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
}

# A port that is free.
rx any >"$T/none"
PORT=$(port any)
stop any
ended any any
goes '' ''
goes '0<&-' '1>&-'
goes '2>&9' '2>&9'
goes '0<&- 2>&-' '1>&- 2>&-'
