// Conway's game of life on a torus, once with a byte per cell and once with a bit per cell.
#include "corpus.h"

enum { W = 256, H = 128, WORDS = W / 32 };
static u8 cell[2][H][W];
static u32 bits[2][H][WORDS];

static void step_bytes(u8 (*from)[W], u8 (*to)[W]) {
    for (int y = 0; y < H; y++) {
        const u8 *up = from[(y + H - 1) % H], *mid = from[y], *down = from[(y + 1) % H];
        for (int x = 0; x < W; x++) {
            int l = (x + W - 1) % W, r = (x + 1) % W;
            int n = up[l] + up[x] + up[r] + mid[l] + mid[r] + down[l] + down[x] + down[r];
            to[y][x] = n == 3 || (n == 2 && mid[x]);
        }
    }
}

static u32 west(const u32 *row, int w) { return row[w] << 1 | row[(w + WORDS - 1) % WORDS] >> 31; }
static u32 east(const u32 *row, int w) { return row[w] >> 1 | row[(w + 1) % WORDS] << 31; }

// Adds eight one-bit neighbours with bit-sliced counters.
static void step_bits(u32 (*from)[WORDS], u32 (*to)[WORDS]) {
    for (int y = 0; y < H; y++) {
        const u32 *rows[3] = { from[(y + H - 1) % H], from[y], from[(y + 1) % H] };
        for (int w = 0; w < WORDS; w++) {
            u32 one = 0, two = 0, four = 0;
            for (int k = 0; k < 3; k++) {
                u32 side[3] = { west(rows[k], w), rows[k][w], east(rows[k], w) };
                for (int j = 0; j < 3; j++) {
                    if (k == 1 && j == 1) continue;
                    u32 carry = one & side[j];
                    one ^= side[j];
                    four |= two & carry;
                    two ^= carry;
                }
            }
            to[y][w] = two & ~four & (one | from[y][w]);
        }
    }
}

PROGRAM run(i32 generations) {
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            u32 alive = (rng() & 7) < 3;
            cell[0][y][x] = alive;
            bits[0][y][x / 32] |= alive << (x % 32);
        }
    for (int g = 0; g < generations; g++) {
        step_bytes(cell[g & 1], cell[~g & 1]);
        for (int k = 0; k < 8; k++) step_bits(bits[(8 * g + k) & 1], bits[~(8 * g + k) & 1]);
    }
    u32 sum = mix_bytes(0, cell[generations & 1], sizeof cell[0]);
    return mix_bytes(sum, bits[0], sizeof bits[0]);
}
