/* The C library's caller in the tests, with what version 1 has: `client JOB ...`; NativeClientTests.cs starts it. */
#include <math.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* describe PATCHES SIDE FLOATS BITS [DEVICE]: describes a file of patches into two others. */
static int describe(char **words, int count)
{
    cl2_device *device;
    cl2_model *model;
    open_both(count > 4 ? words[4] : "cpu", &device, &model);
    cl2_model_info info;
    good(api->model_info(model, &info));
    FILE *file = fopen(words[0], "rb");
    CHECK(file != NULL);
    int side = atoi(words[1]);
    uint8_t *data = malloc(1 << 26);
    int64_t n = (int64_t)fread(data, 1, 1 << 26, file) / (side * side);
    fclose(file);
    cl2_patches patches = {.data = data, .count = n, .side = side, .type = CL2_U8};
    float *floats = malloc((size_t)(n * info.dimension) * sizeof(float));
    uint8_t *bits = malloc((size_t)(n * info.binary_bytes));
    good(api->describe(model, &patches, floats, n * info.dimension));
    good(api->describe_bits(model, &patches, bits, n * info.binary_bytes));
    file = fopen(words[2], "wb");
    CHECK(file != NULL && fwrite(floats, sizeof(float), (size_t)(n * info.dimension), file) == (size_t)(n * info.dimension) && fclose(file) == 0);
    file = fopen(words[3], "wb");
    CHECK(file != NULL && fwrite(bits, 1, (size_t)(n * info.binary_bytes), file) == (size_t)(n * info.binary_bytes) && fclose(file) == 0);
    good(api->model_release(model));
    good(api->device_release(device));
    free(data), free(floats), free(bits);
    return 0;
}

/* speed N: patches per second, best of five. */
static int speed(char **words)
{
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    int64_t n = atoll(words[0]);
    uint8_t *data = noise(n * 1024);
    float *floats = malloc((size_t)n * 128 * sizeof(float));
    cl2_patches patches = {.data = data, .count = n, .side = 32, .type = CL2_U8};
    double best = 1e30;
    for (int i = 0; i < 6; i++) {
        double start = seconds();
        good(api->describe(model, &patches, floats, n * 128));
        best = fmin(best, seconds() - start);
    }
    cl2_device_info info;
    good(api->device_info(device, &info));
    printf("%.0f patches/s, %s\n", (double)n / best, info.description);
    return 0;
}

static long resident(void)
{
    long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &all, &pages) == 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* many N: so many calls, good and bad, and handles opened and released, do not make the process grow. Prints the growth in KiB. */
static int many(char **words)
{
    long n = atol(words[0]), after_start = 0;
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    float descriptors[128];
    cl2_patches none = {.data = NULL, .count = 0, .side = 32, .type = CL2_U8}, wrong = none;
    wrong.side = 33;
    cl2_model_info info;
    for (long i = 0; i < n; i++) {
        switch (i & 3) {
        case 0:
            good(api->describe(model, &none, descriptors, 128));
            break;
        case 1:
            bad(api->describe(model, &wrong, descriptors, 128), CL2_INVALID_ARGUMENT);
            break;
        case 2:
            good(api->model_info(model, &info));
            break;
        default:
            bad(api->device_open("no such device", 0, NULL, (cl2_device **)&descriptors), CL2_INVALID_ARGUMENT);
            break;
        }
        if (i == n / 5) {
            after_start = resident();
        }
    }
    printf("%ld\n", resident() - after_start);
    return 0;
}

static void faults(void)
{
    cl2_device *device, *other;
    cl2_model *model;
    open_both("cpu", &device, &model);
    CHECK(cl2_get_api(0) == NULL && cl2_get_api(1000) == NULL && cl2_get_api(CL2_API_VERSION) == api);
    CHECK(api->size >= (int64_t)sizeof(cl2_api));
    CHECK(api->status_code(NULL) == CL2_OK && *api->status_text(NULL) == 0);
    api->status_release(NULL);
    good(api->device_release(NULL));
    good(api->model_release(NULL));
    bad(api->device_open("gpu", 0, NULL, &other), CL2_INVALID_ARGUMENT);
    CHECK(other == NULL);
    bad(api->device_open("cpu", -1, NULL, &other), CL2_INVALID_ARGUMENT);
    bad(api->device_open("cpu", 0, "float64", &other), CL2_INVALID_ARGUMENT);
    bad(api->device_open("cpu", 0, "bf16", &other), CL2_INVALID_ARGUMENT);
    bad(api->device_open("cpu", 0, NULL, NULL), CL2_INVALID_ARGUMENT);
    bad(api->device_info(device, NULL), CL2_INVALID_ARGUMENT);
    cl2_model *none;
    bad(api->model_load(device, "/no/such/file.safetensors", &none), CL2_NOT_FOUND);
    bad(api->model_load(device, NULL, &none), CL2_INVALID_ARGUMENT);
    bad(api->model_load(device, "", &none), CL2_INVALID_ARGUMENT);
    bad(api->model_load_memory(device, "garbage", 7, &none), CL2_INVALID_DATA);
    bad(api->model_load_memory(device, "garbage", -7, &none), CL2_INVALID_ARGUMENT);
    bad(api->model_load_memory(device, NULL, 7, &none), CL2_INVALID_ARGUMENT);
    bad(api->model_load_default((cl2_device *)model, &none), CL2_INVALID_HANDLE);
    CHECK(none == NULL);

    static float pixels[2 * 32 * 32], descriptors[2 * 128];
    uint8_t bits[32];
    cl2_patches patches = {.data = pixels, .count = 2, .side = 32, .type = CL2_F32};
    good(api->describe(model, &patches, descriptors, 256));
    good(api->describe_bits(model, &patches, bits, 32));
    bad(api->describe(model, &patches, descriptors, 255), CL2_INVALID_ARGUMENT);
    bad(api->describe(model, &patches, descriptors, -1), CL2_INVALID_ARGUMENT);
    bad(api->describe(model, &patches, NULL, 256), CL2_INVALID_ARGUMENT);
    bad(api->describe(model, &patches, (float *)((char *)descriptors + 1), 255), CL2_INVALID_ARGUMENT);
    bad(api->describe(model, NULL, descriptors, 256), CL2_INVALID_ARGUMENT);
    bad(api->describe(NULL, &patches, descriptors, 256), CL2_INVALID_HANDLE);
    bad(api->describe((cl2_model *)pixels, &patches, descriptors, 256), CL2_INVALID_HANDLE);
    bad(api->describe((cl2_model *)device, &patches, descriptors, 256), CL2_INVALID_HANDLE);
    bad(api->describe_bits(model, &patches, bits, 31), CL2_INVALID_ARGUMENT);
    bad(api->score(model, &patches, &patches, descriptors, 2), CL2_NOT_SUPPORTED);
    cl2_patches wrong[] = {patches, patches, patches, patches, patches, patches, patches};
    wrong[0].side = 31;
    wrong[1].type = CL2_BITS;
    wrong[2].count = -1;
    wrong[3].row_stride = 129;
    wrong[4].data = (char *)pixels + 2;
    wrong[5].white = NAN;
    wrong[6].count = INT64_MAX;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bad(api->describe(model, &wrong[i], descriptors, 256), CL2_INVALID_ARGUMENT);
    }
    pixels[1500] = NAN;
    bad(api->describe(model, &patches, descriptors, 256), CL2_INVALID_ARGUMENT);
    pixels[1500] = 0;

    cl2_descriptors set = {.data = descriptors, .count = 2, .dimension = 128, .type = CL2_F32}, empty = set, broken = set;
    empty.count = 0;
    empty.data = NULL;
    cl2_match matches[2];
    int64_t found = 7;
    good(api->match(device, &set, &set, 0, 1, matches, 2, &found));
    CHECK(found == 2 && matches[0].query == 0 && matches[0].distance == 0);
    good(api->match(device, &set, &empty, 0, 1, matches, 2, &found));
    CHECK(found == 0);
    bad(api->match(device, &set, &set, 0, 0, matches, 2, &found), CL2_INVALID_ARGUMENT);
    bad(api->match(device, &set, &set, 0, NAN, matches, 2, &found), CL2_INVALID_ARGUMENT);
    bad(api->match(device, &set, &set, 0, 1, matches, 1, &found), CL2_INVALID_ARGUMENT);
    bad(api->match(device, &set, NULL, 0, 1, matches, 2, &found), CL2_INVALID_ARGUMENT);
    broken.dimension = 64;
    bad(api->match(device, &set, &broken, 0, 1, matches, 2, &found), CL2_INVALID_ARGUMENT);
    broken.dimension = 128, broken.type = CL2_BITS, broken.data = bits, broken.dimension = 12;
    bad(api->match(device, &broken, &broken, 0, 1, matches, 2, &found), CL2_INVALID_ARGUMENT);
    descriptors[200] = INFINITY;
    bad(api->match(device, &set, &set, 0, 1, matches, 2, &found), CL2_INVALID_ARGUMENT);

    cl2_status *status = api->device_synchronize(NULL);
    CHECK(api->status_code(status) == CL2_INVALID_HANDLE);
    api->status_release(status);
    CHECK(api->status_code(status) == CL2_INVALID_HANDLE && strlen(api->status_text(status)) > 5);
    api->status_release(status);
    good(api->device_release(device));
    bad(api->device_release(device), CL2_INVALID_HANDLE);
    descriptors[200] = 0;
    bad(api->describe(model, &patches, descriptors, 256), CL2_INVALID_HANDLE);
    good(api->model_release(model));
    bad(api->model_release(model), CL2_INVALID_HANDLE);
}

static void *some(void **handles)
{
    switch (draw() % 8) {
    case 0:
        return NULL;
    case 1:
        return (void *)(uintptr_t)(draw() * 2654435761u | (draw() & 1));
    default:
        return handles[draw() % 16];
    }
}

static int64_t some_number(void)
{
    static const int64_t numbers[] = {0, 1, 2, 3, 8, 31, 32, 33, 64, 65, 128, 255, 256, 1024, -1, -4, -1024, INT32_MAX, INT64_MAX, INT64_MIN, 4096, 4};
    return numbers[draw() % (sizeof numbers / sizeof *numbers)];
}

/* fuzz SEED N: a caller that makes every mistake but one: arrays that it gives hold what it says that they hold. */
static int fuzz(char **words)
{
    enum { Most = 8, Area = 65 * 65 };
    state = (uint32_t)atol(words[0]);
    long n = atol(words[1]), refused = 0;
    void *handles[16] = {0};
    for (long i = 0; i < n; i++) {
        int place = (int)(draw() % 16), kind = (int)(draw() % 12);
        cl2_status *status = NULL;
        int64_t count = draw() % 4 ? draw() % Most : some_number(), side = draw() % 4 ? (draw() % 3 == 0 ? 64 : 32) : some_number();
        int type = draw() % 6 ? (int)(draw() % 2) : (int)some_number();
        int64_t fits = count >= 0 && count < Most ? count : 0;
        /* Exactly as large as it must be: one byte more that is read is found. */
        int64_t bytes = side == 32 || side == 64 || side == 65 ? fits * side * side * (type == CL2_F32 ? 4 : 1) : 0;
        uint8_t *data = noise(bytes);
        cl2_patches patches = {.data = draw() % 16 && fits == count ? data : NULL, .count = count, .side = (int32_t)side, .type = type,
                               .white = draw() % 8 ? 255 : NAN};
        if (draw() % 8 == 0) {
            patches.row_stride = side, patches.pixel_stride = draw() % 2, patches.patch_stride = 1 + draw() % 2;
            patches.count = fits ? 1 : 0;
            patches.type = CL2_U8;
        }
        int64_t capacity = draw() % 4 ? fits * 128 : draw() % 64;
        float *floats = malloc((size_t)capacity * sizeof(float) + 1);
        cl2_match *matches = malloc((size_t)capacity * sizeof(cl2_match) + 1);
        int64_t found;
        if (kind < 4) {
            api->status_release(api->device_release(handles[place]));
            api->status_release(api->model_release(handles[place]));
        }
        switch (kind) {
        case 0:
        case 1:
            status = api->device_open(draw() % 8 ? "cpu" : "\xff?", draw() % 16 ? 1 : (int32_t)some_number() % 64, NULL, (cl2_device **)&handles[place]);
            break;
        case 2:
            status = api->model_load_default(some(handles), (cl2_model **)&handles[place]);
            break;
        case 3:
            status = api->model_load_memory(some(handles), data, bytes, (cl2_model **)&handles[place]);
            break;
        case 4:
        case 5:
            status = api->describe(some(handles), draw() % 32 ? &patches : NULL, draw() % 32 ? floats : NULL, capacity);
            break;
        case 6:
            status = api->describe_bits(some(handles), &patches, (uint8_t *)floats, capacity * 4);
            break;
        case 7:
            status = api->score(some(handles), &patches, &patches, floats, capacity);
            break;
        case 8: {
            cl2_descriptors set = {.data = data, .count = fits, .dimension = 32, .type = CL2_BITS};
            set.count = bytes >= fits * 4 ? fits : 0;
            if (draw() % 4 == 0) {
                set.dimension = (int32_t)some_number(), set.count = 0;
            }
            status = api->match(some(handles), &set, &set, (int32_t)(draw() % 2), draw() % 4 ? 0.8 : -1, matches, capacity, draw() % 32 ? &found : NULL);
            break;
        }
        case 9:
            status = draw() % 2 ? api->device_release(handles[place]) : api->model_release(handles[place]);
            break;
        case 10: {
            cl2_model_info model;
            cl2_device_info device;
            status = draw() % 2 ? api->model_info(some(handles), &model) : api->device_info(some(handles), &device);
            break;
        }
        default:
            api->status_release(some(handles));
            CHECK(strlen(api->status_text(some(handles))) < 1000);
            break;
        }
        refused += status != NULL;
        CHECK(status == NULL || strlen(api->status_text(status)) > 5);
        CHECK(api->status_code(status) != CL2_INTERNAL);
        api->status_release(status);
        free(data), free(floats), free(matches);
    }
    for (int i = 0; i < 16; i++) {
        api->status_release(api->device_release(handles[i]));
        api->status_release(api->model_release(handles[i]));
    }
    CHECK(refused > n / 10 && refused < n);
    printf("%ld of %ld calls refused\n", refused, n);
    return 0;
}

static void on_fault(int number)
{
    static const char word[] = "the caller's handler\n";
    ssize_t written = write(1, word, sizeof word - 1);
    _exit(number == SIGSEGV && written > 0 ? 42 : 1);
}

/* signals: the caller's handler of faults, set before the library is loaded, gets the caller's faults. */
static int signals(void)
{
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    volatile int *nowhere = (volatile int *)16;
    return *nowhere;
}

int main(int count, char **words)
{
    CHECK(count > 1);
    const char *job = words[1];
    if (strcmp(job, "signals") == 0) {
        signal(SIGSEGV, on_fault);
    }
    double start = seconds();
    api = cl2_get_api(CL2_API_VERSION);
    CHECK(api != NULL);
    if (strcmp(job, "start") == 0) {
        cl2_device *device;
        good(api->device_open("cpu", 0, NULL, &device));
        printf("%.1f\n", 1e3 * (seconds() - start));
        return 0;
    }
    if (strcmp(job, "faults") == 0) {
        faults();
        return 0;
    }
    return strcmp(job, "describe") == 0 ? describe(words + 2, count - 2)
        : strcmp(job, "speed") == 0 ? speed(words + 2)
        : strcmp(job, "many") == 0 ? many(words + 2)
        : strcmp(job, "fuzz") == 0 ? fuzz(words + 2)
        : strcmp(job, "signals") == 0 ? signals()
        : 1;
}
