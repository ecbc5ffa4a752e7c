// Image filters in f32 and integers: separable Gaussian, Sobel edges, median, bilinear scaling, Perlin noise, dithering.
#include "corpus.h"
#include <math.h>

enum { W = 96, H = 72 };
static float in[H][W], middle[H][W], out[H][W];
static u8 grey[H][W], edge[H][W], big[H * 2][W * 2];
static u8 order[512];

static float fade(float t) { return t * t * t * (t * (t * 6 - 15) + 10); }
static float lerp(float a, float b, float t) { return a + (b - a) * t; }

static float gradient(int hash, float x, float y) {
    float u = hash & 4 ? y : x, v = hash & 4 ? x : y;
    return (hash & 1 ? -u : u) + (hash & 2 ? -2 * v : 2 * v);
}

static float perlin(float x, float y) {
    int ix = (int)floorf(x), iy = (int)floorf(y);
    float fx = x - ix, fy = y - iy;
    const u8 *a = order + (order[ix & 255] + (iy & 255)), *b = order + (order[(ix + 1) & 255] + (iy & 255));
    return lerp(lerp(gradient(a[0], fx, fy), gradient(b[0], fx - 1, fy), fade(fx)),
        lerp(gradient(a[1], fx, fy - 1), gradient(b[1], fx - 1, fy - 1), fade(fx)), fade(fy));
}

static void gauss(void) {
    static const float weight[4] = { 0.3f, 0.22f, 0.1f, 0.03f };
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            float s = in[y][x] * weight[0];
            for (int k = 1; k < 4; k++) s += (in[y][x < k ? 0 : x - k] + in[y][x + k >= W ? W - 1 : x + k]) * weight[k];
            middle[y][x] = s;
        }
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            float s = middle[y][x] * weight[0];
            for (int k = 1; k < 4; k++) s += (middle[y < k ? 0 : y - k][x] + middle[y + k >= H ? H - 1 : y + k][x]) * weight[k];
            out[y][x] = s;
            grey[y][x] = (u8)(s < 0 ? 0 : s > 255 ? 255 : s);
        }
}

static void sobel(void) {
    for (int y = 1; y < H - 1; y++)
        for (int x = 1; x < W - 1; x++) {
            const u8 *u = &grey[y - 1][x], *m = &grey[y][x], *d = &grey[y + 1][x];
            int gx = u[1] + 2 * m[1] + d[1] - u[-1] - 2 * m[-1] - d[-1], gy = d[-1] + 2 * d[0] + d[1] - u[-1] - 2 * u[0] - u[1];
            int g = (gx < 0 ? -gx : gx) + (gy < 0 ? -gy : gy);
            edge[y][x] = g > 255 ? 255 : g;
        }
}

static void median(void) {
    for (int y = 1; y < H - 1; y++)
        for (int x = 1; x < W - 1; x++) {
            u8 v[9];
            int n = 0;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    u8 p = edge[y + dy][x + dx];
                    int i = n++;
                    for (; i > 0 && v[i - 1] > p; i--) v[i] = v[i - 1];
                    v[i] = p;
                }
            middle[y][x] = v[4];
        }
}

static void enlarge(void) {
    for (int y = 0; y < 2 * H; y++)
        for (int x = 0; x < 2 * W; x++) {
            u32 sx = x * (W - 1) * 256 / (2 * W), sy = y * (H - 1) * 256 / (2 * H), fx = sx & 255, fy = sy & 255;
            const u8 *a = &grey[sy >> 8][sx >> 8], *b = &grey[(sy >> 8) + 1][sx >> 8];
            big[y][x] = ((a[0] * (256 - fx) + a[1] * fx) * (256 - fy) + (b[0] * (256 - fx) + b[1] * fx) * fy) >> 16;
        }
}

static void dither(void) {
    for (int y = 0; y < H - 1; y++)
        for (int x = 1; x < W - 1; x++) {
            float old = out[y][x], new = old < 128 ? 0 : 255, error = old - new;
            out[y][x] = new;
            out[y][x + 1] += error * 7 / 16, out[y + 1][x - 1] += error * 3 / 16;
            out[y + 1][x] += error * 5 / 16, out[y + 1][x + 1] += error / 16;
        }
}

PROGRAM run(i32 frames) {
    u32 sum = 0;
    for (int i = 0; i < 512; i++) order[i] = i < 256 ? rng() : order[i - 256];
    for (int f = 0; f < frames; f++) {
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                in[y][x] = 128 + 90 * perlin(x * 0.07f + f, y * 0.07f) + 40 * perlin(x * 0.2f, y * 0.2f + f);
        gauss(), sobel(), median(), enlarge(), dither();
        sum = mix_bytes(mix_bytes(sum, edge, sizeof edge), big[H], sizeof big[H]);
        for (int x = 0; x < W; x++) sum = mix(sum, (u32)(out[H / 2][x] + middle[H / 2][x]));
    }
    return sum;
}
