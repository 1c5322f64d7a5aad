// Inner loops of GLMix; contract in ckernels_glmix.h.
#include "ckernels.h"
#include "lanes.h"
#include <math.h>

static inline __attribute__((always_inline)) i8 mask(const uint8_t *p) {
    i8 m = {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
    return m != 0;
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

void lk_lower_pack(size_t n, const double *l, float *packed) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) *packed++ = (float)l[i * n + j];
}

CLONES void lk_lower_solve(size_t n, const float *packed, double *b) {
    const float *row = packed;
    for (size_t i = 0; i < n; row += ++i) {
        v8 lanes = 0.0;
        size_t k = 0;
        for (; k + LANES <= i; k += LANES) lanes += widened(row + k) * load(b + k);
        double s = b[i] - sum(lanes);
        for (; k < i; k++) s -= (double)row[k] * b[k];
        b[i] = s / (double)row[i];
    }
    for (size_t i = n; i-- > 0;) {
        row -= i + 1;
        double x = b[i] / (double)row[i];
        b[i] = x;
        for (size_t k = 0; k < i; k++) b[k] -= (double)row[k] * x;
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
