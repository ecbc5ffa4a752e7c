// Deflates and inflates text and noise at several levels with zlib.
#include "text.h"
#include <zlib.h>

enum { SIZE = 48 * 1024 };
static u8 plain[SIZE], packed[SIZE + 1024], back[SIZE];

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        size_t n = write_text((char *)plain, SIZE - 4096);
        for (size_t i = n; i < SIZE; i++) plain[i] = rng() & 0x3f;
        for (int level = 1; level <= 7; level += 3) {
            uLongf packed_len = sizeof packed, len = sizeof back;
            if (compress2(packed, &packed_len, plain, SIZE, level) != Z_OK) return -1;
            if (uncompress(back, &len, packed, packed_len) != Z_OK || len != SIZE || memcmp(plain, back, SIZE)) return -2;
            sum = mix(sum, packed_len ^ crc32(0, packed, packed_len));
        }
    }
    return sum;
}
