// Finds strings in text: Knuth-Morris-Pratt, Boyer-Moore-Horspool, Rabin-Karp, Aho-Corasick, a suffix array with its prefixes.
#include "text.h"

enum { SIZE = 16384, STATES = 128, SUFFIXES = 1500 };
static char text[SIZE];
static const char *const needles[] = { "harbour wheel", "the garden", "copper", "north at", "a seven paper", "is is", "light the light" };
enum { NEEDLES = sizeof needles / sizeof *needles };

static u32 kmp(const char *needle, int m, int n) {
    int fail[32] = { 0 }, count = 0;
    for (int i = 1, k = 0; i < m; i++) {
        while (k && needle[i] != needle[k]) k = fail[k - 1];
        fail[i] = k += needle[i] == needle[k];
    }
    for (int i = 0, k = 0; i < n; i++) {
        while (k && text[i] != needle[k]) k = fail[k - 1];
        if ((k += text[i] == needle[k]) == m) count++, k = fail[k - 1];
    }
    return count;
}

static u32 horspool(const char *needle, int m, int n) {
    u8 skip[256];
    u32 count = 0;
    memset(skip, m, sizeof skip);
    for (int i = 0; i < m - 1; i++) skip[(u8)needle[i]] = m - 1 - i;
    for (int at = 0; at + m <= n; at += skip[(u8)text[at + m - 1]]) {
        int k = m;
        while (k && text[at + k - 1] == needle[k - 1]) k--;
        count += k == 0;
    }
    return count;
}

static u32 rabin_karp(const char *needle, int m, int n) {
    u32 want = 0, have = 0, top = 1, count = 0;
    for (int i = 0; i < m; i++) want = want * 257 + needle[i], have = have * 257 + text[i], top = i ? top * 257 : 1;
    for (int at = 0; at + m <= n; at++) {
        if (have == want && memcmp(text + at, needle, m) == 0) count++;
        have = (have - text[at] * top) * 257 + text[at + m];
    }
    return count;
}

static u16 step[STATES][256], fall[STATES];
static u8 ends[STATES];

static u32 aho_corasick(int n) {
    int states = 1, head = 0, tail = 0;
    u16 queue[STATES];
    memset(step, 0, sizeof step), memset(fall, 0, sizeof fall), memset(ends, 0, sizeof ends);
    for (int w = 0; w < NEEDLES; w++) {
        int s = 0;
        for (const char *c = needles[w]; *c; c++) {
            if (!step[s][(u8)*c]) step[s][(u8)*c] = states++;
            s = step[s][(u8)*c];
        }
        ends[s]++;
    }
    for (int c = 0; c < 256; c++) if (step[0][c]) queue[tail++] = step[0][c];
    while (head < tail) {
        int s = queue[head++];
        ends[s] += ends[fall[s]];
        for (int c = 0; c < 256; c++) {
            int to = step[s][c];
            if (to) fall[to] = step[fall[s]][c], queue[tail++] = to; else step[s][c] = step[fall[s]][c];
        }
    }
    u32 count = 0;
    for (int i = 0, s = 0; i < n; i++) s = step[s][(u8)text[i]], count += ends[s];
    return count;
}

static u16 suffix[SUFFIXES], rank[SUFFIXES], next_rank[SUFFIXES];

static int before(int a, int b, int k) {
    if (rank[a] != rank[b]) return rank[a] < rank[b];
    int ra = a + k < SUFFIXES ? rank[a + k] + 1 : 0, rb = b + k < SUFFIXES ? rank[b + k] + 1 : 0;
    return ra < rb;
}

static u32 suffixes(void) {
    for (int i = 0; i < SUFFIXES; i++) suffix[i] = i, rank[i] = (u8)text[i];
    for (int k = 1; k < SUFFIXES; k *= 2) {
        for (int size = SUFFIXES / 2; size > 0; size = size == 2 ? 1 : size * 5 / 11)
            for (int i = size; i < SUFFIXES; i++) {
                int x = suffix[i], j = i;
                for (; j >= size && before(x, suffix[j - size], k); j -= size) suffix[j] = suffix[j - size];
                suffix[j] = x;
            }
        next_rank[suffix[0]] = 0;
        for (int i = 1; i < SUFFIXES; i++) next_rank[suffix[i]] = next_rank[suffix[i - 1]] + before(suffix[i - 1], suffix[i], k);
        memcpy(rank, next_rank, sizeof rank);
        if (rank[suffix[SUFFIXES - 1]] == SUFFIXES - 1) break;
    }
    u32 longest = 0;
    for (int i = 1; i < SUFFIXES; i++) {
        u32 same = 0;
        while (text[suffix[i] + same] == text[suffix[i - 1] + same] && suffix[i] + same < SUFFIXES && suffix[i - 1] + same < SUFFIXES) same++;
        if (same > longest) longest = same;
    }
    return longest;
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        int n = write_text(text, SIZE);
        for (int w = 0; w < NEEDLES; w++) {
            int m = strlen(needles[w]);
            sum = mix(mix(mix(sum, kmp(needles[w], m, n)), horspool(needles[w], m, n)), rabin_karp(needles[w], m, n));
        }
        sum = mix(mix(sum, aho_corasick(n)), suffixes());
    }
    return sum;
}
