// Digits of pi by a spigot over long integers, factorials, and modular powers with Montgomery products.
#include "corpus.h"

enum { LIMBS = 96 };
typedef struct { u32 n, limb[LIMBS]; } big;

static void scale(big *a, u32 by, u32 carry) {
    u64 c = carry;
    for (u32 i = 0; i < a->n; i++) c += (u64)a->limb[i] * by, a->limb[i] = (u32)c, c >>= 32;
    if (c) a->limb[a->n++] = (u32)c;
}

static u32 divide(big *a, u32 by) {
    u64 rest = 0;
    for (u32 i = a->n; i-- > 0;) rest = rest << 32 | a->limb[i], a->limb[i] = (u32)(rest / by), rest %= by;
    while (a->n && !a->limb[a->n - 1]) a->n--;
    return (u32)rest;
}

// 80 digits of pi: the Rabinowitz-Wagon spigot.
static u32 pi(u32 sum) {
    static i32 r[281];
    for (int i = 0; i < 280; i++) r[i] = 2000;
    i32 carry = 0;
    for (int k = 280; k > 0; k -= 14) {
        i32 d = 0;
        for (int i = k;;) {
            d += r[i] * 10000;
            i32 b = 2 * i - 1;
            r[i] = d % b, d /= b;
            if (--i == 0) break;
            d *= i;
        }
        sum = mix(sum, carry + d / 10000), carry = d % 10000;
    }
    return sum;
}

// 40 limbs of 32 bits: product and reduction interleaved.
enum { M = 40 };
static void montgomery(const u32 *a, const u32 *b, const u32 *m, u32 inverse, u32 *out) {
    u32 t[M + 2] = { 0 };
    for (int i = 0; i < M; i++) {
        u64 c = 0;
        for (int j = 0; j < M; j++) c += (u64)a[j] * b[i] + t[j], t[j] = (u32)c, c >>= 32;
        c += t[M], t[M] = (u32)c, t[M + 1] = c >> 32;
        u32 q = t[0] * inverse;
        c = ((u64)q * m[0] + t[0]) >> 32;
        for (int j = 1; j < M; j++) c += (u64)q * m[j] + t[j], t[j - 1] = (u32)c, c >>= 32;
        c += t[M], t[M - 1] = (u32)c, t[M] = t[M + 1] + (u32)(c >> 32);
    }
    i64 borrow = 0;
    for (int j = 0; j < M; j++) borrow += (i64)t[j] - m[j], out[j] = (u32)borrow, borrow >>= 32;
    if (t[M] + borrow < 0) memcpy(out, t, M * sizeof *out);
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        big f = { 1, { 1 } };
        for (u32 k = 2; k <= 400; k++) scale(&f, k, 0);
        for (u32 k = 0; k < 300; k++) sum = mix(sum, divide(&f, 1000000000));
        sum = pi(sum);
        u32 modulus[M], x[M], power[M], inverse = 1;
        for (int i = 0; i < M; i++) modulus[i] = rng(), x[i] = rng();
        modulus[0] |= 1, modulus[M - 1] |= 0x80000000u, x[M - 1] >>= 1;
        for (int i = 0; i < 5; i++) inverse *= 2 - modulus[0] * inverse;
        memcpy(power, x, sizeof x);
        for (u32 bit = 0, e = rng(); bit < 32; bit++) {
            montgomery(power, power, modulus, -inverse, power);
            if (e >> bit & 1) montgomery(power, x, modulus, -inverse, power);
        }
        sum = mix_bytes(sum, power, sizeof power);
    }
    return sum;
}
