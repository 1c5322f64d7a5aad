// Vector kernels; contract in ckernels.h.
#include "ckernels.h"
#include "clones.h"
#include "exp.h"
#include <math.h>
#pragma STDC FP_CONTRACT OFF

#define LANES 16

CLONES void lk_axpy(size_t n, float a, const float *x, float *y) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

CLONES void lk_scale(size_t n, float a, float *x) {
    for (size_t i = 0; i < n; i++) x[i] *= a;
}

CLONES float lk_dot(size_t n, const float *x, const float *y) {
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += x[i + l] * y[i + l];
    for (int l = 0; i < n; i++, l++) lane[l] += x[i] * y[i];
    float s = 0;
    for (int l = 0; l < LANES; l++) s += lane[l];
    return s;
}

CLONES float lk_max(size_t n, const float *x) {
    float lane[LANES];
    for (int l = 0; l < LANES; l++) lane[l] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (int l = 0; i < n; i++, l++) lane[l] = x[i] > lane[l] ? x[i] : lane[l];
    float m = -INFINITY;
    for (int l = 0; l < LANES; l++) m = lane[l] > m ? lane[l] : m;
    return m;
}

float lk_expf(float x) { return lk_exp_inline(x); }

// Lanes of float, emptied into double every 256 elements: a lane's error stays below 16 roundings.
CLONES double lk_exp_sum(size_t n, const float *x, float shift, float *out) {
    double sum = 0;
    for (size_t start = 0; start < n; start += 256) {
        size_t end = start + 256 < n ? start + 256 : n, i = start;
        lk_v16 lane = 0.0f;
        for (; i + LANES <= end; i += LANES) lk_exp_16(x + i, shift, out + i, &lane);
        for (int l = 0; i < end; i++, l++) {
            out[i] = lk_exp_inline(x[i] - shift);
            lane[l] += out[i];
        }
        for (int l = 0; l < LANES; l++) sum += (double)lane[l];
    }
    return sum;
}

CLONES size_t lk_select_ge(size_t n, const float *x, float threshold, int32_t base, int32_t *out) {
    size_t count = 0, i = 0;
    for (; i + 64 <= n; i += 64) {
        int any = 0;  // a block of 64 is skipped by one vectorised comparison: survivors are rare
        for (int l = 0; l < 64; l++) any |= x[i + l] >= threshold;
        if (!any) continue;
        for (int l = 0; l < 64; l++)
            if (x[i + l] >= threshold) out[count++] = base + (int32_t)(i + l);
    }
    for (; i < n; i++)
        if (x[i] >= threshold) out[count++] = base + (int32_t)i;
    return count;
}

CLONES void lk_adam(size_t n, float *w, float *g, float *m, float *v, float step_size, float b1, float b2,
                    float epsilon_hat, float l2) {
    float c1 = 1.0f - b1, c2 = 1.0f - b2;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] + l2 * w[i];
        float mi = b1 * m[i] + c1 * gi;
        float vi = b2 * v[i] + c2 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        w[i] -= step_size * mi / (__builtin_sqrtf(vi) + epsilon_hat);
        g[i] = 0.0f;
    }
}
