// Compresses and decompresses text and tables of numbers with Zstandard, fast and thorough.
#include "text.h"
#include <zstd.h>

enum { SIZE = 64 * 1024 };
static char plain[SIZE], packed[SIZE + 4096], back[SIZE];

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        size_t n = write_text(plain, SIZE / 2);
        for (u32 i = 0; n + 8 <= SIZE; n += 8, i++) {
            u32 row[2] = { i * 3 + r, rng() % 50 * 1000 };
            memcpy(plain + n, row, sizeof row);
        }
        size_t packed_len = ZSTD_compress(packed, sizeof packed, plain, n, 1 + r % 9);
        if (ZSTD_isError(packed_len)) return -1;
        if (ZSTD_decompress(back, sizeof back, packed, packed_len) != n || memcmp(plain, back, n)) return -2;
        sum = mix_bytes(sum, packed, packed_len);
    }
    return sum;
}
