// Inner loops of the towers' training step; contract in ckernels_tower.h.
#include "ckernels_tower.h"
#include "clones.h"
#include "ckernels.h"
#include "exp.h"
#include <math.h>
#pragma STDC FP_CONTRACT OFF

// Columns [0, 16·vectors) of the sum. The rows lie far apart: the one that is due in a while is asked for early.
INLINE void columns(size_t vectors, size_t n, const uint32_t *rows, const int32_t *slot, const float *weights,
                    size_t width, const float *table, float *out) {
    enum { AHEAD = 6 };
    v16 sum[4];
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) sum[v] = *(const v16 *)(out + 16 * v);
    for (size_t k = 0; k < n; k++) {
        if (k + AHEAD < n) {
            int64_t next = slot ? slot[rows[k + AHEAD]] : (int64_t)rows[k + AHEAD];
            if (next >= 0)
#pragma clang loop unroll(full)
                for (size_t v = 0; v < vectors; v++) __builtin_prefetch(table + (size_t)next * width + 16 * v);
        }
        int64_t row = slot ? slot[rows[k]] : (int64_t)rows[k];
        if (row < 0) continue;
        const float *from = table + (size_t)row * width;
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) sum[v] += (v16)(weights[k]) * *(const v16 *)(from + 16 * v);
    }
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) *(v16 *)(out + 16 * v) = sum[v];
}

CLONES void lk_weighted_rows(size_t n, const uint32_t *rows, const int32_t *slot, const float *weights, size_t width,
                             const float *table, float *out) {
    size_t c = 0;
    for (; c + 64 <= width; c += 64) columns(4, n, rows, slot, weights, width, table + c, out + c);
    for (; c + 16 <= width; c += 16) columns(1, n, rows, slot, weights, width, table + c, out + c);
    if (c == width) return;
    for (size_t k = 0; k < n; k++) {
        int64_t row = slot ? slot[rows[k]] : (int64_t)rows[k];
        if (row < 0) continue;
        for (size_t i = c; i < width; i++) out[i] += weights[k] * table[(size_t)row * width + i];
    }
}

// Σ log(1 + e^x) is the log of a product. Each of 16 lanes multiplies its factors, which lie in (1, 2], after the part
// max(x, 0) was taken out: 512 of them cannot overflow a double.
CLONES double lk_logistic(size_t n, float *x) {
    double sum = 0;
    for (size_t start = 0; start < n; start += 8192) {
        size_t end = start + 8192 < n ? start + 8192 : n, i = start;
        double product[16];
        float positive[16] = {0};
        for (int l = 0; l < 16; l++) product[l] = 1;
        for (; i + 16 <= end; i += 16) {
            float e[16];
            for (int l = 0; l < 16; l++) {
                float s = x[i + l], magnitude = s > 0 ? -s : s;
                positive[l] += s > 0 ? s : 0;
                e[l] = lk_exp_inline(magnitude);
                float inverse = 1 / (1 + e[l]);
                x[i + l] = s > 0 ? inverse : e[l] * inverse;
            }
            for (int l = 0; l < 16; l++) product[l] *= 1 + (double)e[l];
        }
        for (int l = 0; i < end; i++, l++) {
            float s = x[i], e = lk_exp_inline(s > 0 ? -s : s), inverse = 1 / (1 + e);
            positive[l] += s > 0 ? s : 0;
            x[i] = s > 0 ? inverse : e * inverse;
            product[l] *= 1 + (double)e;
        }
        for (int l = 0; l < 16; l++) sum += lk_log(product[l]) + (double)positive[l];
    }
    return sum;
}

CLONES void lk_fill_from(size_t n, const int32_t *rank, int32_t first, float value, float *x) {
    for (size_t i = 0; i < n; i++) x[i] = rank[i] >= first ? value : x[i];
}

CLONES void lk_relu_gradient(size_t n, float scale, const float *unit, float *g) {
    for (size_t i = 0; i < n; i++) g[i] = unit[i] > 0 ? scale * g[i] : 0;
}
