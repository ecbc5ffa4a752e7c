// Encodes generated pictures as lossy and lossless WebP and decodes them again.
#include "corpus.h"
#include <webp/decode.h>
#include <webp/encode.h>

enum { W = 80, H = 64 };
static u8 rgb[H][W][3];

PROGRAM run(i32 pictures) {
    u32 sum = 0;
    for (int p = 0; p < pictures; p++) {
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                rgb[y][x][0] = x * 3 + p, rgb[y][x][1] = y * 4 - (rng() & 7), rgb[y][x][2] = x * y / 20;
                if ((x - 40) * (x - 40) + (y - 30) * (y - 30) < 300) rgb[y][x][1] = 255;
            }
        u8 *file;
        size_t size = p % 4 == 3 ? WebPEncodeLosslessRGB(&rgb[0][0][0], W, H, 3 * W, &file) : WebPEncodeRGB(&rgb[0][0][0], W, H, 3 * W, 40 + 5 * (p % 10), &file);
        if (!size) return -1;
        int w, h;
        u8 *back = WebPDecodeRGBA(file, size, &w, &h);
        if (!back || w != W || h != H) return -2;
        sum = mix_bytes(mix_bytes(sum, file, size), back, 2048);
        WebPFree(file), WebPFree(back);
    }
    return sum;
}
