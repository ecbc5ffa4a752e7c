#!/bin/bash
# build.sh   rebuilds the guests from their source (with the toolchains named in tests/real/run.sh and corpus/build.sh)
set -euo pipefail
cd "$(dirname "$0")"

for source in src/*.c; do
    name=$(basename "$source" .c)
    limit=
    if [ "$name" = libc ]; then limit=-Wl,--max-memory=4194304; fi
    clang-19 --target=wasm32-wasi -Os -Wl,--stack-first,-z,stack-size=1048576 -Wall -Wextra -Werror $limit "$source" -lm -o "$name.wasm" -Wl,--strip-debug
done

# The small programs of the profile corpus: pure computation behind `run(i32) -> i32`.
computing=(fft raytrace life sudoku sort bigint linear paths chess alloc jpeg)
../../corpus/build.sh "${computing[@]}"
for name in "${computing[@]}"; do cp "../../corpus/built/$name.wasm" .; done

../real/rust/build.sh ../real/built/rust
for name in rust-command rust-library; do llvm-strip-19 -o "$name.wasm" "../real/built/rust/$name.wasm"; done
