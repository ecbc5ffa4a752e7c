#!/bin/bash
# check.sh [--bless] ENGINE...   runs every built program with `ENGINE... --invoke run WASM ARGUMENT` and compares its result
# with programs.txt (--bless: writes it there). Default engine: `target/release/kinglet run`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bless=
if [ "${1:-}" = --bless ]; then bless=1; shift; fi
engine=("$@")
if [ $# -eq 0 ]; then engine=("$here/../target/release/kinglet" run); fi

passed=0 failed=0
while read -r name wasm argument fold expected; do
    case $name in '' | '#'*) continue ;; esac
    result=$("${engine[@]}" --invoke run "$here/built/$wasm" "$argument") || result="exit code $?"
    if [ -n "$bless" ] && [ "${result#exit}" = "$result" ]; then
        line=$(printf '%-15s %-20s %10s %3s %12s' "$name" "$wasm" "$argument" "$fold" "$result")
        sed -i "s/^$name .*/$line/" "$here/programs.txt"
        passed=$((passed + 1))
    elif [ "$result" = "$expected" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: expected $expected, got $result"
    fi
done <"$here/programs.txt"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
