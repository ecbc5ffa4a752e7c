#!/bin/bash
# build.sh [NAME...]   builds the profile corpus (all of it, or the programs named) into corpus/work/NAME.wasm
#
# Needs Debian's clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 (C) and rustc-web cargo-web rust-web-src (Rust).
# Third-party source comes from crates.io through cargo; nothing of it is kept here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$here/work
mkdir -p "$work"
wanted=" $* "

wants() { [ "$wanted" = "  " ] || [[ "$wanted" == *" $1 "* ]]; }

# compile NAME FLAG... SOURCE...: one C program that imports nothing
compile() {
    local name=$1
    shift
    clang-19 --target=wasm32-wasi -mexec-model=reactor "$@" -I"$here/c" -o "$work/$name.wasm" -Wl,--strip-all
}

own() { # own NAME FLAG...
    local name=$1
    shift
    if wants "$name"; then compile "$name" -std=c11 -Wall -Wextra -Werror "$@" "$here/c/$name.c"; fi
}

own fft -O3
own raytrace -O2
own life -O2
own sudoku -Os
own sort -O2
own bigint -O3
own linear -O3
own paths -O2
own chess -O2
own alloc -Os
own jpeg -O2 -mbulk-memory -mnontrapping-fptoint

# Rust: programs are grouped by the profile they are built with.
rust() { # rust PROFILE NAME...
    local profile=$1 name targets=()
    shift
    for name; do
        if wants "$name"; then targets+=(--example "$name"); fi
    done
    if [ ${#targets[@]} -eq 0 ]; then return; fi
    (
        cd "$here/rust"
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/target}
        /usr/bin/cargo build --profile "$profile" "${targets[@]}" --target wasm32-unknown-unknown \
            -Z build-std=std,panic_abort \
            --config 'target.wasm32-unknown-unknown.linker="/usr/bin/wasm-ld-19"' \
            --config 'target.wasm32-unknown-unknown.rustflags=["-Clink-self-contained=no", "-Cstrip=symbols"]'
        for name; do
            if wants "$name"; then cp "$CARGO_TARGET_DIR/wasm32-unknown-unknown/$profile/examples/$name.wasm" "$work/"; fi
        done
    )
}

rust release json markdown
