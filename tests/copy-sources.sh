#!/bin/sh
# tests/copy-sources.sh DIRECTORY: copies everything there that the program is
# built and tested from, and nothing that was built.
set -eu
tar -C "${0%/*}/.." -cf - --exclude=./build --exclude=./.git --exclude='*.o' \
    --exclude=./viamillipede . | tar -C "$1" -xf -
