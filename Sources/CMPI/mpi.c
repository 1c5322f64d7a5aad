// Compiled to nothing unless the package is built with the trait MPI.
#ifdef LECTERN_MPI

#include "cmpi.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int ranks;

void lmpi_start(int *rank, int *count) {
    int level;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, count);
    ranks = *count;
}

void lmpi_stop(void) { MPI_Finalize(); }

void lmpi_host(char *out, int size) {
    char name[MPI_MAX_PROCESSOR_NAME];
    int length;
    MPI_Get_processor_name(name, &length);
    strncpy(out, name, (size_t)size - 1);
    out[size - 1] = 0;
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Open MPI makes progress only inside its calls: so each sleep is a sixteenth of the time waited so far, at most 10 ms.
static void wait_asleep(MPI_Request *request) {
    int64_t start = nanoseconds();
    for (;;) {
        int done;
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done) return;
        int64_t pause = (nanoseconds() - start) / 16;
        if (pause < 20000) {
            sched_yield();
            continue;
        }
        if (pause > 10000000) pause = 10000000;
        struct timespec sleep = {0, pause};
        nanosleep(&sleep, NULL);
    }
}

void lmpi_gather_number(int64_t own, int64_t *all) {
    MPI_Request request;
    MPI_Iallgather(&own, 1, MPI_INT64_T, all, 1, MPI_INT64_T, MPI_COMM_WORLD, &request);
    wait_asleep(&request);
}

// MPI counts by int: what does not fit goes rank by rank, in pieces.
static void share_large(char *base, const int64_t *starts, const int64_t *counts) {
    const int64_t piece = 1 << 30;
    for (int rank = 0; rank < ranks; rank++) {
        for (int64_t at = 0; at < counts[rank]; at += piece) {
            int64_t left = counts[rank] - at;
            MPI_Request request;
            MPI_Ibcast(
                base + starts[rank] + at, (int)(left < piece ? left : piece), MPI_BYTE, rank, MPI_COMM_WORLD, &request);
            wait_asleep(&request);
        }
    }
}

void lmpi_share(void *base, const int64_t *starts, const int64_t *counts) {
    int fits = 1;
    for (int rank = 0; rank < ranks; rank++) fits &= starts[rank] + counts[rank] < INT_MAX;
    if (!fits) {
        share_large(base, starts, counts);
        return;
    }
    int *numbers = malloc(2 * sizeof(int) * (size_t)ranks);
    for (int rank = 0; rank < ranks; rank++) {
        numbers[rank] = (int)counts[rank];
        numbers[ranks + rank] = (int)starts[rank];
    }
    MPI_Request request;
    MPI_Iallgatherv(
        MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, base, numbers, numbers + ranks, MPI_BYTE, MPI_COMM_WORLD, &request);
    wait_asleep(&request);
    free(numbers);
}

#endif
