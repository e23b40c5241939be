#!/bin/sh
# Goal: A sender that reads from a terminal is a job like any other: stopped, not
# failed, while it is in the background, suspended by the key, and it carries on.
# promise: DESCRIPTION, SIGNALS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

"$PY" -IS "$TESTS/t_job.py" "$V" || fail "see above"
