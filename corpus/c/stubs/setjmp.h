// wasi-libc has no setjmp; Lua only needs the header to be there.
#pragma once
