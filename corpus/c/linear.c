// Dense linear algebra in f64: LU with pivoting, Cholesky, Jacobi eigenvalues, conjugate gradients; f32 power iteration.
#include "corpus.h"
#include <math.h>

enum { N = 48 };
static double a[N][N], b[N][N], l[N][N], x[N], y[N], r[N], p[N];
static float f[N][N], v[N], w[N];

static double lu(void) {
    double det = 1;
    memcpy(b, a, sizeof a);
    for (int k = 0; k < N; k++) {
        int best = k;
        for (int i = k + 1; i < N; i++) if (fabs(b[i][k]) > fabs(b[best][k])) best = i;
        if (best != k) {
            for (int j = 0; j < N; j++) { double t = b[k][j]; b[k][j] = b[best][j]; b[best][j] = t; }
            det = -det;
        }
        det *= b[k][k] / N;
        for (int i = k + 1; i < N; i++) {
            double factor = b[i][k] /= b[k][k];
            for (int j = k + 1; j < N; j++) b[i][j] -= factor * b[k][j];
        }
    }
    return det;
}

static double cholesky(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++) {
            double s = a[i][j];
            for (int k = 0; k < j; k++) s -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrt(s) : s / l[j][j];
        }
    return l[N - 1][N - 1];
}

static double jacobi(void) {
    memcpy(b, a, sizeof a);
    for (int i = 0; i < N - 1; i++)
        for (int j = i + 1; j < N; j++) {
            if (fabs(b[i][j]) < 1e-9) continue;
            double theta = (b[j][j] - b[i][i]) / (2 * b[i][j]);
            double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
            for (int k = 0; k < N; k++) {
                double u = b[k][i], q = b[k][j];
                b[k][i] = c * u - s * q, b[k][j] = s * u + c * q;
            }
            for (int k = 0; k < N; k++) {
                double u = b[i][k], q = b[j][k];
                b[i][k] = c * u - s * q, b[j][k] = s * u + c * q;
            }
        }
    double largest = 0;
    for (int i = 0; i < N; i++) if (b[i][i] > largest) largest = b[i][i];
    return largest;
}

static double conjugate(void) {
    double rr = 0;
    for (int i = 0; i < N; i++) x[i] = 0, r[i] = p[i] = y[i], rr += r[i] * r[i];
    for (int it = 0; it < 20 && rr > 1e-18; it++) {
        double pap = 0, next = 0, ap[N];
        for (int i = 0; i < N; i++) {
            double s = 0;
            for (int j = 0; j < N; j++) s += a[i][j] * p[j];
            ap[i] = s, pap += s * p[i];
        }
        double alpha = rr / pap;
        for (int i = 0; i < N; i++) x[i] += alpha * p[i], r[i] -= alpha * ap[i], next += r[i] * r[i];
        for (int i = 0; i < N; i++) p[i] = r[i] + next / rr * p[i];
        rr = next;
    }
    return x[N / 2];
}

static float power(void) {
    float norm = 0;
    for (int i = 0; i < N; i++) v[i] = 1;
    for (int it = 0; it < 12; it++) {
        norm = 0;
        for (int i = 0; i < N; i++) {
            float s = 0;
            for (int j = 0; j < N; j++) s += f[i][j] * v[j];
            w[i] = s, norm += s * s;
        }
        norm = sqrtf(norm);
        for (int i = 0; i < N; i++) v[i] = w[i] / norm;
    }
    return norm;
}

PROGRAM run(i32 rounds) {
    double sum = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j <= i; j++) a[i][j] = a[j][i] = rng_unit() + (i == j ? N * 0.6 : 0), f[i][j] = f[j][i] = (float)a[i][j];
            y[i] = rng_unit();
        }
        sum += lu() + cholesky() + jacobi() + conjugate() + power();
    }
    return mix_double(0, sum);
}
