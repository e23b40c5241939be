#!/bin/sh
# Goal: no child inherits an end of a pipe or a connection that is not meant for it.
# In the sources, each descriptor is made by one of the makers that hold back forks
# until it is marked close-on-exec, or is marked as it is made. The exception is the
# pipe that fills a closed descriptor 0, 1 or 2 before there is any child.
# promise: none
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

cd "${TESTS%/*}" || fail "no sources"
made=$(find . -name '*.c' ! -path './build/*' ! -path './tests/*' \
    -exec grep -n -E '(^|[^_a-z])(pipe|socketpair|socket|accept|dup|fopen|popen|mkstemp)[(]' {} + | grep -v -e '"re")' -e ':[0-9]*: [*]' -e '/[*]' | cut -d : -f 1,3 | sed -e 's,.*/\([a-z]*[.]c:\),\1,' | tr -d '\t' | sort)
expected='child.c:return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
net.c:fd = owned(accept(listener, (struct sockaddr *)&sa, &len));
net.c:fd = owned(socket(family, SOCK_STREAM, 0));
viamillipede.c:if (pipe(ends) == -1)'
[ "$made" = "$expected" ] || fail "made elsewhere: $made"
