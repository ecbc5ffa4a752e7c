#!/usr/bin/env bash
# run.sh [TARGET...]   builds the firmware and runs it in QEMU: what every guest prints has to be right, and the exit code
#
# Needs rustup, and the programs qemu-system-arm and qemu-system-riscv32. RUSTUP_TOOLCHAIN names another toolchain, which has to
# have the targets' standard libraries.
set -euo pipefail
cd "$(dirname "$0")"

targets=(thumbv6m-none-eabi thumbv7em-none-eabihf riscv32imac-unknown-none-elf)
guests=(blink kernel nmea)
if [[ $# != 0 ]]; then targets=("$@"); fi

# Flags for the host are not for firmware; its own stand in `.cargo/config.toml`.
unset RUSTFLAGS
built=${CARGO_TARGET_DIR:-$PWD/target}/runs
runs=0 right=0
mkdir -p "$built"

# firmware TARGET [FEATURE]   builds and runs one image
firmware() {
    local target=$1 name=$1${2:+-$2} status=0 guest
    echo "== $target${2:+, $2}"
    runs=$((runs + ${#guests[@]}))
    cargo build --release --target "$target" ${2:+--features "$2"} || return 0
    timeout 600 cargo run --quiet --release --target "$target" ${2:+--features "$2"} \
        </dev/null >"$built/$name.out" || status=$?
    grep -e ' took ' "$built/$name.out" || true
    if [[ $status != 0 ]]; then
        echo "FAIL  exit code $status"
        tail -n 5 "$built/$name.out"
        return
    fi
    for guest in "${guests[@]}"; do
        # What stands between the guest's two headings.
        sed -n "/^-- $guest\$/,/^-- $guest took/{/^-- /d;p}" "$built/$name.out" >"$built/$guest.out"
        if diff -u "guests/$guest.txt" "$built/$guest.out"; then
            right=$((right + 1))
        else
            echo "FAIL  $guest"
        fi
    done
}

for target in "${targets[@]}"; do
    [[ -n ${RUSTUP_TOOLCHAIN:-} ]] || rustup target add "$target"
    firmware "$target"
    # The validator takes compare-and-swap, and more flash than the smallest part has.
    [[ $target == thumbv6m-* ]] || firmware "$target" translate
done
echo "$right of $runs firmware runs right"
[[ $right == "$runs" && $runs != 0 ]]
