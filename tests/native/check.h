/* What the C library's callers in the tests share: checks, and data drawn at random. Any check that fails ends the program with 1 and a word. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cudal2net.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

static const cl2_api *api;

/* The call succeeds. */
static void good(cl2_status *status)
{
    if (status != NULL) {
        fprintf(stderr, "error %d: %s\n", api->status_code(status), api->status_text(status));
        exit(1);
    }
}

/* The call fails with this code, and says why. */
static void bad(cl2_status *status, int code)
{
    CHECK(status != NULL);
    if (api->status_code(status) != code || strlen(api->status_text(status)) < 5) {
        fprintf(stderr, "expected %d, got %d: %s\n", code, api->status_code(status), api->status_text(status));
        exit(1);
    }
    api->status_release(status);
}

static uint32_t state = 1;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static uint8_t *noise(int64_t bytes)
{
    uint8_t *data = malloc((size_t)bytes);
    for (int64_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)draw();
    }
    return data;
}

static void open_both(const char *name, cl2_device **device, cl2_model **model)
{
    good(api->device_open(name, 0, NULL, device));
    good(api->model_load_default(*device, model));
}

#endif
