/* The C library's caller in the tests, with what version 2 added: `images JOB ...`; NativeClientTests.cs starts it. */
#include <math.h>

#include "check.h"
#include "dlpack.h"

enum { Width = 90, Height = 70, Most = 6 };

static cl2_keypoint keypoints[Most];
static cl2_frame frames[Most];

static void place(void)
{
    for (int i = 0; i < Most; i++) {
        keypoints[i] = (cl2_keypoint){10.5f * (float)i, 60.0f - 9 * (float)i, 3.0f + (float)i, 50.0f * (float)i};
        frames[i] = (cl2_frame){8, 1, 12.0f * (float)i, -1, 5, 11.0f * (float)i};
    }
}

static void faults(void)
{
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    place();
    uint8_t *grey = noise(Width * Height), *colour = noise(3 * Width * Height);
    cl2_image images[2] = {{.data = grey, .width = Width, .height = Height, .channels = 1},
                           {.data = colour, .stride = 3 * Width, .width = Width, .height = Height, .channels = 3}};
    cl2_regions regions[2] = {{.data = keypoints, .count = Most, .type = CL2_KEYPOINT}, {.data = frames, .count = Most, .type = CL2_FRAME}};
    static float floats[2 * Most * 128], again[2 * Most * 128];
    static uint8_t bits[2 * Most * 16], patches[2 * Most * 1024];
    int64_t all = sizeof floats / sizeof *floats;
    good(api->describe_images(model, images, regions, 2, CL2_F32, floats, all, patches, sizeof patches));
    good(api->describe_images(model, images, regions, 2, CL2_BITS, bits, sizeof bits, NULL, 0));

    /* The patches that were given back have these descriptors; each image alone gives its own. */
    cl2_patches cut = {.data = patches, .count = 2 * Most, .side = 32, .type = CL2_U8};
    good(api->describe(model, &cut, again, all));
    CHECK(memcmp(floats, again, sizeof floats) == 0);
    static uint8_t bits_again[sizeof bits];
    good(api->describe_bits(model, &cut, bits_again, sizeof bits_again));
    CHECK(memcmp(bits, bits_again, sizeof bits) == 0);
    good(api->describe_images(model, images + 1, regions + 1, 1, CL2_F32, again, all, NULL, 0));
    CHECK(memcmp(floats + all / 2, again, sizeof floats / 2) == 0);

    good(api->describe_images(model, NULL, NULL, 0, CL2_F32, NULL, 0, NULL, 0));
    cl2_regions none = {.data = NULL, .count = 0, .type = CL2_KEYPOINT};
    good(api->describe_images(model, images, &none, 1, CL2_F32, NULL, 0, NULL, 0));
    bad(api->describe_images(NULL, images, regions, 2, CL2_F32, floats, all, NULL, 0), CL2_INVALID_HANDLE);
    bad(api->describe_images(model, NULL, regions, 2, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, NULL, 2, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, -1, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, 2, CL2_U8, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, 2, CL2_F32, floats, all - 1, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, 2, CL2_F32, NULL, all, NULL, 0), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, 2, CL2_F32, floats, all, patches, sizeof patches - 1), CL2_INVALID_ARGUMENT);
    bad(api->describe_images(model, images, regions, 2, CL2_F32, floats, all, NULL, 5), CL2_INVALID_ARGUMENT);

    cl2_image odd[7];
    for (int i = 0; i < 7; i++) {
        odd[i] = images[0];
    }
    odd[0].data = NULL, odd[1].stride = Width - 1, odd[2].width = 0, odd[3].height = -1, odd[4].channels = 2, odd[5].stride = INT64_MAX;
    odd[6].width = INT32_MAX, odd[6].height = INT32_MAX;
    for (int i = 0; i < 7; i++) {
        bad(api->describe_images(model, &odd[i], regions, 1, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    }
    cl2_regions strange[5] = {regions[0], regions[0], regions[0], regions[0], regions[0]};
    strange[0].type = 7, strange[1].count = -1, strange[2].patch_scale = NAN, strange[3].data = (char *)keypoints + 1, strange[4].data = NULL;
    for (int i = 0; i < 5; i++) {
        bad(api->describe_images(model, images, &strange[i], 1, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    }
    cl2_keypoint wrong[6] = {{NAN, 5, 5, 0}, {5, 5, 0, 0}, {5, 5, -1, 0}, {5, 5, INFINITY, 0}, {Width, 5, 5, 0}, {5, 5, 5, NAN}};
    for (int i = 0; i < 6; i++) {
        cl2_regions one = {.data = &wrong[i], .count = 1, .type = CL2_KEYPOINT};
        bad(api->describe_images(model, images, &one, 1, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    }
    cl2_frame flat[3] = {{1, 1, 5, 1, 1, 5}, {1, 0, -5, 0, 1, 5}, {1, NAN, 5, 0, 1, 5}};
    for (int i = 0; i < 3; i++) {
        cl2_regions one = {.data = &flat[i], .count = 1, .type = CL2_FRAME};
        bad(api->describe_images(model, images, &one, 1, CL2_F32, floats, all, NULL, 0), CL2_INVALID_ARGUMENT);
    }

    good(api->model_release(model));
    good(api->device_release(device));
    free(grey), free(colour);
}

static void index_faults(void)
{
    enum { Targets = 7, Queries = 5, Dimension = 16 };
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    float targets[Targets * Dimension], queries[Queries * Dimension];
    for (int i = 0; i < Targets * Dimension; i++) {
        targets[i] = (float)(draw() % 100);
    }
    for (int i = 0; i < Queries * Dimension; i++) {
        queries[i] = (float)(draw() % 100);
    }
    cl2_descriptors to = {.data = targets, .count = Targets, .dimension = Dimension, .type = CL2_F32}, from = to;
    from.data = queries, from.count = Queries;
    cl2_index *index, *none;
    good(api->index_build(device, &to, &index));

    /* As without an index; the first of k neighbours is the match. */
    cl2_match plain[Queries], matches[Queries];
    int64_t count = 0, found = 0;
    int32_t rows[Queries * 9];
    float distances[Queries * 9];
    good(api->match(device, &from, &to, 0, 1, plain, Queries, &count));
    good(api->index_match(index, &from, 0, 1, matches, Queries, &found));
    CHECK(count == Queries && found == count && memcmp(plain, matches, sizeof plain) == 0);
    good(api->index_nearest(index, &from, 9, rows, distances, Queries * 9));
    for (int i = 0; i < Queries; i++) {
        CHECK(rows[9 * i] == plain[i].target && distances[9 * i] == plain[i].distance && distances[9 * i + 1] == plain[i].second_distance);
        CHECK(rows[9 * i + 6] >= 0 && rows[9 * i + 7] == -1 && rows[9 * i + 8] == -1 && isinf(distances[9 * i + 7]));
    }

    bad(api->index_build(NULL, &to, &none), CL2_INVALID_HANDLE);
    CHECK(none == NULL);
    bad(api->index_build(device, NULL, &none), CL2_INVALID_ARGUMENT);
    bad(api->index_build(device, &to, NULL), CL2_INVALID_ARGUMENT);
    bad(api->index_match((cl2_index *)model, &from, 0, 1, matches, Queries, &found), CL2_INVALID_HANDLE);
    bad(api->index_match(index, &from, 0, 1, matches, Queries - 1, &found), CL2_INVALID_ARGUMENT);
    bad(api->index_match(index, &from, 0, NAN, matches, Queries, &found), CL2_INVALID_ARGUMENT);
    bad(api->index_nearest(index, &from, 0, rows, distances, Queries * 9), CL2_INVALID_ARGUMENT);
    bad(api->index_nearest(index, &from, INT32_MAX, rows, distances, Queries * 9), CL2_INVALID_ARGUMENT);
    bad(api->index_nearest(index, &from, 9, rows, distances, Queries * 9 - 1), CL2_INVALID_ARGUMENT);
    bad(api->index_nearest(index, &from, 9, NULL, distances, Queries * 9), CL2_INVALID_ARGUMENT);
    bad(api->index_nearest(index, &from, 9, rows, NULL, Queries * 9), CL2_INVALID_ARGUMENT);
    cl2_descriptors other = from;
    other.dimension = Dimension / 2;
    bad(api->index_nearest(index, &other, 1, rows, distances, Queries * 9), CL2_INVALID_ARGUMENT);
    bad(api->index_match(index, &other, 0, 1, matches, Queries, &found), CL2_INVALID_ARGUMENT);
    other = from, other.type = CL2_BITS;
    bad(api->index_nearest(index, &other, 1, rows, distances, Queries * 9), CL2_INVALID_ARGUMENT);

    /* Bits, and an index of nothing. */
    cl2_index *bits, *empty;
    uint8_t *three = noise(3 * 16);
    other.data = three, other.count = 3, other.dimension = 128;
    good(api->index_build(device, &other, &bits));
    good(api->index_nearest(bits, &other, 1, rows, distances, 3));
    CHECK(rows[0] == 0 && rows[1] == 1 && rows[2] == 2 && distances[2] == 0);
    to.count = 0;
    good(api->index_build(device, &to, &empty));
    good(api->index_nearest(empty, &from, 2, rows, distances, Queries * 2));
    CHECK(rows[0] == -1 && rows[Queries * 2 - 1] == -1);
    good(api->index_match(empty, &from, 1, 0.8, matches, Queries, &found));
    CHECK(found == 0);
    from.count = 0;
    good(api->index_nearest(index, &from, 2, NULL, NULL, 0));
    free(three);

    good(api->index_release(NULL));
    good(api->index_release(bits));
    good(api->index_release(empty));
    good(api->index_release(index));
    bad(api->index_release(index), CL2_INVALID_HANDLE);
    bad(api->index_match(index, &from, 0, 1, matches, Queries, &found), CL2_INVALID_HANDLE);
    good(api->model_release(model));
    good(api->device_release(device));
}

static void dlpack_faults(void)
{
    enum { Count = 3, Side = 64 };
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    uint8_t *pixels = noise(Count * 2 * Side * Side);
    float white[Count * Side * Side], floats[Count * 128];
    /* Every second patch, upside down; the offset leads to the last row of the first one. */
    int64_t shape[] = {Count, 1, Side, Side}, strides[] = {2 * Side * Side, 7, -Side, 1};
    managed_tensor patches = {.version = {1, 1}, .tensor = {.data = pixels, .device = {1, 0}, .ndim = 4, .dtype = {1, 8, 1}, .shape = shape,
                                                           .strides = strides, .byte_offset = (Side - 1) * Side}};
    cl2_patches plain = {.data = pixels + (Side - 1) * Side, .count = Count, .side = Side, .type = CL2_U8, .patch_stride = 2 * Side * Side,
                         .row_stride = -Side, .pixel_stride = 1};
    uint8_t bits[Count * 16];
    good(api->describe(model, &plain, floats, Count * 128));
    good(api->describe_bits(model, &plain, bits, sizeof bits));
    managed_tensor *result;
    good(api->describe_dlpack(model, &patches, 0, CL2_F32, &result));
    tensor_view t = result->tensor;
    CHECK(result->version.major == 1 && t.device.type == 1 && t.ndim == 2 && t.dtype.code == 2 && t.dtype.bits == 32 && t.dtype.lanes == 1);
    CHECK(t.shape[0] == Count && t.shape[1] == 128 && t.strides[0] == 128 && t.strides[1] == 1 && (uintptr_t)t.data % 256 == 0);
    CHECK(memcmp((char *)t.data + t.byte_offset, floats, sizeof floats) == 0);
    result->deleter(result);
    good(api->describe_dlpack(model, &patches, 0, CL2_BITS, &result));
    CHECK(result->tensor.shape[1] == 16 && result->tensor.dtype.bits == 8 && memcmp(result->tensor.data, bits, sizeof bits) == 0);
    result->deleter(result);

    /* Floats, dense, without strides. */
    for (int i = 0; i < Count * Side * Side; i++) {
        int patch = i / (Side * Side), y = i / Side % Side;
        white[i] = (float)pixels[2 * patch * Side * Side + (Side - 1 - y) * Side + i % Side] / 255;
    }
    int64_t three[] = {Count, Side, Side};
    managed_tensor dense = {.version = {1, 0}, .tensor = {.data = white, .device = {1, 0}, .ndim = 3, .dtype = {2, 32, 1}, .shape = three}};
    good(api->describe_dlpack(model, &dense, 1, CL2_F32, &result));
    CHECK(memcmp(result->tensor.data, floats, sizeof floats) == 0);
    result->deleter(result);
    three[0] = 0;
    good(api->describe_dlpack(model, &dense, 1, CL2_F32, &result));
    CHECK(result->tensor.shape[0] == 0);
    result->deleter(result);
    three[0] = Count;

    /* One pixel for all: strides of 0 are what they say. */
    int64_t zeros[] = {0, 0, 0};
    float grey = 0.5f;
    static float uniform[Count * Side * Side];
    for (int i = 0; i < Count * Side * Side; i++) {
        uniform[i] = grey;
    }
    managed_tensor one = dense;
    one.tensor.data = &grey, one.tensor.strides = zeros;
    cl2_patches all_grey = {.data = uniform, .count = Count, .side = Side, .type = CL2_F32, .white = 1};
    good(api->describe(model, &all_grey, floats, Count * 128));
    good(api->describe_dlpack(model, &one, 1, CL2_F32, &result));
    CHECK(memcmp(result->tensor.data, floats, sizeof floats) == 0);
    result->deleter(result);

    managed_tensor wrong[9];
    for (int i = 0; i < 9; i++) {
        wrong[i] = patches;
    }
    int64_t oblong[] = {Count, 1, Side, Side - 1}, channels[] = {1, Count, Side, Side};
    wrong[0].version.major = 2, wrong[1].tensor.device.type = 99, wrong[2].tensor.ndim = 2, wrong[3].tensor.dtype.code = 0;
    wrong[4].tensor.dtype.lanes = 2, wrong[5].tensor.shape = NULL, wrong[6].tensor.shape = oblong, wrong[7].tensor.shape = channels;
    wrong[8].tensor.data = NULL, wrong[8].tensor.byte_offset = 0;
    bad(api->describe_dlpack(model, &wrong[0], 0, CL2_F32, &result), CL2_NOT_SUPPORTED);
    for (int i = 1; i < 9; i++) {
        bad(api->describe_dlpack(model, &wrong[i], 0, CL2_F32, &result), CL2_INVALID_ARGUMENT);
        CHECK(result == NULL);
    }
    wrong[0] = patches, wrong[0].tensor.device.type = 2; /* on a GPU, and the model is on the CPU */
    bad(api->describe_dlpack(model, &wrong[0], 0, CL2_F32, &result), CL2_INVALID_ARGUMENT);
    bad(api->describe_dlpack(model, NULL, 0, CL2_F32, &result), CL2_INVALID_ARGUMENT);
    bad(api->describe_dlpack(model, &patches, 0, CL2_F32, NULL), CL2_INVALID_ARGUMENT);
    bad(api->describe_dlpack(model, &patches, 0, CL2_U8, &result), CL2_INVALID_ARGUMENT);
    bad(api->describe_dlpack(NULL, &patches, 0, CL2_F32, &result), CL2_INVALID_HANDLE);
    good(api->model_release(model));
    good(api->device_release(device));
    free(pixels);
}

static int64_t some_number(void)
{
    static const int64_t numbers[] = {0, 1, 2, 3, 5, 7, 8, 16, 31, 32, 90, 128, 255, 1024, -1, -4, -1024, INT32_MAX, INT64_MAX, INT64_MIN};
    return numbers[draw() % (sizeof numbers / sizeof *numbers)];
}

static float some_float(void)
{
    static const float numbers[] = {0, 1, -1, 5, 30, 1e-30f, 1e30f, NAN, INFINITY, -INFINITY, 89.5f, 69.5f, -0.5f};
    return draw() % 4 ? (float)(draw() % 60) : numbers[draw() % (sizeof numbers / sizeof *numbers)];
}

/* fuzz SEED N: images, keypoints and frames at random. Arrays hold exactly what the caller says that they hold. */
static int fuzz(char **words)
{
    state = (uint32_t)atol(words[0]);
    long n = atol(words[1]), refused = 0;
    cl2_device *device;
    cl2_model *model;
    open_both("cpu", &device, &model);
    for (long i = 0; i < n; i++) {
        int count = (int)(draw() % 3);
        int64_t total = 0;
        cl2_image *images = calloc((size_t)count + 1, sizeof *images);
        cl2_regions *regions = calloc((size_t)count + 1, sizeof *regions);
        void *held[8];
        int kept = 0;
        for (int k = 0; k < count; k++) {
            int channels = draw() % 2 ? 1 : 3, width = 1 + (int)(draw() % 60), height = 1 + (int)(draw() % 60), gap = (int)(draw() % 3);
            int64_t stride = width * channels + gap, bytes = stride * (height - 1) + width * channels;
            uint8_t *pixels = noise(bytes);
            images[k] = (cl2_image){.data = pixels, .stride = stride, .width = width, .height = height, .channels = channels};
            int number = (int)(draw() % 4), frame = (int)(draw() % 2);
            size_t floats = (size_t)number * (frame ? 6 : 4);
            float *places = malloc(floats * sizeof(float) + 1);
            for (size_t f = 0; f < floats; f++) {
                places[f] = draw() % 10 ? (float)(1 + draw() % 20) : some_float();
            }
            regions[k] = (cl2_regions){.data = places, .count = number, .type = frame, .patch_scale = draw() % 16 ? 0 : (double)some_float()};
            total += number;
            held[kept++] = pixels, held[kept++] = places;
            switch (draw() % 24) {
            case 0: images[k].channels = (int32_t)some_number(), images[k].height = 0; break;
            case 1: images[k].stride = -(int64_t)draw(); break;
            case 2: regions[k].type = 2 + (int32_t)draw(); break;
            case 3: images[k].data = NULL; break;
            case 4: regions[k].count = -1; break;
            case 5: regions[k].data = (char *)places + 1; break;
            default: break;
            }
        }
        int bits = (int)(draw() % 2);
        int64_t capacity = total * (bits ? 16 : 128), patch_capacity = draw() % 2 ? total * 1024 : 0;
        uint8_t *output = malloc((size_t)capacity * (bits ? 1 : 4) + 1), *patches = patch_capacity ? malloc((size_t)patch_capacity) : NULL;
        cl2_status *status = api->describe_images(model, draw() % 64 ? images : NULL, draw() % 64 ? regions : NULL, draw() % 32 ? count : -1,
                                                  bits ? CL2_BITS : CL2_F32, output, draw() % 32 ? capacity : some_number() % (capacity + 1), patches,
                                                  patch_capacity);
        refused += status != NULL;
        if (status == NULL && total > 0) {
            /* What was described is kept and found: a descriptor's nearest one is itself, or an equal one before it. */
            cl2_descriptors set = {.data = output, .count = total, .dimension = 128, .type = bits ? CL2_BITS : CL2_F32};
            int32_t k = 1 + (int32_t)(draw() % 5), *rows = malloc((size_t)(total * k) * sizeof *rows);
            float *distances = malloc((size_t)(total * k) * sizeof *distances);
            cl2_index *index;
            good(api->index_build(device, &set, &index));
            good(api->index_nearest(index, &set, k, rows, distances, total * k));
            CHECK(rows[(total - 1) * k] <= total - 1 && distances[(total - 1) * k] < 1e-3f);
            good(api->index_release(index));
            free(rows), free(distances);
        }
        CHECK(status == NULL || strlen(api->status_text(status)) > 5);
        CHECK(api->status_code(status) != CL2_INTERNAL);
        api->status_release(status);
        while (kept > 0) {
            free(held[--kept]);
        }
        free(images), free(regions), free(output), free(patches);
    }
    CHECK(refused > n / 10 && refused < n);
    printf("%ld of %ld calls refused\n", refused, n);
    good(api->model_release(model));
    good(api->device_release(device));
    return 0;
}

int main(int count, char **words)
{
    api = cl2_get_api(CL2_API_VERSION);
    CHECK(count > 1 && api != NULL);
    if (strcmp(words[1], "faults") == 0) {
        faults();
        index_faults();
        dlpack_faults();
        return 0;
    }
    if (strcmp(words[1], "fuzz") != 0 || count != 4) {
        return 1;
    }
    dlpack_faults();
    return fuzz(words + 2);
}
