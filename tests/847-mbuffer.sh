#!/bin/sh
# Goal: share/mbuffer takes mbuffer's command line, and as socat the one of syncoid, and
# viamillipede carries the stream: the lines that znapzend, syncoid and zfs_autobackup make
# bring it whole, and a consumer that fails, a refusal or nobody there is a failure at both
# ends. What is not of the network the real mbuffer does.
# promise: MBUFFER, ENVIRONMENT
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

export VIAMILLIPEDE="$V"
# Below the ports that a system gives to whoever asks for any.
PORT=$((20000 + $$ % 5000))
other=$((PORT + 5000))
mkdir "$T/bin" "$T/real" "$T/none"
ln -s "$TESTS/../share/mbuffer" "$T/bin/mbuffer"
ln -s "$TESTS/../share/mbuffer" "$T/bin/socat"
cat >"$T/bin/zfs" <<'END'
#!/bin/sh
[ "$1" != send ] || exec cat "$T/in"
[ -e "$T/broken" ] || exec cat >"$T/out"
head -c 100000 >/dev/null
echo 'cannot receive' >&2
exit 1
END
for name in mbuffer socat; do
	cat >"$T/real/$name" <<'END'
#!/bin/sh
echo "$@" >>"$T/args"
exec cat
END
done
chmod +x "$T/bin/zfs" "$T/real/mbuffer" "$T/real/socat"
real=$(PATH=$PATH command -v mbuffer) || real=
usual=$PATH
PATH=$T/bin:$T/real:$PATH
data 3000000 >"$T/in"

# `became ARGUMENTS`: the real one was started once, with these.
became()
{
	[ "$(cat "$T/args")" = "$1" ] || fail "the real one got: $(cat "$T/args"), not: $1"
	rm "$T/args"
}

# --- the lines of the tools -------------------------------------------------------------

# `both SENDING RECEIVING`: in two shells, as those tools do, the sender first; with a
# consumer that takes all, and with one that fails: the shells end as their last command.
both()
{
	start t sh -c "$1" </dev/null
	start r sh -c "$2" </dev/null >"$T/said"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	rm "$T/out"
	: >"$T/broken"
	start r sh -c "$2" </dev/null >"$T/said"
	start t sh -c "$1" </dev/null
	ended t nonzero
	ended r nonzero
	rm "$T/broken"
}

# znapzend 0.23.2 to 0.23.7 (sendRecvSnapshots of lib/ZnapZend/ZFS.pm), with --mbuffer=PATH:PORT
# or DST_mbuffer_path; the second line is what ssh runs.
both "'zfs' 'send' 'tank/x@s'|'$T/bin/mbuffer' '-q' '-s' '256k' '-W' '600' '-m' '1G' '-O' '127.0.0.1:$PORT'" \
    "$T/bin/mbuffer -q -s 256k -W 600 -m 1G -4 -I $PORT|zfs recv -u backup/x"

# syncoid 2.2.0 and 2.3.0 (buildsynccmd), with
# --insecure-direct-connection=127.0.0.1:PORT,127.0.0.1:PORT,60,mbuffer. What follows socat in the
# first line is ssh with the second one.
both " zfs send  'tank/x'@'s' | mbuffer  -q -s 128k -m 16M | socat - TCP:127.0.0.1:$PORT,retry=60,interval=1" \
    " mbuffer  -W 60 -I 127.0.0.1:$PORT -q -s 128k -m 16M | zfs receive  -s -F 'backup/x' 2>&1"
became '-q -s 128k -m 16M
-q -s 128k -m 16M'
# --target-bwlimit and --source-bwlimit: the real mbuffer beside viamillipede.
both " zfs send  'tank/x'@'s' | mbuffer -R 10g -q -s 128k -m 16M | socat - TCP:127.0.0.1:$PORT,retry=60,interval=1" \
    " mbuffer -r 10g -W 60 -I 127.0.0.1:$PORT -q -s 128k -m 16M | zfs receive  -s -F 'backup/x' 2>&1"
sort "$T/args" >"$T/sorted"
mv "$T/sorted" "$T/args"
became '-R 10g -q -s 128k -m 16M
-R 10g -q -s 128k -m 16M
-r 10g -q -s 128k -m 16M
-r 10g -q -s 128k -m 16M'

# zfs_autobackup 3.3 (get_send_pipes and get_recv_pipes), with --send-pipe and --recv-pipe; the
# input of the second line is the output of the first. With --buffer it adds a buffer of its own.
both "zfs send --large-block --embed --verbose --parsable --props tank/x@s | $T/bin/mbuffer -q -O 127.0.0.1:$PORT" \
    "$T/bin/mbuffer -q -I $PORT | mbuffer -q -s128k -m16M | zfs recv -u -v -s backup/x"
became '-q -s128k -m16M
-q -s128k -m16M'

# --- status, input and output -------------------------------------------------------------

# The consumer's failure is in the status of the stand-in itself, too.
{ start r mbuffer -q -I "127.0.0.1:$PORT" | start sink head -c 100000 >"$T/out"; } </dev/null
start t mbuffer -q -O "127.0.0.1:$PORT" <"$T/in"
ended t 1
ended r 1
told t 'the reader of standard output has closed it'

start t env VIAMILLIPEDE_OPTIONS='wait 1' mbuffer -q -O "127.0.0.1:$PORT" <"$T/in"
start r mbuffer -q -I "$other" -W 1 </dev/null >"$T/out"
ended t 4
ended r 4

# Only with the key.
"$V" key >"$T/key"
chmod 600 "$T/key"
start r env VIAMILLIPEDE_OPTIONS="key $T/key  legs	3" mbuffer -q -I ":$PORT" >"$T/out"
ended r 2
told r "legs"
start r env VIAMILLIPEDE_OPTIONS="key $T/key" mbuffer -q -I ":$PORT" >"$T/out"
start t mbuffer -q -O "localhost:$PORT" <"$T/in"
ended t 3
start t env VIAMILLIPEDE_OPTIONS="key $T/key legs 3" mbuffer -q -O "localhost:$PORT" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# Files; what exists is not written over without -f.
start r mbuffer -q -I "$PORT" -o "$T/out"
ended r nonzero
same "$T/in" "$T/out"
start r mbuffer -q -6 -m16M -P 50 -T"$T/none/x" -f -o "$T/out" -I "[::1]:$PORT" -l "$T/log"
start t mbuffer -q -6 -p 5 --tcptimeo 5 -i "$T/in" -O "[::1]:$PORT"
ended t 0
ended r 0
same "$T/in" "$T/out"
[ ! -s "$T/log" ] || fail "logged: $(cat "$T/log")"

# Passed on: the first knows what became of it at the last.
start r mbuffer -q -I "$other" >"$T/out"
start m mbuffer -q -I "$PORT" -O "127.0.0.1:$other"
start t mbuffer -q -O "127.0.0.1:$PORT" <"$T/in"
ended t 0
ended m 0
ended r 0
same "$T/in" "$T/out"
start r mbuffer -q -I "$other" >/dev/full
start m mbuffer -q -I "$PORT" -O "127.0.0.1:$other"
start t mbuffer -q -O "127.0.0.1:$PORT" <"$T/in"
ended t 6
ended m 6
ended r 1

# --- the words ----------------------------------------------------------------------------

cat >"$T/words" <<'END'
#!/bin/sh
echo "$*"
END
chmod +x "$T/words"
# `means WORDS ARGUMENT ...`
means()
{
	_words=$1
	shift
	[ "$(VIAMILLIPEDE=$T/words "$@" 2>&1)" = "$_words" ] ||
	    fail "$*: $(VIAMILLIPEDE=$T/words "$@" 2>&1), not: $_words"
}
means 'rx 9090' mbuffer -I 9090 -s 128k -b20 -m1G
means 'rx 9090 quiet timeout 600 bind 0.0.0.0 wait 600' mbuffer -q -W 600 -4 -I 9090
means 'rx 9090 bind 10.0.0.7' mbuffer -4 -I 10.0.0.7:9090
means 'rx 9090 bind ::1' mbuffer -I '[::1]:9090'
means 'rx 9090 bind ::' mbuffer -6 -I :9090
means 'rx 9090' mbuffer -6 -0 -I 9090
means 'tx b 9090 wait 20' mbuffer -O b:9090
means 'tx b 9090 quiet timeout 5 wait 20' mbuffer -O b:9090 -q -W5
means 'tx b 9090 quiet wait 60' socat - TCP:b:9090,retry=60,interval=1
export VIAMILLIPEDE_OPTIONS='wait 9 progress timeout 8 bind x'
means 'rx 9090 wait 9 progress timeout 8 bind x' mbuffer -q -W 600 -4 -I 9090
export VIAMILLIPEDE_OPTIONS='from 10.0.0.1 tx c 9090  wait 9'
means 'tx b 9090 from 10.0.0.1 tx c 9090 wait 9' mbuffer -O b:9090
unset VIAMILLIPEDE_OPTIONS

# --- what the real one does ----------------------------------------------------------------

# `becomes ARGUMENT ...`: what it reads and writes passes.
becomes()
{
	start m "$@" <"$T/in" >"$T/out"
	ended m 0
	same "$T/in" "$T/out"
	shift
	became "$*"
	[ ! -s "$T/m.err" ] || fail "it said: $(cat "$T/m.err")"
}
becomes mbuffer
becomes mbuffer -q -s128k -m16M -R1M
becomes mbuffer --new 'a  b' -i
becomes mbuffer -V
becomes socat - TCP:127.0.0.1:1
becomes socat -u - TCP:127.0.0.1:1,retry=60,interval=1
mkdir "$T/wrapper"
# shellcheck disable=SC2016
echo 'VIAMILLIPEDE_OPTIONS="legs 4" exec "${0%/wrapper/*}/bin/mbuffer" "$@"' >"$T/wrapper/mbuffer"
chmod +x "$T/wrapper/mbuffer"
PATH="$T/wrapper:$PATH" becomes "$T/bin/mbuffer" -q
MBUFFER=$T/none/mbuffer
export MBUFFER
start m mbuffer </dev/null
ended m nonzero
told m none/mbuffer
ln -s "$T/real/mbuffer" "$T/none/mbuffer"
becomes mbuffer -f
unset MBUFFER
start m mbuffer -O "127.0.0.1:$PORT" -O "127.0.0.1:$other" <"$T/in" >"$T/out"
ended m 0
became "-O 127.0.0.1:$PORT -O 127.0.0.1:$other"
told m 'more than one -O is left to the real mbuffer; so has to be -I there'

# Without one.
for name in sh cat env grep readlink head; do
	ln -s "$(PATH=$usual command -v $name)" "$T/none/$name"
done
rm "$T/none/mbuffer"
start m env PATH="$T/bin:$T/none" mbuffer -s 128k -m 16M -i "$T/in" -o "$T/out.cat"
ended m 0
same "$T/in" "$T/out.cat"
told m 'PATH has no other mbuffer; nothing is buffered'
# `refused WHY ARGUMENT ...`
refused()
{
	_why=$1
	shift
	start m env PATH="$T/bin:$T/none" "$@" </dev/null >"$T/out"
	ended m 2
	told m "$_why"
}
refused '-R needs the real mbuffer, and PATH has none; say where it is with MBUFFER' mbuffer -R 1M
refused '-r needs the real mbuffer' mbuffer -r1M -I "$PORT"
refused 'more than one -O needs the real mbuffer' mbuffer -O a:1 -O b:1
refused '--version needs the real mbuffer' mbuffer --version
refused 'unknown option --new' mbuffer --new -I "$PORT"
refused 'missing argument to option -I' mbuffer -I
refused 'more than one -I' mbuffer -I 1 -I 2
refused '-i together with -I' mbuffer -I 1 -i x
refused '-O 9090: not HOST:PORT' mbuffer -O 9090
refused '-r together with -I and -O is not carried' env MBUFFER=/bin/true mbuffer -r 1M -I 1 -O a:1
refused 'PATH has no other socat; say where it is with SOCAT' socat - -

# The program of the same installation, also through a link.
mkdir -p "$T/prefix/bin" "$T/prefix/share/viamillipede"
ln -s "$V" "$T/prefix/bin/viamillipede"
cp "$TESTS/../share/mbuffer" "$T/prefix/share/viamillipede/"
ln -sf "$T/prefix/share/viamillipede/mbuffer" "$T/bin/mbuffer"
unset VIAMILLIPEDE
start r mbuffer -q -I "$PORT" >"$T/out"
start t mbuffer -q -O "127.0.0.1:$PORT" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# The real mbuffer beside viamillipede.
[ -n "$real" ] || skip "needs mbuffer"
export MBUFFER="$real"
start r mbuffer -q -m 16M -I "$PORT" -f -o "$T/out" -o "$T/out2"
start t mbuffer -q -m 16M -R 100M -O "127.0.0.1:$PORT" -o "$T/out3" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
same "$T/in" "$T/out2"
same "$T/in" "$T/out3"
