#!/bin/bash
# build.sh DIR   builds DIR/rust-library.wasm and DIR/rust-command.wasm with Debian's Rust (rustc-web cargo-web rust-web-src, lld-19,
# wasi-libc): it has no standard library for these targets, so that is built from source too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

build() { # build TARGET RUSTFLAGS ARGS...
    local target=$1 flags=$2
    shift 2
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$out/target /usr/bin/cargo build --release \
        --manifest-path "$here/Cargo.toml" --target "$target" -Z build-std=std,panic_abort "$@" \
        --config "target.$target.linker=\"/usr/bin/wasm-ld-19\"" --config "target.$target.rustflags=[$flags]"
    cp "$out/target/$target/release/guest.wasm" "$out/$name.wasm"
}

name=rust-library build wasm32-unknown-unknown '"-Clink-self-contained=no"' --lib
name=rust-command build wasm32-wasip1 '"-Clink-self-contained=no", "-L/usr/lib/wasm32-wasi", "-Clink-arg=/usr/lib/wasm32-wasi/crt1-command.o", "-Cpanic=abort"' --bin guest
