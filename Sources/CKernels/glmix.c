// Inner loops of GLMix; contract in ckernels_glmix.h.
#include "ckernels.h"
#include <math.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif
#define LANES 8
#pragma clang diagnostic ignored "-Wpsabi"  // all helpers with vector arguments are inlined

// Eight lanes, whatever the machine's width: elementwise, so the bits do not depend on it.
typedef double v8 __attribute__((ext_vector_type(8)));
typedef int64_t i8 __attribute__((ext_vector_type(8)));

static inline __attribute__((always_inline)) v8 load(const double *p) {
    v8 x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline __attribute__((always_inline)) double sum(v8 x) {
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// e^x for −708 ≤ x ≤ 0: 2^k·e^r, |r| ≤ ½ ln 2, Taylor to degree 13 (as lk_exp, without branches).
static inline __attribute__((always_inline)) v8 exp_negative(v8 x) {
    v8 k = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    v8 r = x - k * 6.93147180369123816490e-01;
    r = r - k * 1.90821492927058770002e-10;
    v8 p = 1.6059043836821613e-10;
    p = p * r + 2.08767569878681e-09;
    p = p * r + 2.505210838544172e-08;
    p = p * r + 2.7557319223985893e-07;
    p = p * r + 2.7557319223985893e-06;
    p = p * r + 2.48015873015873e-05;
    p = p * r + 1.984126984126984e-04;
    p = p * r + 1.388888888888889e-03;
    p = p * r + 8.333333333333333e-03;
    p = p * r + 4.1666666666666664e-02;
    p = p * r + 1.6666666666666666e-01;
    p = p * r + 0.5;
    i8 bits = (i8)(k + 6755399441055744.0);  // k in the low bits
    return (1.0 + (r + r * r * p)) * (v8)((bits + 1023) << 52);
}

// log(1 + e) for 0 ≤ e ≤ 1: 2·atanh(s) of e or, above √2 − 1, of (1 + e)/2; odd series to s^23.
static inline __attribute__((always_inline)) v8 log1p_unit(v8 e) {
    i8 high = e > 0.41421356237309503;
    v8 s = (high ? e - 1.0 : e) / (high ? e + 3.0 : e + 2.0), s2 = s * s;
    v8 p = 1.0 / 23;
    p = p * s2 + 1.0 / 21;
    p = p * s2 + 1.0 / 19;
    p = p * s2 + 1.0 / 17;
    p = p * s2 + 1.0 / 15;
    p = p * s2 + 1.0 / 13;
    p = p * s2 + 1.0 / 11;
    p = p * s2 + 1.0 / 9;
    p = p * s2 + 1.0 / 7;
    p = p * s2 + 1.0 / 5;
    p = p * s2 + 1.0 / 3;
    v8 l = 2.0 * s + 2.0 * s * (s2 * p);
    return high ? 0.6931471805599453 + l : l;
}

// w·ℓ, and w·ℓ′ and w·ℓ″; u is the margin towards the label, so that ℓ = log(1 + e^{−u}).
static inline __attribute__((always_inline)) v8 logistic(v8 z, i8 positive, v8 w, double *first, double *second) {
    v8 u = positive ? z : -z;
    i8 miss = u < 0.0;
    v8 size = miss ? -u : u;
    i8 far = size > 708.0;
    v8 e = exp_negative(far ? (v8)-708.0 : -size);
    e = far ? (v8)0.0 : e;
    v8 large = 1.0 / (1.0 + e), small = e * large;
    v8 wrong = miss ? large : small;  // 1 − σ(u)
    v8 f = w * (positive ? -wrong : wrong), s = w * (small * large);
    memcpy(first, &f, sizeof f);
    memcpy(second, &s, sizeof s);
    return w * ((miss ? size : (v8)0.0) + log1p_unit(e));
}

static inline __attribute__((always_inline)) i8 mask(const uint8_t *p) {
    i8 m = {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
    return m != 0;
}

static inline __attribute__((always_inline)) v8 widened(const float *p) {
    v8 x = {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
    return x;
}

CLONES double lk_logistic_rows(size_t n, const double *z, const uint8_t *positive, const float *weight, double scale,
                          double *first, double *second) {
    v8 total = 0.0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        total += logistic(load(z + i), mask(positive + i), scale * widened(weight + i), first + i, second + i);
    if (i < n) {
        size_t rest = n - i;
        double tz[LANES] = {0}, tf[LANES], ts[LANES];
        float tw[LANES] = {0};
        uint8_t ty[LANES] = {0};
        memcpy(tz, z + i, rest * sizeof *tz);
        memcpy(tw, weight + i, rest * sizeof *tw);
        memcpy(ty, positive + i, rest);
        total += logistic(load(tz), mask(ty), scale * widened(tw), tf, ts);
        memcpy(first + i, tf, rest * sizeof *tf);
        memcpy(second + i, ts, rest * sizeof *ts);
    }
    return sum(total);
}

void lk_rows_multiply(size_t rows, const ptrdiff_t *starts, const uint32_t *columns, const float *values,
                      const double *v, double *out) {
    for (size_t i = 0; i < rows; i++) {
        double a = 0, b = 0, c = 0, d = 0;
        ptrdiff_t at = starts[i], end = starts[i + 1];
        for (; at + 4 <= end; at += 4) {
            a += (double)values[at] * v[columns[at]];
            b += (double)values[at + 1] * v[columns[at + 1]];
            c += (double)values[at + 2] * v[columns[at + 2]];
            d += (double)values[at + 3] * v[columns[at + 3]];
        }
        for (; at < end; at++) a += (double)values[at] * v[columns[at]];
        out[i] += (a + b) + (c + d);
    }
}

void lk_rows_transposed(size_t rows, const ptrdiff_t *starts, const uint32_t *columns, const float *values,
                        const double *r, int squared, double *out) {
    for (size_t i = 0; i < rows; i++) {
        double scale = r[i];
        if (squared)
            for (ptrdiff_t at = starts[i]; at < starts[i + 1]; at++)
                out[columns[at]] += scale * ((double)values[at] * (double)values[at]);
        else
            for (ptrdiff_t at = starts[i]; at < starts[i + 1]; at++) out[columns[at]] += scale * (double)values[at];
    }
}

// Right-looking: after column k is done, it is subtracted from what is right of it, row by row.
CLONES int lk_cholesky(size_t n, double *a, double *column) {
    for (size_t k = 0; k < n; k++) {
        double pivot = a[k * n + k];
        if (!(pivot > 0)) return 0;
        double root = sqrt(pivot);
        a[k * n + k] = root;
        for (size_t i = k + 1; i < n; i++) column[i] = a[i * n + k] /= root;
        for (size_t i = k + 1; i < n; i++) {
            double *row = a + i * n, scale = column[i];
            for (size_t j = k + 1; j <= i; j++) row[j] -= scale * column[j];
        }
    }
    return 1;
}

CLONES void lk_cholesky_solve(size_t n, const double *l, double *b) {
    for (size_t i = 0; i < n; i++) {
        const double *row = l + i * n;
        double even = b[i], odd = 0;
        size_t k = 0;
        for (; k + 2 <= i; k += 2) {
            even -= row[k] * b[k];
            odd -= row[k + 1] * b[k + 1];
        }
        if (k < i) even -= row[k] * b[k];
        b[i] = (even + odd) / row[i];
    }
    for (size_t i = n; i-- > 0;) {
        const double *row = l + i * n;
        double x = b[i] / row[i];
        b[i] = x;
        for (size_t k = 0; k < i; k++) b[k] -= row[k] * x;
    }
}

CLONES void lk_gram(size_t m, size_t width, const double *x, double *k) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            const double *a = x + i * width, *b = x + j * width;
            v8 lanes = 0.0;
            for (size_t at = 0; at < width; at += LANES) lanes += load(a + at) * load(b + at);
            double s = sum(lanes);
            k[i * m + j] = s;
            k[j * m + i] = s;
        }
}

CLONES void lk_symmetric_multiply(size_t n, const double *a, const double *v, double *out) {
    for (size_t i = 0; i < n; i++) out[i] = 0;
    for (size_t j = 0; j < n; j++) {
        const double *row = a + j * n;
        double x = v[j];
        for (size_t i = 0; i < n; i++) out[i] += x * row[i];
    }
}
