# shellcheck shell=sh
# Many connections in one session, for behaviour tests: read in after lib.sh.
# shellcheck source=tests/n_duplex.sh
. "$TESTS/n_duplex.sh"

# `server_of_streams NAME [SOCKET]`: a server of t_streams.py; its port, or the socket, is in $SERVED.
server_of_streams()
{
	start "$1" "$PY" -B "$TESTS/t_streams.py" serve "${2:-$T/$1.port}"
	within 10 test -e "${2:-$T/$1.port}" || fail "$1 does not serve"
	SERVED=${2:-$(cat "$T/$1.port")}
}

# `accepts NAME`: the port on which its initiate accepts, in $ACCEPTED.
accepts()
{
	told "$1" 'initiate: accepting on .*:[0-9][0-9]*$'
	# shellcheck disable=SC2034
	ACCEPTED=$(sed -n 's/.*initiate: accepting on .*:\([0-9][0-9]*\)$/\1/p' "$T/$1.err" |
	    head -n 1)
}

# `connections ADDRESS [option=value ...] KIND=COUNT ...`: all are right.
connections()
{
	_to=$1
	shift
	timeout $((60 * SLOW)) "$PY" -B "$TESTS/t_streams.py" call seed="$SEED" "$@" "$_to" \
	    >"$T/connections" 2>&1 || {
		cat "$T/connections"
		fail "connections: $*"
	}
	cat "$T/connections"
}

# `joined [WORD ...]`: l has terminate to $SERVED, c, which gets the words, initiate.
joined()
{
	listen l "${TERMINATE:-terminate 127.0.0.1 $SERVED}"
	call c l "initiate 0 $*"
	accepts c
}

# `parted`: c is ended, and with it l.
parted()
{
	signal c TERM
	ended c signal:15
	ended l 1
	told l 'the caller reports: ended by SIGTERM'
}
