# shellcheck shell=sh
# The emulated network (netlab.py) for behaviour tests: read in after lib.sh.
# `lab PATHS` runs the whole test inside; the sender is in namespace a, the
# receiver in b, and `wan` and `wan_count` (netlab.py) injure the paths between.

# `lab PATHS [OPTION ...]`: the rest of the test runs with these paths, comma
# between them; where namespaces are not allowed, the test is skipped.
lab()
{
	if [ "${INSIDE:-}" != yes ]; then
		_status=0
		INSIDE=yes "$PY" -B "$TESTS/netlab.py" run --seed "$SEED" \
		    --paths "$@" -- sh "$0" || _status=$?
		exit $_status
	fi
	# shellcheck source=/dev/null
	. "$NETLAB_SH"
}

# `lab_rx NAME [OPTION ...]`: as `rx`, in b.
lab_rx()
{
	_rx=$1
	shift
	start "$_rx" ip netns exec "$NS_B" "$V" rx 0 "$@"
	told "$_rx" "listening on .*:[0-9][0-9]*$" 20
}

# `lab_tx NAME RX 'PATH ...' [OPTION ...]`: from a, over these paths.
lab_tx()
{
	_tx=$1
	_to=$(port "$2")
	_paths=$3
	shift 3
	_words=
	for _path in $_paths; do
		_words="$_words tx 10.77.$_path.2 $_to"
	done
	# shellcheck disable=SC2086
	start "$_tx" ip netns exec "$NS_A" "$V" $_words "$@"
}

# `carried PATH DIRECTION BYTES`: so much has come out of this link.
carried()
{
	[ "$(wan_count "$1" "$2" out_bytes)" -ge "$3" ]
}

# `fired PATH DIRECTION COUNTER [LEAST]`: the fault took place.
fired()
{
	_count=$(wan_count "$1" "$2" "$3")
	echo "path $1 $2 $3 $_count"
	[ "$_count" -ge "${4:-1}" ] || fail "the fault did not take place: $3 $_count"
}

# `reported FILE NAME`: a number of the last line, the end, of a report.
reported()
{
	tail -n 1 "$1" | "$PY" -IS -c 'import json, sys
print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

# `exact SECONDS [SUFFIX]`: t and r have ended with 0 by then, and the bytes are
# the same; with a suffix the names and the output carry it.
exact()
{
	ended "t${2:-}" 0 "$1"
	ended "r${2:-}" 0 10
	same "$T/in" "$T/out${2:-}"
}
