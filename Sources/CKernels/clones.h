// What kernel files share: a function compiled for several processors, chosen at start, and sixteen floats.
#ifndef LECTERN_CLONES_H
#define LECTERN_CLONES_H

// Not with the thread sanitizer: the choice is made before its runtime is there.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float v16 __attribute__((ext_vector_type(16), aligned(4)));
#endif
