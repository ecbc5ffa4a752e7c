// Loops that a compiler turns into vector code where it may: built with and without SIMD, both must print the same.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t seed = 12345;

static uint32_t rnd(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static uint64_t fnv(const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

// SHA-256 of several messages at a time, one in each lane.
enum { LANES = 8 };

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void sha256(uint32_t state[8][LANES], uint32_t block[16][LANES]) {
    static uint32_t w[64][LANES];
    memcpy(w, block, sizeof w[0] * 16);
    for (int t = 16; t < 64; t++)
        for (int l = 0; l < LANES; l++) {
            uint32_t a = w[t - 15][l], b = w[t - 2][l];
            w[t][l] = w[t - 16][l] + (ROR(a, 7) ^ ROR(a, 18) ^ a >> 3) + w[t - 7][l] + (ROR(b, 17) ^ ROR(b, 19) ^ b >> 10);
        }
    uint32_t s[8][LANES];
    memcpy(s, state, sizeof s);
    for (int t = 0; t < 64; t++)
        for (int l = 0; l < LANES; l++) {
            uint32_t a = s[0][l], e = s[4][l];
            uint32_t x = s[7][l] + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + ((e & s[5][l]) ^ (~e & s[6][l])) + K[t] + w[t][l];
            uint32_t y = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & s[1][l]) ^ (a & s[2][l]) ^ (s[1][l] & s[2][l]));
            s[7][l] = s[6][l], s[6][l] = s[5][l], s[5][l] = e, s[4][l] = s[3][l] + x;
            s[3][l] = s[2][l], s[2][l] = s[1][l], s[1][l] = a, s[0][l] = x + y;
        }
    for (int i = 0; i < 8; i++)
        for (int l = 0; l < LANES; l++) state[i][l] += s[i][l];
}

static void hashes(void) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint32_t state[8][LANES], block[16][LANES];
    for (int l = 0; l < LANES; l++)
        for (int i = 0; i < 8; i++) state[i][l] = start[i];
    // "abc" in the first lane, numbers in the others.
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < 16; i++) block[i][l] = 0;
        block[0][l] = l == 0 ? 0x61626380 : rnd();
        block[15][l] = 24;
    }
    sha256(state, block);
    printf("sha256(abc) = ");
    for (int i = 0; i < 8; i++) printf("%08x", state[i][0]);
    for (int n = 0; n < 20; n++) sha256(state, block);
    printf("\nsha256 lanes %016llx\n", (unsigned long long)fnv(state, sizeof state));
}

enum { N = 48 };

static void matrices(void) {
    static float a[N][N], b[N][N], c[N][N];
    static double d[N][N], e[N][N], f[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            d[i][j] = a[i][j] = (int)(rnd() % 2001) / 7.0f - 100;
            e[i][j] = b[i][j] = (int)(rnd() % 2001) / 9.0f - 100;
        }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++) {
                c[i][j] += a[i][k] * b[k][j];
                f[i][j] += d[i][k] * e[k][j];
            }
    printf("matrices %016llx %016llx\n", (unsigned long long)fnv(c, sizeof c), (unsigned long long)fnv(f, sizeof f));
}

static char text[20000];

static void search(void) {
    for (size_t i = 0; i + 1 < sizeof text; i++) text[i] = "abcdefgh"[rnd() % 8];
    size_t counts[8] = {0}, runs = 0, found = 0;
    for (size_t i = 0; i < sizeof text; i++)
        for (int k = 0; k < 8; k++) counts[k] += text[i] == "abcdefgh"[k];
    for (size_t i = 1; i < sizeof text; i++) runs += text[i] != text[i - 1];
    for (const char *at = text; (at = strstr(at, "gad")) != NULL; at++) found++;
    char *last = memchr(text, 0, sizeof text);
    printf("search");
    for (int k = 0; k < 8; k++) printf(" %zu", counts[k]);
    printf(", %zu runs, %zu times gad, ends at %td, %zu of abc\n", runs, found, last - text, strspn(text, "abcdefg"));
}

enum { WIDTH = 160, HEIGHT = 90 };

static void image(void) {
    static uint8_t in[HEIGHT][WIDTH], out[HEIGHT][WIDTH], mixed[HEIGHT][WIDTH];
    static int16_t edges[HEIGHT][WIDTH];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) in[y][x] = (uint8_t)(rnd() >> 8);
    for (int round = 0; round < 3; round++) {
        for (int y = 1; y < HEIGHT - 1; y++)
            for (int x = 1; x < WIDTH - 1; x++) {
                int sum = 4 * in[y][x] + 2 * (in[y - 1][x] + in[y + 1][x] + in[y][x - 1] + in[y][x + 1]) + in[y - 1][x - 1] +
                          in[y - 1][x + 1] + in[y + 1][x - 1] + in[y + 1][x + 1];
                out[y][x] = (uint8_t)((sum + 8) / 16);
            }
        memcpy(in, out, sizeof in);
    }
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 1; x < WIDTH; x++) edges[y][x] = (int16_t)(in[y][x] - in[y][x - 1]);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int v = 3 * edges[y][x] + in[y][x];
            mixed[y][x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    int32_t sum = 0;
    uint8_t least = 255, most = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            sum += mixed[y][x] * edges[y][x];
            least = mixed[y][x] < least ? mixed[y][x] : least;
            most = mixed[y][x] > most ? mixed[y][x] : most;
        }
    printf("image %016llx, %d, %u to %u\n", (unsigned long long)fnv(mixed, sizeof mixed), sum, least, most);
}

static void reductions(void) {
    static float f[4000];
    static double d[4000];
    static int32_t i[4000];
    static int64_t w[4000];
    for (int n = 0; n < 4000; n++) {
        i[n] = (int32_t)rnd();
        f[n] = (float)i[n] / 65536;
        d[n] = sqrt(fabs((double)f[n])) - floor(f[n] / 3);
        w[n] = (int64_t)i[n] * i[n];
    }
    float fsum = 0, fmost = f[0];
    double dsum = 0, dleast = d[0];
    uint32_t isum = 0, ixor = 0;
    uint64_t wsum = 0;
    for (int n = 0; n < 4000; n++) {
        // In this order: floats are not associative.
        fsum += f[n] * 0.5f;
        dsum += d[n] / 3;
        fmost = f[n] > fmost ? f[n] : fmost;
        dleast = d[n] < dleast ? d[n] : dleast;
        isum += (uint32_t)i[n] << (n & 15);
        ixor ^= (uint32_t)i[n] >> 3;
        wsum += (uint64_t)w[n] >> 7;
    }
    static float r[4000];
    static uint32_t u[4000];
    for (int n = 0; n < 4000; n++) r[n] = rintf(f[n]) + ceilf(f[n] / 7) - truncf(f[n] / 11) + (float)(i[n] >> 4);
    for (int n = 0; n < 4000; n++) u[n] = (uint32_t)fabsf(r[n]) + (uint32_t)(int32_t)r[n];
    printf("reductions %.9g %.9g %.17g %.17g %u %u %llu %016llx %016llx\n", fsum, fmost, dsum, dleast, isum, ixor,
           (unsigned long long)wsum, (unsigned long long)fnv(r, sizeof r), (unsigned long long)fnv(u, sizeof u));
}

static void mandelbrot(void) {
    static uint16_t steps[60][96];
    for (int y = 0; y < 60; y++)
        for (int x = 0; x < 96; x += 4) {
            float cr[4], ci = y / 30.0f - 1, zr[4] = {0}, zi[4] = {0};
            int32_t count[4] = {0};
            for (int l = 0; l < 4; l++) cr[l] = (x + l) / 36.0f - 2;
            for (int n = 0; n < 100; n++)
                for (int l = 0; l < 4; l++) {
                    float rr = zr[l] * zr[l], ii = zi[l] * zi[l], ri = zr[l] * zi[l];
                    int32_t inside = rr + ii < 4 ? -1 : 0;
                    count[l] -= inside;
                    zr[l] = inside ? rr - ii + cr[l] : zr[l];
                    zi[l] = inside ? ri + ri + ci : zi[l];
                }
            for (int l = 0; l < 4; l++) steps[y][x + l] = (uint16_t)count[l];
        }
    printf("mandelbrot %016llx\n", (unsigned long long)fnv(steps, sizeof steps));
    for (int y = 0; y < 60; y += 6) {
        for (int x = 0; x < 96; x += 3) putchar("_.:-=+*#%@"[steps[y][x] * 9 / 100]);
        putchar('\n');
    }
}

int main(void) {
    hashes();
    matrices();
    search();
    image();
    reductions();
    mandelbrot();
}
