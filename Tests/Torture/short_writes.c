// Preloaded: every write of more than one byte passes on a part of it, every fifth is interrupted before it starts.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    static atomic_uint calls;
    if (!real) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (atomic_fetch_add(&calls, 1) % 5 == 4) {
        errno = EINTR;
        return -1;
    }
    return real(descriptor, bytes, count > 1 ? (count + 2) / 3 : count);
}
