# shellcheck shell=sh
# A backup program on this machine, for behaviour tests: read in after n_ssh.sh, with the
# program in $ARCHIVER. $T/tree is what it keeps; the test goes on in $T.

# `archive STATUS COMMAND ...`: it ends so, and left nothing to ssh alone.
archive()
{
	_status=$1
	shift
	start "$ARCHIVER" "$ARCHIVER" "$@" </dev/null >"$T/said"
	ended "$ARCHIVER" "$_status" 50
	none_left_to_ssh
}

mkdir -p "$T/tree/a b"
data 15000000 >"$T/tree/big"
for i in 1 2 3 4 5 6 7 8 9; do
	data $((i * 10000)) "$i" >"$T/tree/a b/$i"
done
ln -s big "$T/tree/link"
cd "$T" || exit
