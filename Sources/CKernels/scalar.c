// exp, log and log(1 + e^x) in double without libm, whose results depend on the CPU's FMA support.
#include "ckernels.h"
#include <math.h>
#pragma STDC FP_CONTRACT OFF

// 2^k·e^r with |r| ≤ ½ ln 2, Taylor to degree 13: error below 2 ulp.
double lk_exp(double x) {
    if (x != x) return x;
    if (x > 709.78) return INFINITY;
    if (x < -745.2) return 0;
    double z = x * 1.4426950408889634;
    double k = (z + 6755399441055744.0) - 6755399441055744.0;
    double r = x - k * 6.93147180369123816490e-01;
    r = r - k * 1.90821492927058770002e-10;
    static const double c[] = {1.6059043836821613e-10, 2.08767569878681e-09,   2.505210838544172e-08,
                               2.7557319223985893e-07, 2.7557319223985893e-06, 2.48015873015873e-05,
                               1.984126984126984e-04,  1.388888888888889e-03,  8.333333333333333e-03,
                               4.1666666666666664e-02, 1.6666666666666666e-01, 0.5};
    double p = c[0];
    for (int i = 1; i < 12; i++) p = p * r + c[i];
    double e = 1.0 + (r + r * r * p);
    int n = (int)k, half = n / 2;  // two factors: subnormal results and the upper end stay exact
    union { int64_t i; double f; } a, b;
    a.i = ((int64_t)half + 1023) << 52;
    b.i = ((int64_t)(n - half) + 1023) << 52;
    return e * a.f * b.f;
}

// x = 2^k·m, m in [√½, √2); log m = 2·atanh(s), s = (m−1)/(m+1), odd series to s^23.
double lk_log(double x) {
    if (x != x || x < 0) return NAN;
    if (x == 0) return -INFINITY;
    if (x == INFINITY) return x;
    union { double f; int64_t i; } u = {x};
    int k = 0;
    if (u.i < (1LL << 52)) {
        u.f = x * 18014398509481984.0;
        k = -54;
    }
    k += (int)(u.i >> 52) - 1023;
    u.i = (u.i & 0xfffffffffffffLL) | (1023LL << 52);
    if (u.f > 1.4142135623730951) {
        u.f *= 0.5;
        k++;
    }
    double s = (u.f - 1.0) / (u.f + 1.0), s2 = s * s, p = 0;
    for (int i = 23; i >= 3; i -= 2) p = (p + 1.0 / i) * s2;
    return k * 6.93147180369123816490e-01 + (2.0 * s + (2.0 * s * p + k * 1.90821492927058770002e-10));
}

// log(1 + y) for 0 ≤ y ≤ 1 as log of the sum with the rounding error of 1 + y put back.
double lk_log1pexp(double x) {
    double y = lk_exp(x > 0 ? -x : x), t = 1.0 + y;
    double l = lk_log(t) + (y - (t - 1.0)) / t;
    return x > 0 ? x + l : l;
}
