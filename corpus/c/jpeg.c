// Image coding kernels: colour conversion, 8x8 integer DCT, quantisation, zigzag run lengths, and back; box blur.
#include "corpus.h"

enum { W = 128, H = 96 };
static u8 rgb[H][W][3];
static short luma[H][W];
static u8 blurred[H][W];
static const u8 quant[64] = { 16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99 };
static u8 zigzag[64];
static i32 cosine[8][8]; // [frequency][sample], 1 << 12

static void transform(const i32 *in, i32 *out, int stride, int inverse) {
    i32 t[8];
    for (int u = 0; u < 8; u++) {
        i32 s = 0;
        for (int x = 0; x < 8; x++) s += in[x * stride] * (inverse ? cosine[x][u] : cosine[u][x]);
        t[u] = (s + 4096) >> 13;
    }
    for (int u = 0; u < 8; u++) out[u * stride] = t[u];
}

static u32 block(short *at, u32 sum) {
    i32 b[64], coded[64];
    for (int y = 0; y < 8; y++) for (int x = 0; x < 8; x++) b[8 * y + x] = at[y * W + x] - 128;
    for (int y = 0; y < 8; y++) transform(b + 8 * y, b + 8 * y, 1, 0);
    for (int x = 0; x < 8; x++) transform(b + x, b + x, 8, 0);
    int zeros = 0;
    for (int i = 0; i < 64; i++) {
        i32 v = b[zigzag[i]] / quant[zigzag[i]];
        coded[i] = v;
        if (v == 0) { zeros++; continue; }
        u32 magnitude = v < 0 ? -v : v, bits = 32 - __builtin_clz(magnitude);
        sum = mix(sum, zeros << 4 | bits), zeros = 0;
    }
    for (int i = 0; i < 64; i++) b[zigzag[i]] = coded[i] * quant[zigzag[i]];
    for (int x = 0; x < 8; x++) transform(b + x, b + x, 8, 1);
    for (int y = 0; y < 8; y++) transform(b + 8 * y, b + 8 * y, 1, 1);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            i32 v = b[8 * y + x] + 128;
            at[y * W + x] = v < 0 ? 0 : v > 255 ? 255 : v;
        }
    return sum;
}

static void blur(void) {
    for (int y = 2; y < H - 2; y++)
        for (int x = 2; x < W - 2; x++) {
            u32 s = 0;
            for (int dy = -2; dy <= 2; dy++) for (int dx = -2; dx <= 2; dx++) s += (u32)luma[y + dy][x + dx];
            blurred[y][x] = (u8)(s / 25);
        }
}

static void tables(void) {
    static const double half_cos[8] = { 1, 0.980785280403230, 0.923879532511287, 0.831469612302545, 0.707106781186548, 0.555570233019602, 0.382683432365090, 0.195090322016128 };
    for (int u = 0; u < 8; u++)
        for (int x = 0; x < 8; x++) {
            int k = (2 * x + 1) * u % 32, q = k > 16 ? 32 - k : k; // cos(k pi / 16)
            double c = q < 8 ? half_cos[q] : q == 8 ? 0 : -half_cos[16 - q];
            if (q == 16) c = -1;
            cosine[u][x] = (i32)(c * (u == 0 ? 0.707106781186548 : 1) * 4096);
        }
    for (int i = 0, x = 0, y = 0; i < 64; i++) {
        zigzag[i] = 8 * y + x;
        if ((x + y) & 1) { if (y == 7) x++; else if (x == 0) y++; else x--, y++; }
        else { if (x == 7) y++; else if (y == 0) x++; else x++, y--; }
    }
}

PROGRAM run(i32 frames) {
    u32 sum = 0;
    tables();
    for (int f = 0; f < frames; f++) {
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                u32 noise = rng();
                rgb[y][x][0] = x + f, rgb[y][x][1] = y * 2 + (noise & 15), rgb[y][x][2] = (x ^ y) + (noise >> 28);
                luma[y][x] = (rgb[y][x][0] * 77 + rgb[y][x][1] * 150 + rgb[y][x][2] * 29) >> 8;
            }
        for (int y = 0; y < H; y += 8) for (int x = 0; x < W; x += 8) sum = block(&luma[y][x], sum);
        blur();
        sum = mix_bytes(sum, blurred, sizeof blurred);
    }
    return sum;
}
