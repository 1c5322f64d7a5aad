// Swift's Mutex, as the thread sanitizer must see it (`make test-tsan` alone). What an uncontended lock does is compiled
// into our modules and seen; a contended one is taken and given back within libswiftSynchronization, which is not built
// for the sanitizer. These stand before the library's functions, call them, and say what they did.
#if __has_feature(thread_sanitizer)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

extern void __tsan_acquire(void *at);
extern void __tsan_release(void *at);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lk_lock_slow(uint32_t thread, SELF void *handle) __asm__(LOCK);
SWIFT bool lk_try_lock_slow(SELF void *handle) __asm__(TRY);
SWIFT void lk_unlock_slow(SELF void *handle) __asm__(UNLOCK);

SWIFT void lk_lock_slow(uint32_t thread, SELF void *handle) {
    ((SWIFT void (*)(uint32_t, SELF void *))dlsym(RTLD_NEXT, LOCK))(thread, handle);
    __tsan_acquire(handle);
}

SWIFT bool lk_try_lock_slow(SELF void *handle) {
    bool taken = ((SWIFT bool (*)(SELF void *))dlsym(RTLD_NEXT, TRY))(handle);
    if (taken) __tsan_acquire(handle);
    return taken;
}

SWIFT void lk_unlock_slow(SELF void *handle) {
    __tsan_release(handle);
    ((SWIFT void (*)(SELF void *))dlsym(RTLD_NEXT, UNLOCK))(handle);
}
#endif
