// exp of one float for the vector kernels: Cody & Waite range reduction and a degree-6 polynomial (relative error
// below 2e-7). Below −87.3: 0. Included by every file whose loops call it, so that they vectorise.
#ifndef LECTERN_EXP_H
#define LECTERN_EXP_H
#include <stdint.h>
#pragma STDC FP_CONTRACT OFF

static inline __attribute__((always_inline)) float lk_exp_inline(float x) {
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

// The same for 16, with the same bits.
typedef float lk_v16 __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t lk_i16 __attribute__((ext_vector_type(16), aligned(4)));

static inline __attribute__((always_inline)) void lk_exp_16(const float *from, float shift, float *to, lk_v16 *sum) {
    lk_v16 x = *(const lk_v16 *)from - (lk_v16)(shift);
    lk_v16 c = x < -87.3f ? (lk_v16)(-87.3f) : (x > 88.0f ? (lk_v16)(88.0f) : x);
    lk_v16 k = (c * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    lk_v16 r = c - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    lk_v16 p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    lk_i16 bits = (__builtin_convertvector(k, lk_i16) + 127) << 23;
    lk_v16 e = p * (union { lk_i16 i; lk_v16 f; }){bits}.f;
    e = x < -87.3f ? (lk_v16)(0.0f) : e;
    *(lk_v16 *)to = e;
    *sum += e;
}
#endif
