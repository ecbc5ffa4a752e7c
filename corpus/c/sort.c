// Quicksort, heapsort, mergesort and radix sort over the same numbers, shell sort over records.
#include "corpus.h"

enum { N = 16384 };
static u32 input[N], a[N], b[N];
typedef struct { u16 key; u8 tag; double weight; } record;
static record records[N / 4];

static void quick(u32 *v, int lo, int hi) {
    while (hi - lo > 12) {
        u32 pivot = v[(lo + hi) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) { u32 t = v[i]; v[i++] = v[j]; v[j--] = t; }
        }
        if (j - lo < hi - i) { quick(v, lo, j); lo = i; } else { quick(v, i, hi); hi = j; }
    }
    for (int i = lo + 1; i <= hi; i++) {
        u32 x = v[i];
        int j = i;
        for (; j > lo && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static void sift(u32 *v, int at, int n) {
    u32 x = v[at];
    for (int child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && v[child] < v[child + 1]) child++;
        if (v[child] <= x) break;
        v[at] = v[child];
    }
    v[at] = x;
}

static void heap(u32 *v, int n) {
    for (int i = n / 2; i-- > 0;) sift(v, i, n);
    while (--n > 0) { u32 t = v[0]; v[0] = v[n]; v[n] = t; sift(v, 0, n); }
}

static void merge(u32 *v, u32 *spare, int n) {
    for (int width = 1; width < n; width *= 2) {
        for (int lo = 0; lo < n; lo += 2 * width) {
            int mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            for (int i = lo, j = mid, k = lo; k < hi; k++)
                spare[k] = i < mid && (j >= hi || v[i] <= v[j]) ? v[i++] : v[j++];
        }
        memcpy(v, spare, n * sizeof *v);
    }
}

static void radix(u32 *v, u32 *spare, int n) {
    for (int shift = 0; shift < 32; shift += 8) {
        u32 count[257] = { 0 };
        for (int i = 0; i < n; i++) count[(v[i] >> shift & 255) + 1]++;
        for (int i = 0; i < 256; i++) count[i + 1] += count[i];
        for (int i = 0; i < n; i++) spare[count[v[i] >> shift & 255]++] = v[i];
        memcpy(v, spare, n * sizeof *v);
    }
}

static void shell(record *v, int n) {
    for (int gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int i = gap; i < n; i++) {
            record x = v[i];
            int j = i;
            for (; j >= gap && (v[j - gap].key > x.key || (v[j - gap].key == x.key && v[j - gap].weight > x.weight)); j -= gap)
                v[j] = v[j - gap];
            v[j] = x;
        }
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) input[i] = rng();
        for (int i = 0; i < N / 4; i++) records[i] = (record){ rng() % 500, i, rng_unit() };
        memcpy(a, input, sizeof a), quick(a, 0, N - 1), sum = mix(sum, a[N / 3]);
        memcpy(a, input, sizeof a), heap(a, N), sum = mix(sum, a[N / 5]);
        memcpy(a, input, sizeof a), merge(a, b, N), sum = mix(sum, a[N / 7]);
        memcpy(a, input, sizeof a), radix(a, b, N), sum = mix_bytes(sum, a, 4096);
        shell(records, N / 4), sum = mix(sum, records[N / 9].key << 8 | records[N / 9].tag);
    }
    return sum;
}
