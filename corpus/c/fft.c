// Radix-2 FFT in f64, forward and back, with a spectrum pass between.
#include "corpus.h"
#include <math.h>

enum { LOG = 11, N = 1 << LOG };
typedef struct { double re, im; } complex;
static complex data[N], root[N / 2];

static void fft(complex *a, int inverse) {
    for (u32 i = 1, j = 0; i < N; i++) {
        u32 bit = N >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
        if (i < j) { complex t = a[i]; a[i] = a[j]; a[j] = t; }
    }
    for (int len = 2; len <= N; len <<= 1)
        for (int i = 0; i < N; i += len)
            for (int k = 0; k < len / 2; k++) {
                complex w = root[k * (N / len)], u = a[i + k], x = a[i + k + len / 2];
                double wi = inverse ? -w.im : w.im;
                complex v = { x.re * w.re - x.im * wi, x.re * wi + x.im * w.re };
                a[i + k] = (complex){ u.re + v.re, u.im + v.im };
                a[i + k + len / 2] = (complex){ u.re - v.re, u.im - v.im };
            }
}

PROGRAM run(i32 rounds) {
    for (int k = 0; k < N / 2; k++) {
        double angle = -6.283185307179586 * k / N;
        root[k] = (complex){ cos(angle), sin(angle) };
    }
    for (int i = 0; i < N; i++) data[i] = (complex){ rng_unit() - 0.5, 0 };
    double energy = 0;
    for (int r = 0; r < rounds; r++) {
        fft(data, 0);
        for (int i = 0; i < N; i++) energy += sqrt(data[i].re * data[i].re + data[i].im * data[i].im);
        for (int i = 0; i < N; i++) data[i].re /= N, data[i].im /= N;
        fft(data, 1);
    }
    return mix_double(mix_double(0, energy), data[7].re);
}
