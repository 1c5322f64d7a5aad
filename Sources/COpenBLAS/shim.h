// Debian's pkg-config path for OpenBLAS puts its own cblas.h (with openblas_set_num_threads) first.
#include <cblas.h>
