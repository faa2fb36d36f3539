/*
 * Describes all tiles of 32 x 32 pixels of two grey images (binary PGM files), and matches them:  match_tiles FIRST.pgm SECOND.pgm
 * The tiles are described where they lie in the image: nothing is copied.
 */
#include <stdio.h>
#include <stdlib.h>

#include <cudal2net.h>

enum { SIDE = 32 };

static const cl2_api *api;

/* A status is NULL, or a fault. */
static void check(cl2_status *status)
{
    if (status != NULL) {
        fprintf(stderr, "error: %s\n", api->status_text(status));
        exit(1);
    }
}

typedef struct tiles {
    int across, down;
    float *descriptors; /* [down x across][dimension] */
} tiles;

static tiles describe(cl2_model *model, int dimension, const char *path)
{
    int width, height, white;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fscanf(file, "P5 %d %d %d", &width, &height, &white) != 3 || fgetc(file) == EOF || white != 255
        || width < SIDE || height < SIDE || width > 1 << 15 || height > 1 << 15) {
        fprintf(stderr, "error: %s is no PGM file of 8 bits and at least %d x %d pixels\n", path, SIDE, SIDE);
        exit(1);
    }

    size_t size = (size_t)width * (size_t)height;
    unsigned char *pixels = malloc(size);
    tiles result = {width / SIDE, height / SIDE, NULL};
    int64_t row = (int64_t)result.across * dimension;
    result.descriptors = malloc((size_t)(result.down * row) * sizeof(float));
    if (pixels == NULL || result.descriptors == NULL || fread(pixels, 1, size, file) != size) {
        fprintf(stderr, "error: %s ends early, or the memory is too short\n", path);
        exit(1);
    }

    fclose(file);
    for (int y = 0; y < result.down; y++) {
        cl2_patches patches = {.data = pixels + (size_t)y * SIDE * (size_t)width, .count = result.across, .side = SIDE, .type = CL2_U8,
                               .patch_stride = SIDE, .row_stride = width, .pixel_stride = 1};
        check(api->describe(model, &patches, result.descriptors + y * row, row));
    }

    free(pixels);
    return result;
}

int main(int count, char **words)
{
    cl2_device *device;
    cl2_model *model;
    cl2_model_info info;
    api = cl2_get_api(CL2_API_VERSION);
    if (api == NULL || count != 3) {
        fprintf(stderr, api == NULL ? "error: the library is too old or not whole\n" : "usage: match_tiles FIRST.pgm SECOND.pgm\n");
        return 1;
    }

    check(api->device_open("auto", 0, NULL, &device));
    check(api->model_load_default(device, &model));
    check(api->model_info(model, &info));
    tiles first = describe(model, info.dimension, words[1]), second = describe(model, info.dimension, words[2]);
    cl2_descriptors queries = {first.descriptors, (int64_t)first.across * first.down, info.dimension, CL2_F32};
    cl2_descriptors targets = {second.descriptors, (int64_t)second.across * second.down, info.dimension, CL2_F32};
    cl2_match *matches = malloc((size_t)queries.count * sizeof *matches);
    int64_t found;
    check(api->match(device, &queries, &targets, 1, 0.9, matches, queries.count, &found));
    for (int64_t i = 0; i < found; i++) {
        cl2_match m = matches[i];
        printf("%d,%d -> %d,%d  distance %.3f\n", m.query % first.across, m.query / first.across,
               m.target % second.across, m.target / second.across, m.distance);
    }

    printf("%lld of %lld tiles match\n", (long long)found, (long long)queries.count);
    free(matches), free(first.descriptors), free(second.descriptors);
    check(api->model_release(model));
    check(api->device_release(device));
    return 0;
}
