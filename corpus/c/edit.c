// Dynamic programming over strings: edit distance, longest common subsequence with its path, alignment scores, text wrapping.
#include "text.h"

enum { MAX = 400 };
static char a[MAX + 1], b[MAX + 1], common[MAX + 1];
static u16 row[2][MAX + 1], lcs[MAX + 1][MAX + 1];
static i32 best[MAX + 1], gap[MAX + 1];

static u32 min(u32 x, u32 y) { return x < y ? x : y; }
static i32 max(i32 x, i32 y) { return x > y ? x : y; }

static u32 distance(int n, int m) {
    for (int j = 0; j <= m; j++) row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        u16 *now = row[i & 1], *before = row[~i & 1];
        now[0] = i;
        for (int j = 1; j <= m; j++) now[j] = min(min(now[j - 1] + 1, before[j] + 1), before[j - 1] + (a[i - 1] != b[j - 1]));
    }
    return row[n & 1][m];
}

static u32 subsequence(int n, int m) {
    for (int i = n - 1; i >= 0; i--)
        for (int j = m - 1; j >= 0; j--)
            lcs[i][j] = a[i] == b[j] ? 1 + lcs[i + 1][j + 1] : lcs[i + 1][j] > lcs[i][j + 1] ? lcs[i + 1][j] : lcs[i][j + 1];
    u32 len = 0;
    for (int i = 0, j = 0; i < n && j < m;)
        if (a[i] == b[j]) common[len++] = a[i++], j++;
        else if (lcs[i + 1][j] >= lcs[i][j + 1]) i++;
        else j++;
    return len;
}

// Gotoh's affine gaps, local.
static i32 align(int n, int m) {
    i32 top = 0;
    for (int j = 0; j <= m; j++) best[j] = 0, gap[j] = -1000;
    for (int i = 1; i <= n; i++) {
        i32 diagonal = 0, left = -1000;
        for (int j = 1; j <= m; j++) {
            left = max(best[j - 1] - 5, left - 1), gap[j] = max(best[j] - 5, gap[j] - 1);
            i32 score = max(max(diagonal + (a[i - 1] == b[j - 1] ? 3 : -2), 0), max(left, gap[j]));
            diagonal = best[j], best[j] = score, top = max(top, score);
        }
    }
    return top;
}

static u32 wrap(const char *text, int n, int width) {
    static u32 cost[MAX + 1], start[MAX + 1];
    int words = 0;
    for (int i = 0; i < n; i++) if (i == 0 || (text[i - 1] == ' ' && text[i] != ' ')) start[words++] = i;
    cost[words] = 0;
    for (int i = words; i-- > 0;) {
        cost[i] = ~0u >> 1;
        for (int j = i + 1; j <= words; j++) {
            int len = (int)((j < words ? start[j] - 1 : (u32)n) - start[i]);
            if (len > width) break;
            u32 slack = width - len;
            cost[i] = min(cost[i], cost[j] + slack * slack);
        }
    }
    return cost[0];
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        int n = write_text(a, MAX), m = write_text(b, MAX - 40);
        sum = mix(mix(sum, distance(n, m)), align(n, m));
        sum = mix_bytes(sum, common, subsequence(n, m));
        sum = mix(sum, wrap(a, n, 30));
    }
    return sum;
}
