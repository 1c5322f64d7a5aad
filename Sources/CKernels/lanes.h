// Eight doubles, whatever the machine's width, and the logistic loss on them: elementwise, so the bits do not depend on it.
#ifndef LECTERN_LANES_H
#define LECTERN_LANES_H
#include <stdint.h>
#include "clones.h"
#include <string.h>
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // all helpers with vector arguments are inlined

#define LANES 8

typedef double v8 __attribute__((ext_vector_type(8)));
typedef int64_t i8 __attribute__((ext_vector_type(8)));
typedef float f8 __attribute__((ext_vector_type(8)));

static inline __attribute__((always_inline)) v8 load(const double *p) {
    v8 x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline __attribute__((always_inline)) v8 widened(const float *p) {
    f8 x;
    memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, v8);
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

#endif
