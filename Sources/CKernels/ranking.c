// Selection fused with the last sum of a score; contract in ckernels_ranking.h.
#include "ckernels_ranking.h"
#include "clones.h"
#pragma STDC FP_CONTRACT OFF

typedef float v8 __attribute__((ext_vector_type(8), aligned(4)));
typedef double d8 __attribute__((ext_vector_type(8), aligned(8)));
typedef _Bool b8 __attribute__((ext_vector_type(8)));

INLINE uint64_t reached(const v8 *z, float threshold) {
    return __builtin_bit_cast(uint8_t, __builtin_convertvector(*z >= (v8)(threshold), b8));
}

// Sums of 8·vectors elements, and a bit for each that passes.
INLINE uint64_t passed(size_t vectors, size_t m, const float *const *columns, const float *weights, float threshold,
                       size_t i, float *each) {
    v8 z[8];
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) z[v] = (v8)(weights[0]) * *(const v8 *)(columns[0] + i + 8 * v);
    for (size_t j = 1; j < m; j++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) z[v] += (v8)(weights[j]) * *(const v8 *)(columns[j] + i + 8 * v);
    uint64_t bits = 0;
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) bits |= reached(&z[v], threshold) << 8 * v;
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) *(v8 *)(each + 8 * v) = z[v];
    return bits;
}

// The same where the sum is one column.
INLINE uint64_t passed_plain(size_t vectors, const float *column, float threshold) {
    uint64_t bits = 0;
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) bits |= reached((const v8 *)(column + 8 * v), threshold) << 8 * v;
    return bits;
}

// How many pass is anybody's guess, so two places are filled without asking: a wrong guess costs more than both.
INLINE size_t keep(uint64_t bits, uint64_t last, const float *each, int32_t first, int32_t *out, float *scores) {
    size_t count = 0;
#pragma clang loop unroll(full)
    for (int k = 0; k < 2; k++, bits &= bits - 1) {
        int l = __builtin_ctzll(bits | last);
        out[count] = first + l;
        scores[count] = each[l];
        count += bits != 0;
    }
    for (; bits; bits &= bits - 1) {
        int l = __builtin_ctzll(bits);
        out[count] = first + l;
        scores[count++] = each[l];
    }
    return count;
}

INLINE size_t select_group(size_t vectors, size_t m, const float *const *columns, const float *weights, float threshold,
                           uint64_t allowed, int32_t base, size_t i, int32_t *out, float *scores) {
    float sums[64];
    const float *each = sums;
    uint64_t bits;
    if (m == 1 && weights[0] == 1.0f) {
        each = columns[0] + i;
        bits = passed_plain(vectors, each, threshold);
    } else {
        bits = passed(vectors, m, columns, weights, threshold, i, sums);
    }
    return keep(bits & allowed, 1ull << (8 * vectors - 1), each, base + (int32_t)i, out, scores);
}

CLONES size_t lk_select_sum(size_t n, size_t m, const float *const *columns, const float *weights, float threshold,
                            const uint64_t *allowed, int32_t base, int32_t *out, float *scores) {
    size_t count = 0, i = 0;
    for (; i + 64 <= n; i += 64)
        count += select_group(8, m, columns, weights, threshold, allowed ? allowed[i / 64] : ~0ull, base, i, out + count,
                              scores + count);
    for (; i + 16 <= n; i += 16)
        count += select_group(2, m, columns, weights, threshold, allowed ? allowed[i / 64] >> i % 64 : ~0ull, base, i,
                              out + count, scores + count);
    for (; i < n; i++) {
        float z = weights[0] * columns[0][i];
        for (size_t j = 1; j < m; j++) z += weights[j] * columns[j][i];
        if (!(z >= threshold) || (allowed && !(allowed[i / 64] >> i % 64 & 1))) continue;
        out[count] = base + (int32_t)i;
        scores[count++] = z;
    }
    return count;
}

CLONES void lk_masked_sums(size_t rows, size_t n, const float *x, size_t x_row, const float *mask, double *sums) {
    for (size_t r = 0; r < rows; r++, x += x_row, sums += 8) {
        v8 even = 0.0f, odd = 0.0f;
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            even += *(const v8 *)(x + i) * *(const v8 *)(mask + i);
            odd += *(const v8 *)(x + i + 8) * *(const v8 *)(mask + i + 8);
        }
        for (; i < n; i++) even[i % 8] += x[i] * mask[i];
        *(d8 *)sums += __builtin_convertvector(even + odd, d8);
    }
}

CLONES void lk_max_sum(size_t n, size_t parts, size_t m, const float *const *columns, const float *weights, float *out) {
    for (size_t i = 0; i < n; i += 16) {
        v16 best = (v16)(-__builtin_inff());
        for (size_t at = i; at < parts * n; at += n) {
            v16 z = (v16)(weights[0]) * *(const v16 *)(columns[0] + at);
            for (size_t j = 1; j < m; j++) z += (v16)(weights[j]) * *(const v16 *)(columns[j] + at);
            best = z > best ? z : best;
        }
        *(v16 *)(out + i) = best;
    }
}

// As many panels at once as hide the latency of the multiply-add.
INLINE void weighted(size_t panels, size_t n, const uint32_t *rows, const float *weights, const float *table,
                     size_t panel, float *out) {
    v16 sum[4];
#pragma clang loop unroll(full)
    for (size_t p = 0; p < panels; p++) sum[p] = *(const v16 *)(out + 16 * p);
    for (size_t k = 0; k < n; k++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < panels; p++)
            sum[p] = __builtin_elementwise_fma((v16)(weights[k]), *(const v16 *)(table + p * panel + 16 * rows[k]), sum[p]);
#pragma clang loop unroll(full)
    for (size_t p = 0; p < panels; p++) *(v16 *)(out + 16 * p) = sum[p];
}

CLONES void lk_weighted_panels(size_t panels, size_t n, const uint32_t *rows, const float *weights, const float *table,
                               size_t panel, float *out) {
    size_t p = 0;
    for (; p + 4 <= panels; p += 4) weighted(4, n, rows, weights, table + p * panel, panel, out + 16 * p);
    for (; p < panels; p++) weighted(1, n, rows, weights, table + p * panel, panel, out + 16 * p);
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
