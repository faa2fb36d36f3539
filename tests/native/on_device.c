/* The C library on a program's own CUDA context, stream and memory: `on_device DRIVER`. The driver is the emulated one, or a GPU's. */
#include <dlfcn.h>

#include "check.h"
#include "dlpack.h"

typedef unsigned long long pointer; /* in the GPU's memory */

#define DRIVER(name, ...) static int (*name)(__VA_ARGS__)
DRIVER(cuInit, unsigned);
DRIVER(cuCtxCreate_v2, void **, unsigned, int);
DRIVER(cuCtxDestroy_v2, void *);
DRIVER(cuCtxGetCurrent, void **);
DRIVER(cuCtxSetCurrent, void *);
DRIVER(cuStreamCreate, void **, unsigned);
DRIVER(cuStreamSynchronize, void *);
DRIVER(cuStreamDestroy_v2, void *);
DRIVER(cuMemAlloc_v2, pointer *, size_t);
DRIVER(cuMemFree_v2, pointer);
DRIVER(cuMemcpyHtoD_v2, pointer, const void *, size_t);
DRIVER(cuMemcpyDtoH_v2, void *, pointer, size_t);
static long long (*emulator_get)(const char *); /* the emulated driver's only */

static void *find(void *driver, const char *name)
{
    void *function = dlsym(driver, name);
    CHECK(function != NULL);
    return function;
}

static pointer upload(const void *data, size_t bytes)
{
    pointer memory;
    CHECK(cuMemAlloc_v2(&memory, bytes) == 0 && cuMemcpyHtoD_v2(memory, data, bytes) == 0);
    return memory;
}

/* The calls so far that kept the host waiting; 0 where nobody counts them. */
static long long waits(void) { return emulator_get != NULL ? emulator_get("waits") : 0; }

enum { Count = 5, Side = 65, Small = 32 };

int main(int argc, char **words)
{
    api = cl2_get_api(CL2_API_VERSION);
    CHECK(argc == 2 && api != NULL);
    void *driver = dlopen(words[1], RTLD_NOW), *context, *stream, *current;
    CHECK(driver != NULL);
#define FIND(name) *(void **)&name = find(driver, #name)
    FIND(cuInit), FIND(cuCtxCreate_v2), FIND(cuCtxDestroy_v2), FIND(cuCtxGetCurrent), FIND(cuCtxSetCurrent), FIND(cuStreamCreate), FIND(cuStreamSynchronize);
    FIND(cuStreamDestroy_v2), FIND(cuMemAlloc_v2), FIND(cuMemFree_v2), FIND(cuMemcpyHtoD_v2), FIND(cuMemcpyDtoH_v2);
    *(void **)&emulator_get = dlsym(driver, "emulator_get");

    /* Without a context there is nothing to open a device on. */
    cl2_device *device, *cpu;
    cl2_model *model, *plain;
    CHECK(cuInit(0) == 0);
    bad(api->device_open_stream(NULL, 0, NULL, &device), CL2_CUDA);
    CHECK(device == NULL && cuCtxCreate_v2(&context, 0, 0) == 0 && cuStreamCreate(&stream, 1) == 0);
    bad(api->device_open_stream(stream, 0, "float64", &device), CL2_INVALID_ARGUMENT);
    good(api->device_open_stream(stream, 1, NULL, &device));
    good(api->model_load_default(device, &model));
    open_both("cpu", &cpu, &plain);
    CHECK(cuCtxGetCurrent(&current) == 0 && current == context);

    /* Patches of 65 x 65 bytes upside down, and the same as dense floats. */
    uint8_t *bytes = noise(Count * Side * Side);
    float *floats = malloc(Count * Side * Side * sizeof(float));
    for (int i = 0; i < Count * Side * Side; i++) {
        int patch = i / (Side * Side), y = i / Side % Side;
        floats[i] = (float)bytes[patch * Side * Side + (Side - 1 - y) * Side + i % Side] / 255;
    }
    cl2_patches host = {.data = floats, .count = Count, .side = Side, .type = CL2_F32, .white = 1};
    float expected[Count * 128], found[Count * 128];
    uint8_t bits[Count * 16], found_bits[Count * 16];
    good(api->describe(model, &host, expected, Count * 128));
    good(api->describe_bits(model, &host, bits, sizeof bits));
    pointer on_bytes = upload(bytes, Count * Side * Side), on_floats = upload(floats, Count * Side * Side * sizeof(float)), out, out_bits;
    CHECK(cuMemAlloc_v2(&out, sizeof expected) == 0 && cuMemAlloc_v2(&out_bits, sizeof bits) == 0);
    cl2_patches upside = {.data = (void *)(uintptr_t)(on_bytes + (Side - 1) * Side), .count = Count, .side = Side, .type = CL2_U8,
                          .patch_stride = Side * Side, .row_stride = -Side, .pixel_stride = 1};
    cl2_patches dense = host;
    dense.data = (void *)(uintptr_t)on_floats;
    good(api->describe_on_device(model, &upside, CL2_F32, (void *)(uintptr_t)out, Count * 128)); /* the first call may wait */
    good(api->device_synchronize(device));

    /* Nothing waits, from a thread that works on another context; that stays its current one. */
    void *other;
    CHECK(cuCtxCreate_v2(&other, 0, 0) == 0);
    long long before = waits();
    good(api->describe_on_device(model, &upside, CL2_F32, (void *)(uintptr_t)out, Count * 128));
    good(api->describe_on_device(model, &dense, CL2_BITS, (void *)(uintptr_t)out_bits, sizeof bits));
    CHECK(waits() == before && cuCtxGetCurrent(&current) == 0 && current == other);
    CHECK(cuCtxSetCurrent(context) == 0 && cuStreamSynchronize(stream) == 0);
    CHECK(cuMemcpyDtoH_v2(found, out, sizeof found) == 0 && memcmp(found, expected, sizeof found) == 0);
    CHECK(cuMemcpyDtoH_v2(found_bits, out_bits, sizeof bits) == 0 && memcmp(found_bits, bits, sizeof bits) == 0);

    /* Tensors of DLPack. */
    int64_t shape[] = {Count, 1, Side, Side};
    managed_tensor tensor = {.version = {1, 0}, .tensor = {.data = (void *)(uintptr_t)on_floats, .device = {2, 0}, .ndim = 4, .dtype = {2, 32, 1}, .shape = shape}}, *result;
    before = waits();
    good(api->describe_dlpack(model, &tensor, 1, CL2_F32, &result));
    CHECK(waits() == before && cuStreamSynchronize(stream) == 0);
    CHECK(result->tensor.device.type == 2 && result->tensor.device.id == 0 && result->tensor.shape[0] == Count && result->tensor.shape[1] == 128);
    CHECK(cuMemcpyDtoH_v2(found, (pointer)(uintptr_t)result->tensor.data, sizeof found) == 0 && memcmp(found, expected, sizeof found) == 0);
    result->deleter(result);
    good(api->describe_dlpack(model, &tensor, 1, CL2_BITS, &result));
    CHECK(cuStreamSynchronize(stream) == 0);
    CHECK(cuMemcpyDtoH_v2(found_bits, (pointer)(uintptr_t)result->tensor.data, sizeof bits) == 0 && memcmp(found_bits, bits, sizeof bits) == 0);
    tensor.tensor.device.id = 3;
    managed_tensor *none;
    bad(api->describe_dlpack(model, &tensor, 1, CL2_F32, &none), CL2_INVALID_ARGUMENT);
    tensor.tensor.device.id = 0;
    bad(api->describe_dlpack(plain, &tensor, 1, CL2_F32, &none), CL2_INVALID_ARGUMENT);

    /* What is no memory of the GPU, and what is misaligned. */
    bad(api->describe_on_device(model, &host, CL2_F32, (void *)(uintptr_t)out, Count * 128), CL2_INVALID_ARGUMENT);
    bad(api->describe_on_device(model, &dense, CL2_F32, expected, Count * 128), CL2_INVALID_ARGUMENT);
    bad(api->describe_on_device(model, &dense, CL2_F32, (void *)(uintptr_t)(out + 4), Count * 128), CL2_INVALID_ARGUMENT);
    bad(api->describe_on_device(model, &dense, CL2_F32, (void *)(uintptr_t)out, Count * 128 - 1), CL2_INVALID_ARGUMENT);
    bad(api->describe_on_device(model, &dense, CL2_U8, (void *)(uintptr_t)out, Count * 128), CL2_INVALID_ARGUMENT);
    bad(api->describe_on_device(model, &dense, CL2_F32, NULL, Count * 128), CL2_INVALID_ARGUMENT);
    cl2_patches none_at_all = dense;
    none_at_all.count = 0;
    good(api->describe_on_device(model, &none_at_all, CL2_F32, NULL, 0));

    /* An index on the GPU finds what the CPU finds. */
    cl2_descriptors set = {.data = expected, .count = Count, .dimension = 128, .type = CL2_F32};
    cl2_index *index;
    int32_t rows[Count * 2];
    float distances[Count * 2];
    good(api->index_build(device, &set, &index));
    good(api->index_nearest(index, &set, 2, rows, distances, Count * 2));
    for (int i = 0; i < Count; i++) {
        CHECK(rows[2 * i] == i && rows[2 * i + 1] != i && distances[2 * i] < 1e-3f);
    }

    /* The tensor that was kept outlives the model and the device. */
    good(api->index_release(index));
    good(api->model_release(model));
    good(api->device_release(device));
    result->deleter(result);
    CHECK(cuMemFree_v2(out) == 0 && cuMemFree_v2(out_bits) == 0 && cuMemFree_v2(on_bytes) == 0 && cuMemFree_v2(on_floats) == 0);
    CHECK(cuStreamDestroy_v2(stream) == 0 && cuCtxDestroy_v2(other) == 0 && cuCtxDestroy_v2(context) == 0);
    good(api->model_release(plain));
    good(api->device_release(cpu));
    free(bytes), free(floats);
    printf("all on the caller's stream\n");
    return 0;
}
