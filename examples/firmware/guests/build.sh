#!/usr/bin/env bash
# build.sh   rebuilds the guest that is written in Rust (RUSTUP_TOOLCHAIN says with which toolchain)
set -euo pipefail
cd "$(dirname "$0")/nmea"

# A memory whose pages are bytes, most of it the stack.
memory=(--page-size=1 -zstack-size=512 --initial-memory=2048 --max-memory=2048 --strip-all)
unset CARGO_TARGET_DIR
RUSTFLAGS="${memory[*]/#/-Clink-arg=}" \
    cargo build --release --target wasm32-unknown-unknown --target-dir ../../target/guests
cp ../../target/guests/wasm32-unknown-unknown/release/nmea.wasm ..
