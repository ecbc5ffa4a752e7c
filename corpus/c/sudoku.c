// Solves generated Sudoku puzzles: candidate masks, fewest candidates first, backtracking.
#include "corpus.h"

static u16 row[9], column[9], box[9];
static u8 grid[81];
static u32 nodes;

static int box_of(int i) { return i / 27 * 3 + i % 9 / 3; }
static u32 candidates(int i) { return ~(row[i / 9] | column[i % 9] | box[box_of(i)]) & 0x1ff; }

static void flip(int i, int digit) {
    u16 bit = 1 << digit;
    row[i / 9] ^= bit, column[i % 9] ^= bit, box[box_of(i)] ^= bit;
}

static int solve(int budget) {
    int best = -1, fewest = 10;
    if (++nodes > (u32)budget) return 0;
    for (int i = 0; i < 81; i++) {
        if (grid[i]) continue;
        int n = __builtin_popcount(candidates(i));
        if (n < fewest) fewest = n, best = i;
    }
    if (best < 0) return 1;
    for (u32 left = candidates(best); left; left &= left - 1) {
        int digit = __builtin_ctz(left);
        grid[best] = digit + 1;
        flip(best, digit);
        if (solve(budget)) return 1;
        flip(best, digit);
        grid[best] = 0;
    }
    return 0;
}

static void clear(void) {
    memset(grid, 0, sizeof grid);
    memset(row, 0, sizeof row), memset(column, 0, sizeof column), memset(box, 0, sizeof box);
}

PROGRAM run(i32 puzzles) {
    u32 sum = 0;
    for (int p = 0; p < puzzles; p++) {
        clear();
        for (int given = 0; given < 22;) {
            int i = rng() % 81, digit = rng() % 9;
            if (grid[i] || !(candidates(i) >> digit & 1)) { given++; continue; }
            grid[i] = digit + 1, flip(i, digit), given++;
        }
        nodes = 0;
        sum = mix(sum, solve(3000) + 2 * nodes);
        sum = mix_bytes(sum, grid, sizeof grid);
    }
    return sum;
}
