// Random effects, entity by entity and eight at a time; contract in ckernels_entities.h.
#include "ckernels.h"
#include "lanes.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

void lk_expect_filling(void *memory, size_t bytes) {
#if defined(__linux__)
    uintptr_t page = 4096, from = ((uintptr_t)memory + page - 1) & ~(page - 1), to = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (bytes >= 1 << 22) madvise((void *)from, to - from, MADV_HUGEPAGE);  // advice: failing changes nothing
#endif
}

// Features ascend within a bag's row, so a word of `seen` is put together in a register.
size_t lk_entity_layout(size_t rows, const uint32_t *examples, size_t bags, const lk_bag *bag, uint32_t intercept,
                        const ptrdiff_t *starts, uint32_t *columns, float *values, uint32_t *features, uint64_t *seen,
                        uint64_t *summary, uint32_t *local) {
    for (size_t i = 0; i < rows; i++) {
        ptrdiff_t at = starts[i];
        uint32_t word = 0;
        uint64_t bits = 0;
        for (size_t b = 0; b < bags; b++) {
            size_t row = bag[b].row_of ? bag[b].row_of[examples[i]] : examples[i];
            for (ptrdiff_t from = bag[b].offsets[row]; from < bag[b].offsets[row + 1]; from++, at++) {
                uint32_t feature = bag[b].base + bag[b].columns[from];
                if (feature >> 6 != word) {
                    if (bits) seen[word] |= bits, summary[word >> 6] |= 1ull << (word & 63);
                    word = feature >> 6, bits = 0;
                }
                bits |= 1ull << (feature & 63);
                columns[at] = feature;
                values[at] = bag[b].values[from];
            }
        }
        if (bits) seen[word] |= bits, summary[word >> 6] |= 1ull << (word & 63);
        values[at] = 1;
    }
    uint32_t count = 0;
    for (uint32_t s = 0; s <= intercept >> 12; s++)
        for (uint64_t words = summary[s]; words; words &= words - 1) {
            uint32_t word = s << 6 | (uint32_t)__builtin_ctzll(words);
            for (uint64_t bits = seen[word]; bits; bits &= bits - 1) {
                uint32_t feature = word << 6 | (uint32_t)__builtin_ctzll(bits);
                local[feature] = count;
                features[count++] = feature;
            }
            seen[word] = 0;
        }
    memset(summary, 0, ((intercept >> 12) + 1) * sizeof *summary);
    features[count] = intercept;
    int renumbers = count && features[count - 1] != count - 1;
    for (size_t i = 0; i < rows; i++) {
        ptrdiff_t last = starts[i + 1] - 1;
        if (renumbers)
            for (ptrdiff_t at = starts[i]; at < last; at++) columns[at] = local[columns[at]];
        columns[last] = count;
    }
    return count + 1;
}

// Everything of one call; arrays of m unless said otherwise.
typedef struct {
    size_t m, n;
    v8 *kernel;  // m × m
    v8 *factor;  // lower triangle, row after row
    v8 *x;       // m × n if dense, else n doubles
    v8 *inverse;  // 1 over the factor's diagonal
    v8 *alpha, *margins, *known, *weight, *first, *second, *root, *b, *step, *step_margins;
    i8 *positive;
} batch;

enum { MOST_DENSE = 4096 };

size_t lk_entity_scratch(size_t m, size_t n) {
    size_t dense = m * n < MOST_DENSE ? m * n : MOST_DENSE;
    return LANES * (m * m + m * (m + 1) / 2 + dense + 12 * m) + n;
}

static void lay_out(batch *w, double *scratch) {
    size_t m = w->m;
    v8 *at = (v8 *)scratch;
    w->kernel = at, at += m * m;
    w->factor = at, at += m * (m + 1) / 2;
    v8 **vectors[] = {&w->inverse, &w->alpha, &w->margins, &w->known, &w->weight, &w->first,
                      &w->second, &w->root, &w->b, &w->step, &w->step_margins};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) *vectors[v] = at, at += m;
    w->positive = (i8 *)at, at += m;
    w->x = at;
}

// K = X·Xᵀ by dense rows of all lanes, a column after the other.
INLINE void dense_kernel(const batch *w, const lk_entities *x, size_t count, const uint32_t *entities) {
    size_t m = w->m, n = w->n;
    memset(w->x, 0, m * n * sizeof(v8));
    for (size_t lane = 0; lane < count; lane++) {
        ptrdiff_t first = x->row_offsets[entities[lane]], rows = x->row_offsets[entities[lane] + 1] - first;
        for (ptrdiff_t i = 0; i < rows; i++) {
            double *row = (double *)(w->x + i * n) + lane;
            for (ptrdiff_t at = x->starts[first + i]; at < x->starts[first + i + 1]; at++)
                row[x->columns[at] * LANES] = x->values[at];
        }
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            const v8 *a = w->x + i * n, *b = w->x + j * n;
            v8 s = 0.0;
            for (size_t c = 0; c < n; c++) s += a[c] * b[c];
            w->kernel[i * m + j] = w->kernel[j * m + i] = s;
        }
}

// The same sums, zeros left out, for one lane.
INLINE void sparse_kernel(const batch *w, const lk_entities *x, size_t lane, uint32_t entity) {
    double *row = (double *)w->x, *kernel = (double *)w->kernel + lane;
    ptrdiff_t first = x->row_offsets[entity], rows = x->row_offsets[entity + 1] - first, m = w->m;
    memset(row, 0, w->n * sizeof *row);
    for (ptrdiff_t i = 0; i < rows; i++) {
        for (ptrdiff_t at = x->starts[first + i]; at < x->starts[first + i + 1]; at++)
            row[x->columns[at]] = x->values[at];
        for (ptrdiff_t j = 0; j <= i; j++) {
            double s = 0;
            for (ptrdiff_t at = x->starts[first + j]; at < x->starts[first + j + 1]; at++)
                s += row[x->columns[at]] * (double)x->values[at];
            kernel[(i * m + j) * LANES] = kernel[(j * m + i) * LANES] = s;
        }
        for (ptrdiff_t at = x->starts[first + i]; at < x->starts[first + i + 1]; at++) row[x->columns[at]] = 0;
    }
}

INLINE void gather(const batch *w, const lk_entities *x, size_t count, const uint32_t *entities, const double *scale,
                   const double *alpha) {
    memset(w->alpha, 0, w->m * sizeof(v8));
    memset(w->known, 0, w->m * sizeof(v8));
    memset(w->weight, 0, w->m * sizeof(v8));
    memset(w->positive, 0, w->m * sizeof(i8));
    ptrdiff_t nonzeros = 0;
    for (size_t lane = 0; lane < count; lane++) {
        ptrdiff_t first = x->row_offsets[entities[lane]], end = x->row_offsets[entities[lane] + 1];
        nonzeros += (x->starts[end] - x->starts[first]) / (end - first);
        for (ptrdiff_t i = 0; i < end - first; i++) {
            uint32_t example = x->examples[first + i];
            ((double *)(w->alpha + i))[lane] = alpha[first + i];
            ((double *)(w->known + i))[lane] = x->offsets[example];
            ((double *)(w->weight + i))[lane] = scale[lane] * (double)x->weights[example];
            ((int64_t *)(w->positive + i))[lane] = x->labels[example] ? -1 : 0;
        }
    }
    // what is cheaper: eight lanes with all zeros, or one after the other without
    if (w->m * w->n <= MOST_DENSE && w->n * count <= 6 * (size_t)nonzeros)
        return dense_kernel(w, x, count, entities);
    memset(w->kernel, 0, w->m * w->m * sizeof(v8));
    for (size_t lane = 0; lane < count; lane++) sparse_kernel(w, x, lane, entities[lane]);
}

INLINE void multiply(const batch *w, const v8 *v, v8 *out) {
    for (size_t i = 0; i < w->m; i++) {
        v8 s = 0.0;
        for (size_t j = 0; j < w->m; j++) s += w->kernel[i * w->m + j] * v[j];
        out[i] = s;
    }
}

INLINE v8 product(const batch *w, const v8 *a, const v8 *b) {
    v8 s = 0.0;
    for (size_t i = 0; i < w->m; i++) s += a[i] * b[i];
    return s;
}

// Σ w·ℓ at margins + size·step_margins; the derivatives there in the lanes of `taken`.
INLINE v8 loss(const batch *w, v8 size, i8 taken) {
    v8 total = 0.0;
    for (size_t i = 0; i < w->m; i++) {
        v8 first, second, z = w->known[i] + (w->margins[i] + size * w->step_margins[i]);
        total += logistic(z, w->positive[i], w->weight[i], (double *)&first, (double *)&second);
        w->first[i] = taken ? first : w->first[i];
        w->second[i] = taken ? second : w->second[i];
    }
    return total;
}

// B = λI + S·K·S = L·Lᵀ, S = √second. Returns the lanes in which B is positive definite.
INLINE i8 factor(const batch *w, double l2) {
    i8 good = -1;
    for (size_t i = 0; i < w->m; i++) w->root[i] = __builtin_elementwise_sqrt(w->second[i]);
    for (size_t i = 0; i < w->m; i++) {
        v8 *own = w->factor + i * (i + 1) / 2, scale = w->root[i];
        const v8 *kernel = w->kernel + i * w->m;
        for (size_t j = 0; j < i; j++) {
            const v8 *other = w->factor + j * (j + 1) / 2;
            v8 s = scale * w->root[j] * kernel[j];
            for (size_t k = 0; k < j; k++) s -= own[k] * other[k];
            own[j] = s * w->inverse[j];
        }
        v8 s = scale * scale * kernel[i] + l2;
        for (size_t k = 0; k < i; k++) s -= own[k] * own[k];
        good &= s > 0.0;
        w->inverse[i] = 1.0 / __builtin_elementwise_sqrt(s > 0.0 ? s : (v8)1.0);
    }
    return good;
}

// L·Lᵀ·x = b in the place of b.
INLINE void solve(const batch *w, v8 *b) {
    for (size_t i = 0; i < w->m; i++) {
        const v8 *row = w->factor + i * (i + 1) / 2;
        v8 s = b[i];
        for (size_t k = 0; k < i; k++) s -= row[k] * b[k];
        b[i] = s * w->inverse[i];
    }
    for (size_t i = w->m; i-- > 0;) {
        const v8 *row = w->factor + i * (i + 1) / 2;
        v8 x = b[i] * w->inverse[i];
        b[i] = x;
        for (size_t k = 0; k < i; k++) b[k] -= row[k] * x;
    }
}

INLINE int any(i8 x) {
    int64_t bits = 0;
    for (int lane = 0; lane < LANES; lane++) bits |= x[lane];
    return bits != 0;
}

// step = α_new − α with α_new = (b − S·B⁻¹·S·K·b)/λ, b = second∘margins − first; false where rounding forbids it.
INLINE i8 newton_step(const batch *w, double l2) {
    size_t m = w->m;
    double inverse = 1 / l2;
    for (size_t i = 0; i < m; i++) w->b[i] = w->second[i] * w->margins[i] - w->first[i];
    i8 good = factor(w, l2);
    multiply(w, w->b, w->step);
    for (size_t i = 0; i < m; i++) w->step[i] *= w->root[i];
    solve(w, w->step);
    for (size_t i = 0; i < m; i++) w->step[i] = (w->b[i] - w->root[i] * w->step[i]) * inverse - w->alpha[i];
    multiply(w, w->step, w->step_margins);
    return good;
}

CLONES void lk_entities_newton(const lk_entities *x, size_t count, const uint32_t *entities, const double *weight_scale,
                               size_t m, size_t n, double l2, double decrement, int most_steps, double *alpha,
                               double *theta, double *scores, double *scratch) {
    batch work = {.m = m, .n = n}, *w = &work;
    lay_out(w, scratch);
    gather(w, x, count, entities, weight_scale, alpha);
    multiply(w, w->alpha, w->margins);
    memset(w->step_margins, 0, m * sizeof(v8));
    i8 running = {0, 1, 2, 3, 4, 5, 6, 7};
    running = running < (int64_t)count;
    v8 f = loss(w, 0.0, running) + 0.5 * l2 * product(w, w->alpha, w->margins);
    for (int taken = 0; taken < most_steps && any(running); taken++) {
        running &= newton_step(w, l2);
        v8 slope = 0.0;
        for (size_t i = 0; i < m; i++) slope += w->step_margins[i] * (l2 * w->alpha[i] + w->first[i]);
        running &= slope < 0.0;
        v8 aa = product(w, w->alpha, w->margins), ad = product(w, w->step, w->margins);
        v8 dd = product(w, w->step, w->step_margins), size = 1.0;
        // each lane halves its own step until f falls by 10⁻⁴ of what the slope promises (Armijo)
        i8 searching = running;
        while (any(searching)) {
            v8 value = loss(w, size, searching) + 0.5 * l2 * (aa + 2 * size * ad + size * size * dd);
            i8 falls = value <= f + 1e-4 * size * slope;
            f = searching & falls ? value : f;
            searching &= ~falls;
            // a slope below the rounding of f cannot be seen in f any more
            v8 size_of_f = f < 0.0 ? -f : f;
            i8 lost = searching & (-slope <= 1e-13 * size_of_f | size < 2e-9);
            searching &= ~lost;
            running &= ~lost;
            size = searching ? 0.5 * size : size;
        }
        v8 length = running ? size : (v8)0.0;
        for (size_t i = 0; i < m; i++) {
            w->alpha[i] = running ? w->alpha[i] + length * w->step[i] : w->alpha[i];
            w->margins[i] = running ? w->margins[i] + length * w->step_margins[i] : w->margins[i];
        }
        running &= -slope > decrement;
    }
    for (size_t lane = 0; lane < count; lane++) {
        ptrdiff_t first = x->row_offsets[entities[lane]], rows = x->row_offsets[entities[lane] + 1] - first;
        ptrdiff_t base = x->feature_offsets[entities[lane]];
        memset(theta + base, 0, (x->feature_offsets[entities[lane] + 1] - base) * sizeof *theta);
        for (ptrdiff_t i = 0; i < rows; i++) {
            double a = ((double *)(w->alpha + i))[lane];
            alpha[first + i] = a;
            scores[x->examples[first + i]] = ((double *)(w->margins + i))[lane];
            for (ptrdiff_t at = x->starts[first + i]; at < x->starts[first + i + 1]; at++)
                theta[base + x->columns[at]] += a * (double)x->values[at];
        }
    }
}
