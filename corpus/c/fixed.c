// Fixed-point arithmetic in 64 bits: a Julia set, sines by CORDIC, square roots, a resonant filter over samples.
#include "corpus.h"

typedef i64 fix; // 32.32 would overflow when squared: 12.20 in an i64
enum { SHIFT = 20 };
#define FIX(x) ((fix)((x) * (1 << SHIFT)))
static fix mul(fix a, fix b) { return a * b >> SHIFT; }

static u32 julia(fix cx, fix cy, int size) {
    u32 sum = 0;
    for (int py = 0; py < size; py++)
        for (int px = 0; px < size; px++) {
            fix x = FIX(3.0) * px / size - FIX(1.5), y = FIX(3.0) * py / size - FIX(1.5);
            int n = 0;
            for (; n < 40; n++) {
                fix xx = mul(x, x), yy = mul(y, y);
                if (xx + yy > FIX(4.0)) break;
                y = 2 * mul(x, y) + cy, x = xx - yy + cx;
            }
            sum = mix(sum, n);
        }
    return sum;
}

static u32 root(u64 n) {
    u64 x = 0;
    for (u64 bit = 1ull << 62; bit; bit >>= 2) {
        if (n >= x + bit) n -= x + bit, x = (x >> 1) + bit; else x >>= 1;
    }
    return (u32)x;
}

static i32 sine(i32 angle) { // 0..65535 is a turn; result 1 << 16
    static const i32 turn[16] = { 8192, 4836, 2555, 1297, 651, 326, 163, 81, 41, 20, 10, 5, 3, 1, 1, 0 };
    i32 x = 39797, y = 0, z = (i32)(short)angle;
    int flip = z > 16384 || z < -16384;
    if (flip) z = (i32)(short)(32768 - z);
    for (int i = 0; i < 16; i++) {
        i32 dx = y >> i, dy = x >> i;
        if (z >= 0) x -= dx, y += dy, z -= turn[i]; else x += dx, y -= dy, z += turn[i];
    }
    return y;
}

static u32 filter(int samples, u32 sum) {
    i32 low = 0, band = 0;
    for (int i = 0; i < samples; i++) {
        i32 cutoff = 4000 + (sine(i * 13) >> 5), in = (sine(i * i >> 3) >> 3) + (i32)(rng() & 255);
        low += (i32)((i64)cutoff * band >> 16);
        i32 high = in - low - band / 2;
        band += (i32)((i64)cutoff * high >> 16);
        if (i % 16 == 0) sum = mix(sum, low ^ root((u64)(u32)band * 977));
    }
    return sum;
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        sum = mix(sum, julia(FIX(-0.8) + r * 997, FIX(0.156) - r * 313, 64));
        sum = filter(8000, sum);
    }
    return sum;
}
