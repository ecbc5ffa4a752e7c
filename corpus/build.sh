#!/bin/bash
# build.sh [NAME...]   builds the profile corpus (all of it, or the programs named) into corpus/built/NAME.wasm
#
# Needs Debian's clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 (C) and rustc-web cargo-web rust-web-src (Rust).
# Third-party source comes from crates.io through cargo; nothing of it is kept here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$here/built
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
own edit -O3
own format -Os "$here/c/nowasi.c"
own btree -O2
own fixed -O2
own images -O3 -mbulk-memory -mnontrapping-fptoint
own search -O2
own geometry -O2

# crate NAME: the unpacked source of a crate that carries C code
crate() {
    if [ -z "${crates:-}" ]; then
        crates=$(cd "$here/sources" && cargo metadata --locked --format-version 1 |
            python3 -c 'import json, sys; [print(p["name"], p["manifest_path"].removesuffix("/Cargo.toml")) for p in json.load(sys.stdin)["packages"]]')
    fi
    awk -v name="$1" '$1 == name { print $2 }' <<<"$crates"
}

if wants lua; then
    lua=$(crate lua-src)/lua-5.4.7
    # Errors would need longjmp; the script raises none.
    compile lua -Os -w -I"$here/c/stubs" -I"$lua" '-DLUAI_THROW(L,c)=__builtin_trap()' '-DLUAI_TRY(L,c,a)={ a }' -Dluai_jmpbuf=int \
        '-Dl_signalT=int' -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS \
        "$here"/c/{lua,nowasi}.c "$lua"/l{api,auxlib,baselib,code,ctype,debug,do,dump,func,gc,lex,mem,object,opcodes,parser,state,string,strlib,table,tablib,tm,undump,vm,zio}.c \
        -lwasi-emulated-process-clocks
fi

if wants sqlite; then
    sqlite=$(crate libsqlite3-sys)/sqlite3
    compile sqlite -O2 -w -I"$sqlite" -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DHAVE_USLEEP=0 \
        -D_WASI_EMULATED_{MMAN,GETPID,SIGNAL,PROCESS_CLOCKS} "$here"/c/{sqlite,nowasi}.c "$sqlite/sqlite3.c" \
        -lwasi-emulated-{mman,getpid,signal,process-clocks}
fi

if wants zlib; then
    zlib=$(crate libz-sys)/src/zlib
    compile zlib -O3 -w -I"$zlib" "$here/c/zlib.c" "$zlib"/{adler32,compress,crc32,deflate,inflate,inffast,inftrees,trees,uncompr,zutil}.c
fi

if wants bzip2; then
    bzip2=$(crate bzip2-sys)/bzip2-1.0.8
    compile bzip2 -O2 -w -I"$bzip2" -DBZ_NO_STDIO "$here/c/bzip2.c" "$bzip2"/{blocksort,bzlib,compress,crctable,decompress,huffman,randtable}.c
fi

if wants zstd; then
    zstd=$(crate zstd-sys)/zstd/lib
    compile zstd -O2 -w -I"$zstd" -DZSTD_DISABLE_ASM -DZSTD_NO_TRACE "$here/c/zstd.c" "$zstd"/{common,compress,decompress}/*.c
fi

if wants pcre2; then
    pcre2=$(crate pcre2-sys)/upstream
    compile pcre2 -Os -w -I"$pcre2/include" -I"$pcre2/src" -DHAVE_CONFIG_H -DSUPPORT_PCRE2_8 -DSUPPORT_UNICODE -DPCRE2_STATIC \
        -DPCRE2_CODE_UNIT_WIDTH=8 -DHAVE_MEMMOVE -DSTDC_HEADERS "$here/c/pcre2.c" \
        $(ls "$pcre2"/src/*.c | grep -v -e jit -e ucptables -e posix)
fi

if wants webp; then
    webp=$(crate libwebp-sys)/vendor
    compile webp -O2 -w -I"$webp" -I"$webp/src" "$here"/c/{webp,nowasi}.c "$webp"/src/{dec,enc,dsp,utils}/*.c "$webp"/sharpyuv/*.c
fi

if wants opus; then
    opus=$(crate audiopus_sys)/opus
    compile opus -O2 -w -I"$opus"/include -I"$opus"/celt -I"$opus"/silk -I"$opus"/silk/float -DOPUS_BUILD -DVAR_ARRAYS -DHAVE_LRINTF "$here"/c/{opus,nowasi}.c \
        "$opus"/src/{opus,opus_decoder,opus_encoder,repacketizer,analysis,mlp,mlp_data}.c "$opus"/silk/*.c "$opus"/silk/float/*.c \
        "$opus"/celt/{bands,celt,celt_encoder,celt_decoder,cwrs,entcode,entdec,entenc,kiss_fft,laplace,mathops,mdct,modes,pitch,celt_lpc,quant_bands,rate,vq}.c
fi

if wants quickjs; then
    quickjs=$(crate libquickjs-sys)/embed/quickjs
    compile quickjs -O2 -w -I"$quickjs" -D_GNU_SOURCE '-DCONFIG_VERSION="corpus"' -DEMSCRIPTEN -DFE_DOWNWARD=0 -DFE_UPWARD=0 \
        "$here"/c/{quickjs,nowasi}.c "$quickjs"/{quickjs,cutils,libregexp,libunicode,libbf}.c -Wl,-z,stack-size=1048576
fi

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

rust release json markdown bigrational ciphers cloth lz4 png_image jpeg_image vector_art glyphs
rust o2 collections graphs decimals spreadsheet regex wasm_module unicode
rust os script templates rust_syntax toml_config brotli
