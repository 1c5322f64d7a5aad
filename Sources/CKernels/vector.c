// Vector kernels; contract in ckernels.h.
#include "ckernels.h"
#include <math.h>
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif
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

// exp by Cody & Waite range reduction and a degree-6 polynomial (relative error below 2e-7). Below −87.3: 0.
static inline float exp_one(float x) {
    float c = x < -87.3f ? -87.3f : (x > 88.0f ? 88.0f : x);
    float z = c * 1.44269504088896341f;
    float k = (z + 12582912.0f) - 12582912.0f;  // round to nearest, branch free
    float r = c - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } s;
    s.i = ((int32_t)k + 127) << 23;
    float e = p * s.f;
    return x < -87.3f ? 0.0f : e;
}

float lk_expf(float x) { return exp_one(x); }

CLONES double lk_exp_sum(size_t n, const float *x, float shift, float *out) {
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float e = exp_one(x[i + l] - shift);
            out[i + l] = e;
            lane[l] += (double)e;
        }
    for (int l = 0; i < n; i++, l++) {
        float e = exp_one(x[i] - shift);
        out[i] = e;
        lane[l] += (double)e;
    }
    double s = 0;
    for (int l = 0; l < LANES; l++) s += lane[l];
    return s;
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
