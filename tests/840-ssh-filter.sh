#!/bin/sh
# Goal: Under a forced command `serve allow FILTER` the filter judges the command as
# under sshd alone, and runs in its place. Nothing else can be ordered, no word of the
# orders opens a file, and a command without this program goes to the filter, too. A
# forced command that does not know this program is told apart from a login that
# fails. And with `exec` and `source` both commands count.
# promise: OPTIONS allow, OPTIONS serve, OPTIONS exec, OPTIONS source
# waits
# takes: 40
# limit: 180
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

sshd_begin 127.0.0.1
size=3000000
data $size >"$T/in"
mkdir "$T/ok"
cat >"$T/filter" <<EOF2
#!/bin/sh
printf '%s\\n' "\$SSH_ORIGINAL_COMMAND" >>"$T/judged"
case \$SSH_ORIGINAL_COMMAND in
"cat >$T/ok/"[a-z]|"cat $T/in"|'echo hello')
	exec sh -c "\$SSH_ORIGINAL_COMMAND" ;;
esac
echo "filter: rejected" >&2
exit 255
EOF2
chmod +x "$T/filter"
# `force COMMAND`
key=$(cat "$T/authorized_keys")
force()
{
	echo "command=\"$1\" $key" >"$T/authorized_keys"
	: >"$T/judged"
}

# --- the filter ---------------------------------------------------------------

# As a script for the shell, and as a program with arguments.
for filter in "$T/filter" "$T/filter -x y" "'exec $T/filter'"; do
	force "$T/far serve allow $filter"
	push p "cat >$T/ok/a" <"$T/in"
	ended p 0
	same "$T/in" "$T/ok/a"
	[ "$(cat "$T/judged")" = "cat >$T/ok/a" ] || fail "it judged $(cat "$T/judged")"
	rm "$T/ok/a"
done
pull p "cat $T/in" >"$T/out"
ended p 0
same "$T/in" "$T/out"
push p "cat >$T/bad" <"$T/in"
ended p 6
once p 'filter: rejected'
pull p "echo hello; touch $T/bad" >"$T/out"
ended p 6
[ ! -s "$T/out" ] || fail "something came"
# Without this program at the other end.
# shellcheck disable=SC2086
[ "$($SSH there echo hello)" = hello ] || fail "the filter is not asked"
# shellcheck disable=SC2086
if $SSH there "touch $T/bad" 2>"$T/ssh.err"; then fail "it is allowed"; fi
# shellcheck disable=SC2086
if $SSH there "touch $T/bad; : serve" </dev/null 2>"$T/ssh.err"; then fail "it is allowed"; fi
[ ! -e "$T/bad" ] || fail "what the filter rejects has run"
nothing_left 5

# --- what else could be ordered -----------------------------------------------

cat >"$T/orders.py" <<'EOF2'
import subprocess, sys
ssh, scratch = sys.argv[1].split(), sys.argv[2]
bad = scratch + "/bad"
run = ["exec", "touch " + bad]
for words in (
        ["rx", "0"], ["offer", "0"], ["rx", "0", "exec", "touch", bad],
        ["rx", "0", "report", bad] + run, ["rx", "0", "report", "-"] + run,
        ["rx", "0", "key", scratch + "/key"] + run, ["rx", "0", "chaos", "5"] + run,
        ["rx", "0", "progress"] + run, ["rx", "0", "source", "touch " + bad],
        ["tx", "127.0.0.1", "1", "source", "touch " + bad],
        ["fetch", "127.0.0.1", "1"] + run,
        ["ssh", "127.0.0.1", "ssh-command", "touch " + bad + ";"] + run,
        ["serve"], ["serve", "allow", "touch " + bad], ["--help"], ["-V"],
        ["allow", "touch " + bad, "rx", "0"], ["rx", "0", "wait", "1"] + run):
    text = "viamillipede orders 2 %s %s %d\n" % ("0" * 32, "1" * 64, len(words))
    text += "".join("%d\n%s\n" % (len(w), w) for w in words)
    done = subprocess.run(ssh + ["there", "viamillipede serve"], input=text.encode(),
                          capture_output=True, timeout=60)
    if words[:4] == ["rx", "0", "wait", "1"]:
        # This is what may be ordered: it waits in vain.
        assert done.returncode == 4 and b"answer" in done.stdout, done
    else:
        assert done.returncode == 2 and not done.stdout, (words, done)
EOF2
: >"$T/judged"
"$PY" -IS "$T/orders.py" "$SSH" "$T" || fail "something else can be ordered"
[ ! -e "$T/bad" ] || fail "what was ordered has run"
[ ! -s "$T/judged" ] || fail "the filter was asked: $(cat "$T/judged")"
for words in 'allow x' 'serve allow' 'serve allow ""' 'serve x' 'serve allow'; do
	eval "start q \"\$V\" $words" </dev/null
	ended q 2
done

# --- a forced command that is another's ---------------------------------------

# It takes a byte of the orders first: by what ssh has read of them it is known to have logged in.
for status in 255 1; do
	force "head -c 1 >/dev/null; echo no >&2; exit $status"
	push p "cat >$T/bad" <"$T/in"
	ended p 7
	told p 'a forced command there .*rejected it'
	never_said p 'cannot log in'
done
echo >"$T/authorized_keys"
push p "cat >$T/bad" <"$T/in"
ended p 7
told p 'ssh cannot log in to there'
never_said p 'forced command'
echo "$key" >"$T/authorized_keys"

# --- both commands ------------------------------------------------------------

both()
{
	_source=$1
	shift
	push p "$@" source "$_source" </dev/null
}
both "cat $T/in" "cat >$T/out"
ended p 0
same "$T/in" "$T/out"
[ ! -s "$T/p.err" ] || fail "something to say about a success"
both "head -c 1000 $T/in; exit 3" "cat >$T/out; echo ok >$T/done"
ended p 6
once p "the sender's command exited 3"
[ ! -e "$T/done" ] || fail "the other command took it for whole"
both "cat $T/in" "cat >$T/out; exit 4"
ended p 6
once p "the receiver's command exited 4"
# A pipeline's first command counts, with a shell that can.
both "bash -o pipefail -c 'false | cat $T/in'" "cat >/dev/null; echo ok >$T/done"
ended p 6
[ ! -e "$T/done" ] || fail "the other command took it for whole"
# Nothing runs here when nothing can there.
start p "$V" ssh there exec cat source "touch $T/bad" ssh-command "$SSH" remote-program "$T/none"
ended p 7
[ ! -e "$T/bad" ] || fail "the source ran"
nothing_left 10
