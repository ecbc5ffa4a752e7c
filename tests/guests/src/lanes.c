// Vector instructions against the same in scalar C, lane by lane. Prints what differs, and how much was compared.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasm_simd128.h>

typedef union {
    v128_t v;
    int8_t i8[16];
    uint8_t u8[16];
    int16_t i16[8];
    uint16_t u16[8];
    int32_t i32[4];
    uint32_t u32[4];
    int64_t i64[2];
    uint64_t u64[2];
    float f32[4];
    double f64[2];
} Lanes;

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

// Bits of which whole lanes are often at the edge of their type.
static Lanes any(void) {
    Lanes r;
    for (int i = 0; i < 16; i++) {
        uint64_t bits = rnd();
        static const uint8_t edges[4] = {0, 0x7f, 0x80, 0xff};
        r.u8[i] = bits & 3 ? (uint8_t)(bits >> 8) : edges[bits >> 4 & 3];
    }
    return r;
}

// Floats of all magnitudes, but no NaN.
static float number(void) {
    static const float edges[8] = {0, -0.0f, 0.5f, -1.5f, 2147483648.0f, -2147483904.0f, 4294967296.0f, INFINITY};
    uint64_t bits = rnd();
    if (bits % 4 == 0) return edges[bits >> 8 & 7];
    float x = (float)(int64_t)rnd();
    return ldexpf(x, -(int)(bits >> 16 & 127));
}

static Lanes floats(void) {
    Lanes r;
    for (int i = 0; i < 4; i++) r.f32[i] = number();
    return r;
}

static Lanes doubles(void) {
    Lanes r;
    for (int i = 0; i < 2; i++) r.f64[i] = (double)number() * (1 + (double)(rnd() >> 40) / 16777216);
    return r;
}

static int compared, wrong;

static void same(const char *op, Lanes got, Lanes want) {
    compared++;
    if (memcmp(&got, &want, sizeof got) == 0) return;
    wrong++;
    printf("%s: %016llx%016llx, not %016llx%016llx\n", op, (unsigned long long)got.u64[1], (unsigned long long)got.u64[0],
           (unsigned long long)want.u64[1], (unsigned long long)want.u64[0]);
}

static int64_t clamp(int64_t x, int64_t least, int64_t most) { return x < least ? least : x > most ? most : x; }

// OP gives in each LANE of N what EXPR says, for the lane's number i and the operands a, b and c.
#define LANEWISE(OP, CALL, LANE, N, EXPR)               \
    do {                                                \
        Lanes want;                                     \
        for (int i = 0; i < N; i++) want.LANE[i] = EXPR; \
        same(#OP, (Lanes){.v = CALL}, want);            \
    } while (0)
#define TWO(OP, LANE, N, EXPR) LANEWISE(OP, wasm_##OP(a.v, b.v), LANE, N, EXPR)
#define ONE(OP, LANE, N, EXPR) LANEWISE(OP, wasm_##OP(a.v), LANE, N, EXPR)

// The operators that all shapes of integers have.
#define INTEGERS(S, I, U, N, BITS)                                                      \
    do {                                                                                \
        int n = (int)(rnd() % 100);                                                     \
        TWO(S##_add, U, N, a.U[i] + b.U[i]);                                            \
        TWO(S##_sub, U, N, a.U[i] - b.U[i]);                                            \
        TWO(S##_eq, I, N, -(a.I[i] == b.I[i]));                                         \
        TWO(S##_ne, I, N, -(a.I[i] != b.I[i]));                                         \
        TWO(S##_lt, I, N, -(a.I[i] < b.I[i]));                                          \
        TWO(S##_ge, I, N, -(a.I[i] >= b.I[i]));                                         \
        ONE(S##_neg, U, N, 0 - a.U[i]);                                                 \
        ONE(S##_abs, U, N, a.I[i] < 0 ? 0 - a.U[i] : a.U[i]);                           \
        LANEWISE(S##_shl, wasm_##S##_shl(a.v, n), U, N, a.U[i] << n % BITS);            \
        LANEWISE(S##_shr, wasm_##S##_shr(a.v, n), I, N, a.I[i] >> n % BITS);            \
        LANEWISE(u##S##_shr, wasm_u##BITS##x##N##_shr(a.v, n), U, N, a.U[i] >> n % BITS); \
        LANEWISE(S##_splat, wasm_##S##_splat(a.I[0]), I, N, a.I[0]);                    \
        int mask = 0;                                                                   \
        for (int i = 0; i < N; i++) mask |= (a.I[i] < 0) << i;                          \
        LANEWISE(S##_bitmask, wasm_i32x4_splat((int)wasm_##S##_bitmask(a.v)), i32, 4, mask); \
        int all = 1;                                                                    \
        for (int i = 0; i < N; i++) all &= a.I[i] != 0;                                 \
        LANEWISE(S##_all_true, wasm_i32x4_splat(wasm_##S##_all_true(a.v)), i32, 4, all); \
    } while (0)

// What only the shapes of narrow integers have.
#define LEAST(S, U, I, N)                                       \
    do {                                                        \
        TWO(i##S##_min, i##I, N, a.i##I[i] < b.i##I[i] ? a.i##I[i] : b.i##I[i]); \
        TWO(i##S##_max, i##I, N, a.i##I[i] > b.i##I[i] ? a.i##I[i] : b.i##I[i]); \
        TWO(u##S##_min, u##I, N, a.u##I[i] < b.u##I[i] ? a.u##I[i] : b.u##I[i]); \
        TWO(u##S##_max, u##I, N, a.u##I[i] > b.u##I[i] ? a.u##I[i] : b.u##I[i]); \
        TWO(u##S##_lt, i##I, N, -(a.u##I[i] < b.u##I[i]));       \
        TWO(u##S##_ge, i##I, N, -(a.u##I[i] >= b.u##I[i]));      \
    } while (0)
#define SATURATING(S, I, N)                                     \
    do {                                                        \
        TWO(i##S##_add_sat, i##I, N, clamp(a.i##I[i] + b.i##I[i], -(1 << (I - 1)), (1 << (I - 1)) - 1)); \
        TWO(i##S##_sub_sat, i##I, N, clamp(a.i##I[i] - b.i##I[i], -(1 << (I - 1)), (1 << (I - 1)) - 1)); \
        TWO(u##S##_add_sat, u##I, N, clamp(a.u##I[i] + b.u##I[i], 0, (1 << I) - 1)); \
        TWO(u##S##_sub_sat, u##I, N, clamp(a.u##I[i] - b.u##I[i], 0, (1 << I) - 1)); \
        TWO(u##S##_avgr, u##I, N, (a.u##I[i] + b.u##I[i] + 1) / 2); \
    } while (0)

// A shape from the next narrower one.
#define WIDER(S, I, N, FROM, J)                                                                                      \
    do {                                                                                                             \
        ONE(i##S##_extend_low_i##FROM, i##I, N, a.i##J[i]);                                                          \
        ONE(i##S##_extend_high_i##FROM, i##I, N, a.i##J[i + N]);                                                     \
        ONE(u##S##_extend_low_u##FROM, u##I, N, a.u##J[i]);                                                          \
        ONE(u##S##_extend_high_u##FROM, u##I, N, a.u##J[i + N]);                                                     \
        TWO(i##S##_extmul_low_i##FROM, i##I, N, (int64_t)a.i##J[i] * b.i##J[i]);                                     \
        TWO(i##S##_extmul_high_i##FROM, i##I, N, (int64_t)a.i##J[i + N] * b.i##J[i + N]);                            \
        TWO(u##S##_extmul_low_u##FROM, u##I, N, (uint64_t)a.u##J[i] * b.u##J[i]);                                    \
        TWO(u##S##_extmul_high_u##FROM, u##I, N, (uint64_t)a.u##J[i + N] * b.u##J[i + N]);                           \
    } while (0)

static void integers(Lanes a, Lanes b, Lanes c) {
    INTEGERS(i8x16, i8, u8, 16, 8);
    INTEGERS(i16x8, i16, u16, 8, 16);
    INTEGERS(i32x4, i32, u32, 4, 32);
    INTEGERS(i64x2, i64, u64, 2, 64);
    LEAST(8x16, u8, 8, 16);
    LEAST(16x8, u16, 16, 8);
    LEAST(32x4, u32, 32, 4);
    SATURATING(8x16, 8, 16);
    SATURATING(16x8, 16, 8);
    WIDER(16x8, 16, 8, 8x16, 8);
    WIDER(32x4, 32, 4, 16x8, 16);
    WIDER(64x2, 64, 2, 32x4, 32);
    TWO(i16x8_mul, u16, 8, (uint32_t)a.u16[i] * b.u16[i]);
    TWO(i32x4_mul, u32, 4, a.u32[i] * b.u32[i]);
    TWO(i64x2_mul, u64, 2, a.u64[i] * b.u64[i]);
    TWO(i16x8_q15mulr_sat, i16, 8, clamp((a.i16[i] * b.i16[i] + 0x4000) >> 15, -32768, 32767));
    TWO(i32x4_dot_i16x8, u32, 4, (uint32_t)(a.i16[2 * i] * b.i16[2 * i]) + (uint32_t)(a.i16[2 * i + 1] * b.i16[2 * i + 1]));
    ONE(i8x16_popcnt, u8, 16, __builtin_popcount(a.u8[i]));
    ONE(i16x8_extadd_pairwise_i8x16, i16, 8, a.i8[2 * i] + a.i8[2 * i + 1]);
    ONE(u16x8_extadd_pairwise_u8x16, u16, 8, a.u8[2 * i] + a.u8[2 * i + 1]);
    ONE(i32x4_extadd_pairwise_i16x8, i32, 4, a.i16[2 * i] + a.i16[2 * i + 1]);
    ONE(u32x4_extadd_pairwise_u16x8, u32, 4, a.u16[2 * i] + a.u16[2 * i + 1]);
    TWO(i8x16_narrow_i16x8, i8, 16, clamp(i < 8 ? a.i16[i] : b.i16[i - 8], -128, 127));
    TWO(u8x16_narrow_i16x8, u8, 16, clamp(i < 8 ? a.i16[i] : b.i16[i - 8], 0, 255));
    TWO(i16x8_narrow_i32x4, i16, 8, clamp(i < 4 ? a.i32[i] : b.i32[i - 4], -32768, 32767));
    TWO(u16x8_narrow_i32x4, u16, 8, clamp(i < 4 ? a.i32[i] : b.i32[i - 4], 0, 65535));
    TWO(i8x16_swizzle, u8, 16, b.u8[i] < 16 ? a.u8[b.u8[i]] : 0);
    LANEWISE(i8x16_shuffle, wasm_i8x16_shuffle(a.v, b.v, 0, 31, 2, 29, 4, 27, 6, 25, 8, 23, 10, 21, 12, 19, 14, 17), u8, 16,
             i % 2 ? b.u8[16 - i] : a.u8[i]);
    TWO(v128_and, u64, 2, a.u64[i] & b.u64[i]);
    TWO(v128_or, u64, 2, a.u64[i] | b.u64[i]);
    TWO(v128_xor, u64, 2, a.u64[i] ^ b.u64[i]);
    TWO(v128_andnot, u64, 2, a.u64[i] & ~b.u64[i]);
    ONE(v128_not, u64, 2, ~a.u64[i]);
    LANEWISE(v128_bitselect, wasm_v128_bitselect(a.v, b.v, c.v), u64, 2, (a.u64[i] & c.u64[i]) | (b.u64[i] & ~c.u64[i]));
    LANEWISE(v128_any_true, wasm_i32x4_splat(wasm_v128_any_true(a.v)), i32, 4, (a.u64[0] | a.u64[1]) != 0);
    LANEWISE(i8x16_replace_lane, wasm_i8x16_replace_lane(a.v, 9, b.i8[3]), i8, 16, i == 9 ? b.i8[3] : a.i8[i]);
    LANEWISE(i64x2_extract_lane, wasm_i64x2_splat(wasm_i64x2_extract_lane(a.v, 1)), i64, 2, a.i64[1]);
    LANEWISE(i16x8_extract_lane, wasm_i32x4_splat(wasm_i16x8_extract_lane(a.v, 5)), i32, 4, a.i16[5]);
    LANEWISE(u8x16_extract_lane, wasm_i32x4_splat(wasm_u8x16_extract_lane(a.v, 15)), i32, 4, a.u8[15]);
}

static void memory(Lanes a, Lanes b) {
    uint8_t bytes[64];
    int at = (int)(rnd() % 40);
    for (int i = 0; i < 64; i++) bytes[i] = (uint8_t)rnd();
    uint8_t *p = bytes + at;
    Lanes in;
    memcpy(&in, p, 16);
    LANEWISE(v128_load, wasm_v128_load(p), u64, 2, in.u64[i]);
    LANEWISE(v128_load8_splat, wasm_v128_load8_splat(p), u8, 16, in.u8[0]);
    LANEWISE(v128_load16_splat, wasm_v128_load16_splat(p), u16, 8, in.u16[0]);
    LANEWISE(v128_load32_splat, wasm_v128_load32_splat(p), u32, 4, in.u32[0]);
    LANEWISE(v128_load64_splat, wasm_v128_load64_splat(p), u64, 2, in.u64[0]);
    LANEWISE(v128_load32_zero, wasm_v128_load32_zero(p), u32, 4, i == 0 ? in.u32[0] : 0);
    LANEWISE(v128_load64_zero, wasm_v128_load64_zero(p), u64, 2, i == 0 ? in.u64[0] : 0);
    LANEWISE(i16x8_load8x8, wasm_i16x8_load8x8(p), i16, 8, in.i8[i]);
    LANEWISE(u16x8_load8x8, wasm_u16x8_load8x8(p), u16, 8, in.u8[i]);
    LANEWISE(i32x4_load16x4, wasm_i32x4_load16x4(p), i32, 4, in.i16[i]);
    LANEWISE(u64x2_load32x2, wasm_u64x2_load32x2(p), u64, 2, in.u32[i]);
    LANEWISE(v128_load8_lane, wasm_v128_load8_lane(p, a.v, 3), u8, 16, i == 3 ? in.u8[0] : a.u8[i]);
    LANEWISE(v128_load32_lane, wasm_v128_load32_lane(p, a.v, 2), u32, 4, i == 2 ? in.u32[0] : a.u32[i]);
    uint8_t before[64];
    memcpy(before, bytes, 64);
    wasm_v128_store16_lane(p, b.v, 6);
    wasm_v128_store64_lane(p + 8, b.v, 1);
    memcpy(before + at, &b.u16[6], 2);
    memcpy(before + at + 8, &b.u64[1], 8);
    compared++;
    if (memcmp(before, bytes, 64) != 0) wrong++, printf("stores of lanes\n");
}

#define FLOATS(S, F, I, N, MATH)                                                          \
    do {                                                                                  \
        TWO(S##_add, F, N, a.F[i] + b.F[i]);                                              \
        TWO(S##_sub, F, N, a.F[i] - b.F[i]);                                              \
        TWO(S##_mul, F, N, a.F[i] * b.F[i]);                                              \
        TWO(S##_pmin, F, N, b.F[i] < a.F[i] ? b.F[i] : a.F[i]);                           \
        TWO(S##_pmax, F, N, a.F[i] < b.F[i] ? b.F[i] : a.F[i]);                           \
        TWO(S##_min, F, N, a.F[i] == b.F[i] ? (signbit(a.F[i]) ? a.F[i] : b.F[i]) : fmin##MATH(a.F[i], b.F[i])); \
        TWO(S##_max, F, N, a.F[i] == b.F[i] ? (signbit(a.F[i]) ? b.F[i] : a.F[i]) : fmax##MATH(a.F[i], b.F[i])); \
        TWO(S##_lt, I, N, -(a.F[i] < b.F[i]));                                            \
        TWO(S##_le, I, N, -(a.F[i] <= b.F[i]));                                           \
        TWO(S##_eq, I, N, -(a.F[i] == b.F[i]));                                           \
        ONE(S##_abs, F, N, fabs##MATH(a.F[i]));                                           \
        ONE(S##_neg, F, N, -a.F[i]);                                                      \
        ONE(S##_ceil, F, N, ceil##MATH(a.F[i]));                                          \
        ONE(S##_floor, F, N, floor##MATH(a.F[i]));                                        \
        ONE(S##_trunc, F, N, trunc##MATH(a.F[i]));                                        \
        ONE(S##_nearest, F, N, rint##MATH(a.F[i]));                                       \
        LANEWISE(S##_sqrt, wasm_##S##_sqrt(wasm_##S##_abs(a.v)), F, N, sqrt##MATH(fabs##MATH(a.F[i]))); \
    } while (0)

static int bounded(Lanes a, Lanes b) {
    for (int i = 0; i < 4; i++)
        if (isinf(a.f32[i]) || isinf(b.f32[i])) return 0;
    return 1;
}

static void numbers(Lanes a, Lanes b) {
    // No infinity, from which operators make NaNs, whose sign is anybody's.
    if (!bounded(a, b)) return;
    FLOATS(f32x4, f32, i32, 4, f);
    LANEWISE(f32x4_div, wasm_f32x4_div(a.v, wasm_f32x4_add(wasm_f32x4_abs(b.v), wasm_f32x4_splat(1))), f32, 4,
             a.f32[i] / (fabsf(b.f32[i]) + 1));
    LANEWISE(f64x2_promote_low_f32x4, wasm_f64x2_promote_low_f32x4(a.v), f64, 2, a.f32[i]);
}

static void doubled(Lanes a, Lanes b) {
    if (isinf(a.f64[0]) || isinf(a.f64[1]) || isinf(b.f64[0]) || isinf(b.f64[1])) return;
    FLOATS(f64x2, f64, i64, 2, );
    ONE(f32x4_demote_f64x2_zero, f32, 4, i < 2 ? (float)a.f64[i] : 0);
    ONE(i32x4_trunc_sat_f64x2_zero, i32, 4, i < 2 ? (int32_t)fmax(fmin(a.f64[i], 2147483647), -2147483648.0) : 0);
    ONE(u32x4_trunc_sat_f64x2_zero, u32, 4, i < 2 ? (uint32_t)fmax(fmin(a.f64[i], 4294967295), 0) : 0);
}

static void conversions(Lanes a, Lanes f) {
    ONE(f32x4_convert_i32x4, f32, 4, (float)a.i32[i]);
    ONE(f32x4_convert_u32x4, f32, 4, (float)a.u32[i]);
    ONE(f64x2_convert_low_i32x4, f64, 2, a.i32[i]);
    ONE(f64x2_convert_low_u32x4, f64, 2, a.u32[i]);
    LANEWISE(i32x4_trunc_sat_f32x4, wasm_i32x4_trunc_sat_f32x4(f.v), i32, 4,
             f.f32[i] >= 2147483648.0f ? INT32_MAX : f.f32[i] < -2147483648.0f ? INT32_MIN : (int32_t)f.f32[i]);
    LANEWISE(u32x4_trunc_sat_f32x4, wasm_u32x4_trunc_sat_f32x4(f.v), u32, 4,
             f.f32[i] >= 4294967296.0f ? UINT32_MAX : f.f32[i] <= 0 ? 0 : (uint32_t)f.f32[i]);
}

int main(void) {
    for (int round = 0; round < 200; round++) {
        Lanes a = any(), b = any();
        if (round % 10 == 0) b = a;
        if (round % 17 == 0) a = (Lanes){.u64 = {0, 0}};
        integers(a, b, any());
        memory(a, b);
        numbers(floats(), floats());
        doubled(doubles(), doubles());
        conversions(a, floats());
    }
    printf("%d compared, %d wrong\n", compared, wrong);
    return wrong != 0;
}
