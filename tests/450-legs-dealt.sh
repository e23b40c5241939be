#!/bin/sh
# Goal: The first legs are dealt over the paths in turn. With as many paths as legs
# each leg has its own path; the same path twice gets two legs; 64 paths carry one
# stream, and two names of the receiver's own machine work like any others.
# promise: DESCRIPTION, OPTIONS legs, OPTIONS tx
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=12000000
data $size >"$T/in"

# `dealt NAME PATHS`: the first leg of each path was on its own. (The others may
# work elsewhere while theirs is not open yet; unit_path has the rest of the deal.)
dealt()
{
	sed -n 's/.*leg \([0-9]*\) up: 127\.0\.0\.\([0-9]*\):.*/\1 \2/p' "$T/$1.err" |
	    sort -u >"$T/ups"
	while read -r leg host; do
		[ "$leg" -ge "$2" ] || [ $((leg % $2 + 1)) -eq "$host" ] || fail "leg $leg went to path $host of $2"
	done <"$T/ups"
}

# `dial PATHS THREADS`: paths are the addresses 127.0.0.1 and so on.
dial()
{
	words=
	i=1
	while [ $i -le "$1" ]; do
		words="$words tx 127.0.0.$i $(port r)"
		i=$((i + 1))
	done
	rm -f "$T/go"
	# shellcheck disable=SC2086
	source_of $size hold="10000000:$T/go" |
	    start t "$V" $words legs "$2" verbose 4
}

end()
{
	: >"$T/go"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
}

for threads in 3 5 16; do
	rx r >"$T/out"
	dial 3 $threads
	arrived "$T/out" 9000000
	within 10 has_legs t 3 || fail "$threads legs, 3 paths: a path has none"
	end
	dealt t 3
	[ "$(cut -d' ' -f2 "$T/ups" | sort -u | wc -l)" -eq 3 ] || fail 'a path had no leg'
done

# Twice the same word: two legs there, one on the other.
rx r >"$T/out"
rm -f "$T/go"
source_of $size hold="10000000:$T/go" | start t "$V" tx 127.0.0.1 "$(port r)" \
    tx 127.0.0.1 "$(port r)" tx localhost "$(port r)" legs 3 report "$T/report"
arrived "$T/out" 9000000
within 10 has_legs t 3 || fail 'fewer than three legs'
end
"$PY" -IS "$TESTS/t_report.py" "$T/report" \
    'all(l["leg"] == l["path"] for l in of("leg"))' \
    'sorted({l["leg"] for l in of("leg") if l["state"] == "up"}) == [0, 1, 2]'

rx r >"$T/out"
dial 64 64
# Not by their ports: two of them may have the same one, to different addresses.
all_up()
{
	[ "$(grep -o 'leg [0-9]* up: ' "$T/t.err" | sort -u | wc -l)" -eq 64 ]
}
within 20 all_up || fail 'not every path has a leg'
end
dealt t 64
[ "$(wc -l <"$T/ups")" -eq 64 ] || fail 'a path had no leg'
