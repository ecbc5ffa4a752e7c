#!/bin/sh
# Chooses the fusion table anew: select.sh [ROUNDS [PAIRS-PER-ROUND [WITHOUT-FOLD]]]
# Each round runs the corpus on an interpreter with the table so far, so that later rounds see what the earlier ones have
# fused and build chains. Needs the programs: corpus/build.sh.
set -eu
cd "$(dirname "$0")"
table=../interp/fusion.txt
{ sed -n '/^#/p' "$table"; } >"$table.new" && mv "$table.new" "$table"
i=0
while [ "$i" -lt "${1:-4}" ]; do
    cargo run --release -q -- "${2:-100}" ${3:+"$3"}
    i=$((i + 1))
done
