// Compresses and decompresses text with bzip2.
#include "text.h"
#include <bzlib.h>

enum { SIZE = 40 * 1024 };
static char plain[SIZE], packed[SIZE + 1024], back[SIZE];

void bz_internal_error(int code) { (void)code, __builtin_trap(); }

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        unsigned n = write_text(plain, SIZE), packed_len = sizeof packed, len = sizeof back;
        if (BZ2_bzBuffToBuffCompress(packed, &packed_len, plain, n, 1, 0, 0) != BZ_OK) return -1;
        if (BZ2_bzBuffToBuffDecompress(back, &len, packed, packed_len, 0, 0) != BZ_OK || len != n || memcmp(plain, back, n)) return -2;
        sum = mix_bytes(sum, packed, packed_len);
    }
    return sum;
}
