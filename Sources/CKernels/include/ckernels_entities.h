// Random effects: many small problems, solved several at a time. Contract as in ckernels.h: every lane does the same
// operations in the same order, so the bits depend neither on the machine nor on an entity's neighbours.
#ifndef LECTERN_CKERNELS_ENTITIES_H
#define LECTERN_CKERNELS_ENTITIES_H
#include <stddef.h>
#include <stdint.h>

/// A bag of features: example i has row `row_of[i]` of the table, or row i where `row_of` is NULL; its columns are
/// counted from `base`.
typedef struct {
    const ptrdiff_t *offsets;
    const uint32_t *columns;
    const float *values;
    const uint32_t *row_of;
    uint32_t base;
} lk_bag;

/// Finds the features that occur in some examples: `features` receives their numbers, ascending, and at last `intercept`,
/// which every row has and no bag stores. Returns how many. seen: (intercept >> 6) + 1 words and summary: (intercept >> 12)
/// + 1 words, all 0, and left so.
size_t lk_entity_features(size_t rows, const uint32_t *examples, size_t bags, const lk_bag *bag, uint32_t intercept,
                          uint32_t *features, uint64_t *seen, uint64_t *summary);

/// The rows of all entities of a random effect, read where they are: entity e has rows `row_offsets[e]..<row_offsets[e + 1]`,
/// row i is that of example `examples[i]`, its bags side by side and an intercept of 1. Here a bag's `row_of` is by row i, not
/// by example, so that it is read in turn. The entity's features are
/// `feature_offsets[e]..<feature_offsets[e + 1]` of `features` (`lk_entity_features`), and its values are multiplied by
/// `scale` at the same positions, unless that is NULL.
typedef struct {
    const ptrdiff_t *row_offsets;
    const uint32_t *examples;
    const ptrdiff_t *feature_offsets;
    const uint32_t *features;
    const double *scale;
    size_t bag_count;
    const lk_bag *bags;
} lk_entities;

/// out = X·v for one entity; v: by its features. dense: room for a number per feature of the bags and the intercept.
void lk_entity_multiply(const lk_entities *x, size_t entity, const double *v, double *dense, double *out);
/// g += Xᵀ·r, with `squared` (X∘X)ᵀ·r; r: by the entity's rows.
void lk_entity_transposed(const lk_entities *x, size_t entity, const double *r, int squared, double *dense, double *g);
/// Non-zeros of one entity, the intercept's included, and X itself: row i has `columns`, positions among the entity's
/// features, and `values` at `starts[i]..<starts[i + 1]`. local: room for a number per feature of the bags and the intercept.
size_t lk_entity_nonzeros(const lk_entities *x, size_t entity);
void lk_entity_matrix(const lk_entities *x, size_t entity, uint32_t *local, ptrdiff_t *starts, uint32_t *columns,
                      double *values);

/// Entities that one call solves.
#define LK_ENTITY_LANES 8
/// Doubles of scratch for entities of at most m rows and n features.
size_t lk_entity_scratch(size_t m, size_t n);

/// Minimises f(θ) = Σ_i w_i·ℓ(o_i + x_i·θ, y_i) + (λ/2)·‖θ‖² for 1 to 8 entities, one per lane, in the dual form θ = Xᵀ·α:
/// Newton's method with step halving (Rasmussen, Williams: Gaussian Processes for Machine Learning, 2006, algorithm 3.1, K
/// = X·Xᵀ). m and n: most rows and features among them; the rows that others lack have weight 0 and change nothing.
///
/// labels, weights, offsets: by example. weight_scale: factor of all weights of each entity. alpha (by row) is where it
/// starts and ends; theta (by feature) and scores = X·θ (by example) are written. The last step is the first whose decrement
/// gᵀH⁻¹g was at most `decrement`. local: room for a number per feature of the bags and the intercept.
void lk_entities_newton(const lk_entities *x, const uint8_t *labels, const float *weights, const double *offsets,
                        size_t count, const uint32_t *entities, const double *weight_scale, size_t m, size_t n, double l2,
                        double decrement, int most_steps, double *alpha, double *theta, double *scores, double *scratch,
                        uint32_t *local);

/// Asks the system to back a large block of memory that is about to be filled with large pages.
void lk_expect_filling(void *memory, size_t bytes);
#endif
