#!/bin/sh
# Goal: `duplex` as ssh's ProxyCommand, to a real sshd: an interactive login answers each
# keystroke while its legs are reset, is silent during an outage, and goes on after it;
# the command's exit status comes back, and the far end ends with the login.
# promise: OPTIONS duplex, EXAMPLES
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
# shellcheck source=tests/n_duplex.sh
. "$TESTS/n_duplex.sh"
need nc

sshd_begin 127.0.0.1
listen l '' exec "nc 127.0.0.1 $SSH_PORT" </dev/null
proxy p l
# A login that does not end by itself: it answers what is typed, a line at a time.
mkfifo "$T/keys"
exec 9<>"$T/keys"
# shellcheck disable=SC2016
start login ssh -F "$T/ssh_config" \
    -o "ProxyCommand=$V duplex 127.0.0.1 $(port p) heartbeat 3 legs 4 2>>$T/c.err" there \
    'echo ready; while read x; do echo "<$x>"; done; exit 7' <"$T/keys" >"$T/screen" 9>&-
within 20 grep -q ready "$T/screen" || fail "no login"

typed()
{
	echo "$1" >&9
	within "${2:-10}" grep -q -x -e "<$1>" "$T/screen" || fail "no answer to $1"
}

for key in a b c d e f g h; do
	typed $key
	ask p reset both random
done
ask p reset both all
typed i

# The machine moves on: nothing gets through for a while.
ask p accept refuse
ask p reset both all
echo typed-meanwhile >&9
let_pass 2
! grep -q typed-meanwhile "$T/screen" || fail "that was no outage"
ask p accept normal
within 10 grep -q -x '<typed-meanwhile>' "$T/screen" || fail "the login does not go on"
typed j
exec 9>&-
ended login 7
# ssh hangs up on its ProxyCommand, which may have ended before that.
ended l any 30
case $ENDED in
exit:0)	;;
exit:1)	told l 'the caller reports: ended by SIGHUP' ;;
*)	fail "the far end ended with $ENDED" ;;
esac
