#!/bin/bash
# build.sh   rebuilds the guests from their source (with the toolchains named in tests/real/run.sh and corpus/build.sh)
set -euo pipefail
cd "$(dirname "$0")"

compile() {
    clang-19 --target=wasm32-wasi -Wl,--stack-first,-z,stack-size=1048576 -Wall -Wextra -Werror "$@" -lm -Wl,--strip-debug
}

for source in src/*.c; do
    name=$(basename "$source" .c)
    flags=(-Os)
    case $name in
        libc) flags+=(-Wl,--max-memory=4194304) ;;
        vectors) flags=(-O2) ;;
        # What is scalar in it has to stay so.
        lanes) flags=(-O1 -msimd128 -fno-vectorize -fno-slp-vectorize -ffp-contract=off) ;;
    esac
    compile "${flags[@]}" "$source" -o "$name.wasm"
done
compile -O2 -msimd128 src/vectors.c -o vectors-simd.wasm

# The small programs of the profile corpus: pure computation behind `run(i32) -> i32`.
computing=(fft raytrace life sudoku sort bigint linear paths chess alloc jpeg)
../../corpus/build.sh "${computing[@]}"
for name in "${computing[@]}"; do cp "../../corpus/built/$name.wasm" .; done

../real/rust/build.sh ../real/built/rust
for name in rust-command rust-library; do llvm-strip-19 -o "$name.wasm" "../real/built/rust/$name.wasm"; done
