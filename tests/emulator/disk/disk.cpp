// A disk that fails on purpose, for programs that are started with this library in LD_PRELOAD. It stands before the calls of the C library that .NET
// works on files with. Nothing happens until a test arms it, and then only to files below one folder.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <atomic>

#define API extern "C" __attribute__((visibility("default")))

namespace {
enum Kind {
    // One call fails: an error of the device.
    ErrorOnce,
    // From one write on there is no room; the write itself puts half of its bytes.
    Full,
    // From one call on everything fails, even to delete: what is on the disk then is what a process leaves that is killed there.
    Dead,
};
char g_folder[4096];
std::atomic<int> g_kind, g_armed;
std::atomic<long> g_calls, g_at;

bool below(const char* path) {
    size_t length = strlen(g_folder);
    return path && !strncmp(path, g_folder, length) && (path[length] == '/' || !path[length]);
}
bool below(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return false;
    path[length] = 0;
    return below(path);
}
// The error that a call gets, or 0.
int fault(bool concerned, bool writes, bool deletes) {
    if (!g_armed || !concerned) return 0;
    int kind = g_kind;
    if (kind == Full && !writes) return 0;
    if (deletes && kind != Dead) return 0;
    long call = deletes ? g_calls.load() : ++g_calls;
    return kind == ErrorOnce ? (call == g_at ? EIO : 0) : call >= g_at ? (kind == Full ? ENOSPC : EIO) : 0;
}
template <class Function>
Function next(const char* name) {
    return (Function)dlsym(RTLD_NEXT, name);
}
int fail(int error) {
    errno = error;
    return -1;
}
}  // namespace

API void disk_arm(const char* folder, int kind, long at) {
    g_armed = 0;
    snprintf(g_folder, sizeof g_folder, "%s", folder);
    g_kind = kind;
    g_calls = 0;
    g_at = at;
    g_armed = 1;
}
// The calls that could have failed since it was armed.
API long disk_disarm() {
    g_armed = 0;
    return g_calls;
}

#define OPEN(name)                                                            \
    API int name(const char* path, int flags, ...) {                          \
        static auto real = next<int (*)(const char*, int, ...)>(#name);       \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t mode = (mode_t)va_arg(rest, int);                              \
        va_end(rest);                                                         \
        if (int error = fault(below(path), false, false)) return fail(error); \
        return real(path, flags, mode);                                       \
    }
OPEN(open)
OPEN(open64)

#define WRITE(name, parameters, arguments, half)                                  \
    API ssize_t name parameters {                                                 \
        static auto real = next<ssize_t(*) parameters>(#name);                    \
        if (int error = fault(below(file), true, false)) {                        \
            if (g_kind == Full && g_calls == g_at && count > 1) return real half; \
            return fail(error);                                                   \
        }                                                                         \
        return real arguments;                                                    \
    }
WRITE(write, (int file, const void* bytes, size_t count), (file, bytes, count), (file, bytes, count / 2))
WRITE(pwrite, (int file, const void* bytes, size_t count, off_t at), (file, bytes, count, at), (file, bytes, count / 2, at))
WRITE(pwrite64, (int file, const void* bytes, size_t count, off64_t at), (file, bytes, count, at), (file, bytes, count / 2, at))

#define READ(name, parameters, arguments)                                     \
    API ssize_t name parameters {                                             \
        static auto real = next<ssize_t(*) parameters>(#name);                \
        if (int error = fault(below(file), false, false)) return fail(error); \
        return real arguments;                                                \
    }
READ(read, (int file, void* bytes, size_t count), (file, bytes, count))
READ(pread, (int file, void* bytes, size_t count, off_t at), (file, bytes, count, at))
READ(pread64, (int file, void* bytes, size_t count, off64_t at), (file, bytes, count, at))

#define CALL(name, parameters, arguments, concerned, writes, deletes)          \
    API int name parameters {                                                  \
        static auto real = next<int(*) parameters>(#name);                     \
        if (int error = fault(concerned, writes, deletes)) return fail(error); \
        return real arguments;                                                 \
    }
CALL(fsync, (int file), (file), below(file), true, false)
CALL(ftruncate, (int file, off_t length), (file, length), below(file), true, false)
CALL(ftruncate64, (int file, off64_t length), (file, length), below(file), true, false)
CALL(rename, (const char* from, const char* to), (from, to), below(to), false, false)
CALL(mkdir, (const char* path, mode_t mode), (path, mode), below(path), true, false)
CALL(unlink, (const char* path), (path), below(path), false, true)
