// What the programs share: names for the sized types, a random number generator and a checksum.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

// Every program exports one function, `run(size) -> checksum`.
#define PROGRAM __attribute__((export_name("run"))) i32

// Xorshift; programs make their input from it, so that results never change.
static u32 rng_state = 1;

static inline u32 rng(void) {
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 17;
    rng_state ^= rng_state << 5;
    return rng_state;
}

// Uniform in 0..1.
static inline double rng_unit(void) { return (rng() >> 4) / 268435456.0; }

// Order-dependent checksum.
static inline u32 mix(u32 sum, u32 value) { return (sum << 5 | sum >> 27) ^ value * 0x9e3779b1u; }

static inline u32 mix_bytes(u32 sum, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) sum = mix(sum, ((const u8 *)bytes)[i]);
    return sum;
}

static inline u32 mix_double(u32 sum, double value) {
    u64 bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(mix(sum, (u32)bits), (u32)(bits >> 32));
}
