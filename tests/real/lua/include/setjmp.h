// wasi-libc has no setjmp; Lua is built without it and only needs the header to be there.
#pragma once
typedef int jmp_buf;
