# shellcheck shell=sh
# Strangers at the door (t_stranger.py) for behaviour tests: read in after lib.sh.

# `capture_hello [WORD ...]`: $T/hello is what a sender of another session says first.
capture_hello()
{
	start capture "$PY" -IS "$TESTS/t_stranger.py" 0 capture "$T/hello"
	told capture 'listening on'
	echo | start early "$V" tx 127.0.0.1 "$(port capture)" "$@"
	within 10 test -s "$T/hello" || fail "no HELLO came"
	signal early KILL
}

# How often a leg of t has come up, if it says that.
ups()
{
	grep -c 'leg [0-9]* up' "$T/t.err"
}

# `more_ups NUMBER`: more often than that.
more_ups()
{
	[ "$(ups)" -gt "$1" ]
}
