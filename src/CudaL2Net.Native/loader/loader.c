/*
 * libcudal2net.so: takes the library that was compiled for this processor, cudal2net/LEVEL.so beside it. Machine code that is made ahead has one instruction
 * set; which one is chosen here, at the first call. CUDAL2NET_LEVEL names another level, to compare them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/cudal2net.h"

typedef const cl2_api *(*get_api)(uint32_t version);

static const char *const levels[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static get_api chosen;

/* The processor's features, and that the system keeps the registers. */
static int runs(int level)
{
    __builtin_cpu_init();
    int v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
    int v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return level == 0 ? v4 : level == 1 ? v3 : v2;
}

static get_api open_level(const char *folder, size_t length, const char *level)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%.*s/cudal2net/%s.so", (int)length, folder, level) >= (int)sizeof path) {
        return NULL;
    }

    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library == NULL ? NULL : (get_api)dlsym(library, "cl2_get_api");
}

static void choose(void)
{
    Dl_info self;
    if (dladdr((void *)(size_t)&cl2_get_api, &self) == 0 || self.dli_fname == NULL) {
        return;
    }

    const char *slash = strrchr(self.dli_fname, '/');
    const char *folder = slash == NULL ? "." : self.dli_fname;
    size_t length = slash == NULL ? 1 : (size_t)(slash - self.dli_fname);
    const char *asked = getenv("CUDAL2NET_LEVEL");
    for (int i = 0; i < 3 && chosen == NULL; i++) {
        if (runs(i) && (asked == NULL || *asked == 0 || strcmp(asked, levels[i]) == 0)) {
            chosen = open_level(folder, length, levels[i]);
        }
    }
}

__attribute__((visibility("default"))) const cl2_api *cl2_get_api(uint32_t version)
{
    pthread_once(&once, choose);
    return chosen == NULL ? NULL : chosen(version);
}
