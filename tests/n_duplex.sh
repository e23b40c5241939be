# shellcheck shell=sh
# Both directions at once, for behaviour tests: read in after lib.sh. The end that
# listens gets $T/to_l, the one that calls $T/to_c.

# `listen NAME 'OPTION ...' [exec COMMAND]`
listen()
{
	_listen=$1
	_words=$2
	shift 2
	# shellcheck disable=SC2086
	start "$_listen" "$V" duplex 0 $_words "$@"
	told "$_listen" "listening on .*:[0-9][0-9]*$" 20
} 3<&0

# `call NAME LISTENER 'OPTION ...' [exec COMMAND]`; LISTENER may be a proxy.
call()
{
	_call=$1
	_to=$(port "$2")
	_words=$3
	shift 3
	# shellcheck disable=SC2086
	start "$_call" "$V" duplex 127.0.0.1 "$_to" $_words "$@"
} 3<&0

# `both_done [FROM_CALLER FROM_LISTENER]`: both have ended with 0, and the bytes are the
# same; the names are those of files in $T.
both_done()
{
	ended c 0 30
	ended l 0 30
	same "$T/${1:-b}" "$T/to_l"
	same "$T/${2:-a}" "$T/to_c"
}
