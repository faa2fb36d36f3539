/*
 * CudaL2Net's C interface: learned descriptors of local image patches.
 *
 *   const cl2_api *api = cl2_get_api(CL2_API_VERSION);      one exported function gives a table of functions
 *   cl2_device *device; cl2_model *model;
 *   cl2_status *status = api->device_open("auto", 0, NULL, &device);
 *   if (status != NULL) { puts(api->status_text(status)); api->status_release(status); }
 *
 * Rules
 *   Status    NULL is success. Any other status is released by the caller.
 *   Handles   Each is released once, in any order; a release takes NULL. A handle that was released, or is of another kind, gives
 *             CL2_INVALID_HANDLE and does no harm. What was made on a device cannot be used after the device was released.
 *   Memory    The caller owns all arrays, and says how many elements an output holds. Nothing of the caller's is kept after a call.
 *             Where a call fails, the contents of its outputs are undefined; handles and counts are then 0.
 *   Arrays    Row-major. "[n][d]" is n rows of d elements, one behind the other. Sizes are 64-bit; a call takes up to 2^31 - 1 rows.
 *   Threads   Every function may be called from any thread, on the same handles, at once. Calls on one device take turns.
 *   Process   Nothing is written to the console. The library stays loaded until the process ends: do not fork and use it in the child.
 *             The runtime's handlers of SIGSEGV, SIGFPE and one real-time signal pass on what is not theirs.
 *   Text      UTF-8, ended by 0. Text that a function gives is valid until the handle that it came from is released.
 */
#ifndef CUDAL2NET_H
#define CUDAL2NET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define CL2_CALL __cdecl
#else
#define CL2_CALL
#endif

/* The version of the table that this header describes. Later libraries have it, too. */
#define CL2_API_VERSION 2

typedef struct cl2_status cl2_status;
typedef struct cl2_device cl2_device;
typedef struct cl2_model cl2_model;
typedef struct cl2_index cl2_index;

/* What status_code gives. */
typedef enum cl2_code {
    CL2_OK = 0,
    CL2_INVALID_ARGUMENT = 1, /* NULL, a size, a stride, an alignment or a value that is not taken */
    CL2_INVALID_HANDLE = 2,   /* released before, of another kind, or never given out */
    CL2_NOT_FOUND = 3,        /* there is no such file */
    CL2_INVALID_DATA = 4,     /* the file is damaged or no model */
    CL2_FILE = 5,             /* the file cannot be read */
    CL2_CUDA = 6,             /* no driver, no such GPU, or an error of the driver */
    CL2_OUT_OF_MEMORY = 7,
    CL2_NOT_SUPPORTED = 8,    /* the network does not do this */
    CL2_INTERNAL = 9          /* a fault of the library: please report it */
} cl2_code;

/* What an element is. */
typedef enum cl2_type {
    CL2_U8 = 0,  /* one byte */
    CL2_F32 = 1, /* a float */
    CL2_BITS = 2 /* packed bits: bit j of byte k is bit 8k + j */
} cl2_type;

typedef struct cl2_device_info {
    const char *name;        /* "cpu", "cuda:0" */
    const char *description; /* one line for people: model, cores or multiprocessors, instruction set */
    const char *note;        /* why "auto" did not take a GPU; NULL where it took one or was not asked */
} cl2_device_info;

typedef struct cl2_model_info {
    int32_t dimension;    /* floats of a descriptor; 0 where the network scores pairs */
    int32_t patch_side;   /* the side that patches are best cut to, in pixels: 32 or 64 */
    int32_t scores_pairs; /* 1 where the network scores pairs and describes no single patch */
    int32_t binary_bytes; /* bytes of a packed descriptor: dimension / 8 */
    double patch_scale;   /* the patch's side in an image, in diameters of its keypoint */
    const char *network;  /* the network's name: "l2net" */
    const char *metadata; /* a JSON object of strings: where the model comes from, and its network */
} cl2_model_info;

/* Grey patches in memory, count x side x side. Strides are in bytes, of any sign, multiples of the element's size; all three 0 is dense. */
typedef struct cl2_patches {
    const void *data;     /* the first pixel of the first patch, aligned to its type; may be NULL where count is 0 */
    int64_t count;        /* patches */
    int32_t side;         /* 32, 64 or 65 pixels; not less than the model's patch_side */
    int32_t type;         /* CL2_U8, or CL2_F32: rounded to the nearest byte, and bounded by 0 and white */
    int64_t patch_stride; /* from one patch to the next */
    int64_t row_stride;   /* from one row to the next */
    int64_t pixel_stride; /* from one pixel to the next */
    double white;         /* CL2_F32: the value of white, 1 or 255; 0 is 255 */
} cl2_patches;

/* Descriptors in memory: [count][dimension] floats, compared by Euclidean distance, or [count][dimension / 8] bytes of bits, by differing bits. */
typedef struct cl2_descriptors {
    const void *data;  /* aligned to its type; may be NULL where count is 0 */
    int64_t count;     /* descriptors */
    int32_t dimension; /* floats, or bits (a multiple of 8), of a descriptor */
    int32_t type;      /* CL2_F32, finite, or CL2_BITS */
} cl2_descriptors;

/* An image in memory, 8 bits per channel. */
typedef struct cl2_image {
    const uint8_t *data; /* the top left pixel */
    int64_t stride;      /* bytes from one row to the next; 0 is width x channels */
    int32_t width;       /* columns */
    int32_t height;      /* rows */
    int32_t channels;    /* 1 is grey; 3 is red, green, blue, interleaved */
} cl2_image;

/* How the places of patches are given. The centre of the top left pixel is (0, 0); x is the column, y the row, downwards. */
typedef enum cl2_region_type {
    CL2_KEYPOINT = 0, /* cl2_keypoint */
    CL2_FRAME = 1     /* cl2_frame */
} cl2_region_type;

/* A square patch, in OpenCV's terms. Its side in the image is patch_scale x size. */
typedef struct cl2_keypoint {
    float x, y;  /* the centre, in pixels, within the image */
    float size;  /* diameter of the keypoint in pixels, above 0; for SIFT twice the scale */
    float angle; /* degrees, clockwise as seen in the image */
} cl2_keypoint;

/* A patch as a 2 x 3 map: its point (u, v), from -1 to 1 between its edges, is at (xx u + xy v + x, yx u + yy v + y) of the image. Kornia's LAFs are these. */
typedef struct cl2_frame {
    float xx, xy, x;
    float yx, yy, y;
} cl2_frame;

/* The places of an image's patches. */
typedef struct cl2_regions {
    const void *data;   /* [count] cl2_keypoint or cl2_frame; may be NULL where count is 0 */
    int64_t count;      /* patches */
    double patch_scale; /* CL2_KEYPOINT: the patch's side in the image over the size; 0 is the model's */
    int32_t type;       /* CL2_KEYPOINT or CL2_FRAME */
} cl2_regions;

typedef struct cl2_match {
    int32_t query;         /* row of the queries */
    int32_t target;        /* row of the targets: the nearest, the lower one on ties */
    float distance;        /* Euclidean distance, or the number of differing bits */
    float second_distance; /* of the second nearest; infinity where there is one target only */
} cl2_match;

/* A tensor of DLPack 1, as dlpack.h declares it. */
struct DLManagedTensorVersioned;

/* The table. Functions that give a cl2_status fail where a pointer that they need is NULL. */
typedef struct cl2_api {
    int64_t size; /* bytes of this table */

    /* The library's version: "0.1.0". */
    const char *(CL2_CALL *version)(void);

    /* The code of a status; CL2_OK of NULL, CL2_INVALID_HANDLE of what is no status. */
    int32_t (CL2_CALL *status_code)(const cl2_status *status);
    /* What went wrong and what to do; "" of NULL. */
    const char *(CL2_CALL *status_text)(const cl2_status *status);
    void (CL2_CALL *status_release)(cl2_status *status);

    /* Opens a device.
     * name       "cpu", "cuda", "cuda:N", or "auto" (also NULL): the first GPU where there is one, else the CPU
     * threads    the most threads of the host that work at once; 0 is one per core
     * precision  what matrix products multiply: "float32" (also NULL); on a GPU also "tf32", "bf16", "int8" */
    cl2_status *(CL2_CALL *device_open)(const char *name, int32_t threads, const char *precision, cl2_device **device);
    cl2_status *(CL2_CALL *device_info)(const cl2_device *device, cl2_device_info *info);
    /* Waits until all work queued on the device is done. */
    cl2_status *(CL2_CALL *device_synchronize)(cl2_device *device);
    cl2_status *(CL2_CALL *device_release)(cl2_device *device);

    /* Loads a model file (.safetensors) for a device. */
    cl2_status *(CL2_CALL *model_load)(cl2_device *device, const char *path, cl2_model **model);
    /* The same from size bytes in memory, which are not needed afterwards. */
    cl2_status *(CL2_CALL *model_load_memory)(cl2_device *device, const void *data, int64_t size, cl2_model **model);
    /* The model inside the library. */
    cl2_status *(CL2_CALL *model_load_default)(cl2_device *device, cl2_model **model);
    cl2_status *(CL2_CALL *model_info)(const cl2_model *model, cl2_model_info *info);
    cl2_status *(CL2_CALL *model_release)(cl2_model *model);

    /* Describes patches: descriptors [count][dimension]. capacity is the floats that they hold. */
    cl2_status *(CL2_CALL *describe)(cl2_model *model, const cl2_patches *patches, float *descriptors, int64_t capacity);
    /* Describes patches by the signs of their descriptors: bits [count][binary_bytes]. capacity is in bytes. */
    cl2_status *(CL2_CALL *describe_bits)(cl2_model *model, const cl2_patches *patches, uint8_t *bits, int64_t capacity);
    /* Scores pairs of patches, the larger the more alike: scores [count]. For networks that score pairs. */
    cl2_status *(CL2_CALL *score)(cl2_model *model, const cl2_patches *first, const cl2_patches *second, float *scores, int64_t capacity);

    /* Finds the nearest target of each query, by exhaustive search on the device.
     * mutual    not 0: keep a match only where the query is also the nearest of its target
     * ratio     keep a match only where distance < ratio x second_distance; above 0, 1 or more keeps all
     * matches   [capacity], by rising query; capacity is at least the number of queries
     * count     the matches that were kept; 0 where there are no targets */
    cl2_status *(CL2_CALL *match)(cl2_device *device, const cl2_descriptors *queries, const cl2_descriptors *targets, int32_t mutual, double ratio,
                                  cl2_match *matches, int64_t capacity, int64_t *count);

    /* Since version 2. */

    /* Cuts patches out of images, and describes them, all images in one call. n is the number of regions of all images.
     * images          [count] images
     * regions         [count]: the places in each image
     * type            CL2_F32 or CL2_BITS
     * descriptors     [n][dimension] floats, or [n][binary_bytes] bytes: the first image's, then the second's, and so on
     * capacity        the floats or bytes that descriptors holds
     * patches         [n][patch_side][patch_side] bytes: the patches that were cut; NULL where they are not wanted
     * patch_capacity  the bytes that patches holds; 0 where it is NULL */
    cl2_status *(CL2_CALL *describe_images)(cl2_model *model, const cl2_image *images, const cl2_regions *regions, int64_t count, int32_t type,
                                            void *descriptors, int64_t capacity, uint8_t *patches, int64_t patch_capacity);
    /* Opens a GPU on the CUDA context that is current on this thread. Work is queued on the caller's stream, in the order of the calls. Context and stream
     * stay the caller's, and must outlive the device. Every call on any device leaves the thread's current context as it was.
     * stream  a CUstream; NULL is the default stream */
    cl2_status *(CL2_CALL *device_open_stream)(void *stream, int32_t threads, const char *precision, cl2_device **device);

    /* Describes patches in the memory of the model's GPU, into memory there. The work is queued on the device's stream; nothing waits for it.
     * patches      as for describe; data is a device pointer. A float that is not finite is not found: NaN counts as 0
     * type         CL2_F32 or CL2_BITS
     * descriptors  device memory at a multiple of 16: [count][dimension] floats or [count][binary_bytes] bytes
     * capacity     the floats or bytes that descriptors holds */
    cl2_status *(CL2_CALL *describe_on_device)(cl2_model *model, const cl2_patches *patches, int32_t type, void *descriptors, int64_t capacity);

    /* Describes the patches of a DLPack tensor, [n][side][side] or [n][1][side][side], uint8 or float32 (then white is as in cl2_patches), of any strides.
     * patches      stays the caller's. On a GPU it is read as by describe_on_device, on the stream of the model's device
     * type         CL2_F32 or CL2_BITS
     * descriptors  a new tensor on the same device, [n][dimension] float32 or [n][binary_bytes] uint8; its deleter releases it */
    cl2_status *(CL2_CALL *describe_dlpack)(cl2_model *model, const struct DLManagedTensorVersioned *patches, double white, int32_t type,
                                            struct DLManagedTensorVersioned **descriptors);

    /* Keeps descriptors on a device, as targets that are searched often; they are copied. Results are those of match, to the bit. */
    cl2_status *(CL2_CALL *index_build)(cl2_device *device, const cl2_descriptors *targets, cl2_index **index);
    /* As match. */
    cl2_status *(CL2_CALL *index_match)(cl2_index *index, const cl2_descriptors *queries, int32_t mutual, double ratio, cl2_match *matches,
                                        int64_t capacity, int64_t *count);
    /* Finds the k nearest targets of each query, by rising distance, on ties by rising row.
     * targets    [n][k]: rows of the targets; -1 behind the last one where there are fewer than k
     * distances  [n][k]: Euclidean distances, or numbers of differing bits; infinity where there is no target
     * capacity   the elements that each of both holds */
    cl2_status *(CL2_CALL *index_nearest)(cl2_index *index, const cl2_descriptors *queries, int32_t k, int32_t *targets, float *distances,
                                          int64_t capacity);
    cl2_status *(CL2_CALL *index_release)(cl2_index *index);
} cl2_api;

/* The table of a version; NULL where the library is older than that, or its parts are not beside it. */
#if defined(_WIN32)
__declspec(dllimport)
#endif
const cl2_api *CL2_CALL cl2_get_api(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
