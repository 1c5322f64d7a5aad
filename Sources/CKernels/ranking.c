// Selection fused with the last sum of a score; contract in ckernels_ranking.h.
#include "ckernels_ranking.h"
#include "clones.h"
#pragma STDC FP_CONTRACT OFF

typedef _Bool b16 __attribute__((ext_vector_type(16)));

// Survivors are rare: 16 elements are summed and compared at once, and only those that pass are looked at.
CLONES size_t lk_select_sum(size_t n, size_t m, const float *const *columns, const float *weights, float threshold,
                            int32_t base, int32_t *out, float *scores) {
    size_t count = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 z = (v16)(weights[0]) * *(const v16 *)(columns[0] + i);
        for (size_t j = 1; j < m; j++) z += (v16)(weights[j]) * *(const v16 *)(columns[j] + i);
        unsigned passed = __builtin_bit_cast(unsigned short, __builtin_convertvector(z >= (v16)(threshold), b16));
        if (!passed) continue;
        float each[16];
        *(v16 *)each = z;
        for (; passed; passed &= passed - 1) {
            int l = __builtin_ctz(passed);
            out[count] = base + (int32_t)i + l;
            scores[count++] = each[l];
        }
    }
    for (; i < n; i++) {
        float z = weights[0] * columns[0][i];
        for (size_t j = 1; j < m; j++) z += weights[j] * columns[j][i];
        if (!(z >= threshold)) continue;
        out[count] = base + (int32_t)i;
        scores[count++] = z;
    }
    return count;
}

// A transpose is four perfect shuffles of its 16 rows.
INLINE void transpose(v16 *r) {
    v16 t[16];
#pragma clang loop unroll(full)
    for (int round = 0; round < 4; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            t[2 * i] = __builtin_shufflevector(r[i], r[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            t[2 * i + 1] =
                __builtin_shufflevector(r[i], r[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) r[i] = t[i];
    }
}

INLINE void sparse(size_t vectors, size_t rows, const int64_t *offsets, const uint32_t *columns, const float *values,
                   const float *start, const float *own, const float *x, float *out, size_t out_row) {
    v16 made[4][16];
    for (size_t first = 0; first < rows; first += 16) {
        size_t count = rows - first < 16 ? rows - first : 16;
        for (size_t r = 0; r < count; r++) {
            v16 sum[4];
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) sum[v] = (v16)(start[first + r]) + *(const v16 *)(own + 16 * v);
            for (int64_t k = offsets[first + r]; k < offsets[first + r + 1]; k++) {
                const float *from = x + columns[k] * 16 * vectors;
#pragma clang loop unroll(full)
                for (size_t v = 0; v < vectors; v++)
                    sum[v] = __builtin_elementwise_fma((v16)(values[k]), *(const v16 *)(from + 16 * v), sum[v]);
            }
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) made[v][r] = sum[v];
        }
        for (size_t v = 0; v < vectors; v++) {
            for (size_t r = count; r < 16; r++) made[v][r] = (v16)(0.0f);
            transpose(made[v]);
            for (size_t l = 0; l < 16; l++) *(v16 *)(out + (16 * v + l) * out_row + first) = made[v][l];
        }
    }
}

CLONES void lk_sparse_product(size_t rows, size_t vectors, const int64_t *offsets, const uint32_t *columns,
                              const float *values, const float *start, const float *own, const float *x, float *out,
                              size_t out_row) {
    switch (vectors) {
        case 1: sparse(1, rows, offsets, columns, values, start, own, x, out, out_row); break;
        case 2: sparse(2, rows, offsets, columns, values, start, own, x, out, out_row); break;
        case 3: sparse(3, rows, offsets, columns, values, start, own, x, out, out_row); break;
        case 4: sparse(4, rows, offsets, columns, values, start, own, x, out, out_row); break;
    }
}
