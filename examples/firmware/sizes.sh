#!/usr/bin/env bash
# sizes.sh [RUNTIME...]   prints what runtimes take on a Cortex-M4, each with a module that computes fib(15), as a table
#
# Needs what run.sh needs. wasm3 is measured if WASM3 names a directory with its source; that takes arm-none-eabi-gcc and newlib.
set -euo pipefail
cd "$(dirname "$0")"

target=thumbv7em-none-eabihf
runtimes=(empty kinglet kinglet-integers kinglet-translate kinglet-translate-integers wasmparser wasmi tinywasm wasm3)
if [[ $# != 0 ]]; then runtimes=("$@"); fi
unset RUSTFLAGS
[[ -n ${RUSTUP_TOOLCHAIN:-} ]] || rustup target add "$target" >&2

# row NAME BIN [FEATURE]   builds, runs and measures one image
row() {
    local name=$1 binary=$2 feature=${3:-} options output heap stack
    options=(--release --target "$target" -p sizes --bin "$binary" ${feature:+--features "$feature"})
    if ! cargo build --quiet "${options[@]}" || ! output=$(cargo run --quiet "${options[@]}" </dev/null); then
        echo "| $name | cannot be built or run | | | |"
        failed=1
        return
    fi
    read -r heap stack <<<"$output"
    # Flash holds code, constants and the first values of variables; RAM variables.
    readelf -SW "${CARGO_TARGET_DIR:-target}/$target/release/$binary" | sed 's/^ *\[ *[0-9]*\] *//' | while read -r section _ _ _ size _; do
        case $section in
            .vector_table | .text | .rodata | .data | .bss) echo "$section $((16#$size))" ;;
        esac
    done | awk -v name="$name" -v heap="$heap" -v stack="$stack" '
        $1 != ".bss" { flash += $2 }
        $1 == ".data" || $1 == ".bss" { ram += $2 }
        END { printf "| %s | %d | %d | %d | %d |\n", name, flash, ram, heap, stack }'
}

failed=0
echo "| firmware | flash | static RAM | heap | stack |"
echo "|---|--:|--:|--:|--:|"
for runtime in "${runtimes[@]}"; do
    case $runtime in
        empty) row "empty" empty ;;
        kinglet) row "**Kinglet**, artifact" kinglet float ;;
        kinglet-integers) row "**Kinglet**, artifact without floats" kinglet ;;
        kinglet-translate) row "**Kinglet**, validator and translator" kinglet float,translate ;;
        kinglet-translate-integers) row "**Kinglet**, validator and translator without floats" kinglet translate ;;
        wasmparser) row "wasmparser: validates, does not run" wasmparser wasmparser ;;
        wasmi) row "wasmi" wasmi wasmi ;;
        tinywasm) row "tinywasm" tinywasm tinywasm ;;
        wasm3)
            if [[ -n ${WASM3:-} ]]; then row "wasm3 (C)" wasm3 wasm3; else echo "| wasm3 (C) | no source in \`\$WASM3\` | | | |"; fi ;;
    esac
done
[[ $failed == 0 ]]
