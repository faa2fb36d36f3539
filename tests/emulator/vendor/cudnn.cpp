// A stand-in for cuDNN: the entry points that the library uses, in plain loops, with the status values of cuDNN 9. It takes less than the original does:
// tensors and filters NHWC, in float32 or bfloat16, and one or two algorithms a pass, of which the faster one needs a workspace. And it is stricter: a stream
// must have been set, memory must be the device's and large enough, and what it keeps in a reserve must still be there.
#include <math.h>
#include <map>
#include <mutex>
#include <string>
#include "library.h"

using namespace emu;

namespace {
enum Status { SUCCESS = 0, NOT_INITIALIZED = 1001, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, EXECUTION_FAILED = 5000 };
constexpr int Float = 0, BFloat16 = 9, Nhwc = 1, CrossCorrelation = 1, Relu = 1;
constexpr int DefaultMath = 0, TensorOp = 1, Fma = 3;
constexpr int SpatialPersistent = 2, BatchNormOnly = 0;

struct Object {
    enum Kind { Handle, Tensor, Filter, Convolution, Activation } kind;
    // Of a handle.
    void* stream = nullptr;
    bool has_stream = false;
    // Of a tensor [n][h][w][c], or a bank of filters of n.
    int type = -1, n = 0, h = 0, w = 0, c = 0;
    // Of a convolution; of an activation only the mode.
    int padding = 0, stride = 0, mode = -1, math = DefaultMath;

    size_t length() const { return (size_t)n * h * w * c; }
    size_t bytes() const { return length() * (type == BFloat16 ? 2 : 4); }
    bool same(const Object& other) const { return type == other.type && n == other.n && h == other.h && w == other.w && c == other.c; }
};
std::mutex g_objects_lock;
std::map<void*, Object::Kind> g_objects;

int create(void** made, Object::Kind kind) {
    if (!made) return BAD_PARAM;
    Object* object = new Object;
    object->kind = kind;
    std::lock_guard<std::mutex> guard(g_objects_lock);
    g_objects[object] = kind;
    count_library_object(1);
    *made = object;
    return SUCCESS;
}
// Null unless it is one of this kind; of tensors and the like, one that has been described.
Object* find(void* object, Object::Kind kind) {
    std::lock_guard<std::mutex> guard(g_objects_lock);
    auto found = g_objects.find(object);
    return found == g_objects.end() || found->second != kind ? nullptr : (Object*)object;
}
const Object* described(void* object, Object::Kind kind) {
    Object* found = find(object, kind);
    bool ready = found && (kind == Object::Tensor || kind == Object::Filter ? found->type >= 0 : found->mode >= 0);
    return ready ? found : nullptr;
}
int destroy(void* object, Object::Kind kind) {
    if (!find(object, kind)) return BAD_PARAM;
    std::lock_guard<std::mutex> guard(g_objects_lock);
    g_objects.erase(object);
    delete (Object*)object;
    count_library_object(-1);
    return SUCCESS;
}
const Object* opened(void* handle, const char* call, int* status) {
    const Object* found = find(handle, Object::Handle);
    *status = !found ? refuse(NOT_INITIALIZED, call, "no such handle") : !found->has_stream ? refuse(NOT_INITIALIZED, call, "no stream has been set") : SUCCESS;
    return found;
}
int queue(const Object* handle, const char* call, const std::vector<Operand>& operands, std::function<void()> work) {
    for (const Operand& operand : operands)
        if (!operand.address && operand.bytes) return refuse(BAD_PARAM, call, "a tensor without memory");
    return queue_library_call(handle->stream, call, operands, std::move(work)) ? EXECUTION_FAILED : SUCCESS;
}
int describe(Object* object, int format, int type, int n, int c, int h, int w) {
    if (!object || n < 1 || c < 1 || h < 1 || w < 1) return BAD_PARAM;
    if (format != Nhwc || (type != Float && type != BFloat16)) return NOT_SUPPORTED;
    object->type = type, object->n = n, object->c = c, object->h = h, object->w = w;
    return SUCCESS;
}

// ---- values ----
std::vector<double> load(const Object& shape, const void* data, bool tf32 = false) {
    std::vector<double> values(shape.length());
    for (size_t i = 0; i < values.size(); i++) {
        float value = shape.type == BFloat16 ? from_bfloat16(((const uint16_t*)data)[i]) : ((const float*)data)[i];
        values[i] = tf32 ? from_tf32(to_tf32(value)) : value;
    }
    return values;
}
// data = alpha values + beta data.
void store(const Object& shape, void* data, const std::vector<double>& values, float alpha, float beta) {
    for (size_t i = 0; i < values.size(); i++) {
        bool narrow = shape.type == BFloat16;
        double before = beta == 0 ? 0 : narrow ? from_bfloat16(((uint16_t*)data)[i]) : ((float*)data)[i];
        float value = (float)(alpha * values[i] + beta * before);
        if (narrow)
            ((uint16_t*)data)[i] = to_bfloat16(value);
        else
            ((float*)data)[i] = value;
    }
}

// ---- convolution ----
// The kernels beside it are compiled for as much.
#define VECTORS __attribute__((target("avx2,fma")))
enum Pass { Forward, BackwardData, BackwardFilter };
struct Convolution {
    Object x, w, y, how;
    bool tf32() const { return x.type == Float && how.math != Fma; }

    // Calls f(pixel of y, pixel of x, tap) for every product that is not with padding.
    template <class F>
    void each(F f) const {
        for (int n = 0; n < y.n; n++)
            for (int oy = 0; oy < y.h; oy++)
                for (int ox = 0; ox < y.w; ox++)
                    for (int ky = 0; ky < w.h; ky++)
                        for (int kx = 0; kx < w.w; kx++) {
                            int iy = oy * how.stride - how.padding + ky, ix = ox * how.stride - how.padding + kx;
                            if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w) continue;
                            f(((size_t)n * y.h + oy) * y.w + ox, ((size_t)n * x.h + iy) * x.w + ix, (size_t)ky * w.w + kx);
                        }
    }
    // [tap][in][out] from [out][tap][in], or back.
    std::vector<double> turned(const std::vector<double>& bank, bool back) const {
        std::vector<double> result(bank.size());
        size_t taps = (size_t)w.h * w.w;
        for (size_t o = 0; o < (size_t)w.n; o++)
            for (size_t t = 0; t < taps; t++)
                for (size_t i = 0; i < (size_t)w.c; i++) {
                    size_t bank_first = (o * taps + t) * w.c + i, depth_first = (t * w.c + i) * w.n + o;
                    result[back ? bank_first : depth_first] = bank[back ? depth_first : bank_first];
                }
        return result;
    }

    std::vector<double> forward(const std::vector<double>& in, const std::vector<double>& bank) const {
        std::vector<double> filters = turned(bank, false), result(y.length());
        each([&](size_t to, size_t from, size_t tap) VECTORS {
            double* __restrict__ sum = &result[to * y.c];
            for (int i = 0; i < x.c; i++) {
                double value = in[from * x.c + i];
                const double* factor = &filters[(tap * x.c + i) * y.c];
                for (int o = 0; o < y.c; o++) sum[o] += value * factor[o];
            }
        });
        return result;
    }
    std::vector<double> backward_data(const std::vector<double>& bank, const std::vector<double>& gradient) const {
        std::vector<double> result(x.length());
        size_t taps = (size_t)w.h * w.w;
        each([&](size_t from, size_t to, size_t tap) VECTORS {
            double* __restrict__ sum = &result[to * x.c];
            for (int o = 0; o < y.c; o++) {
                double value = gradient[from * y.c + o];
                const double* factor = &bank[(o * taps + tap) * x.c];
                for (int i = 0; i < x.c; i++) sum[i] += value * factor[i];
            }
        });
        return result;
    }
    std::vector<double> backward_filter(const std::vector<double>& in, const std::vector<double>& gradient) const {
        std::vector<double> result(w.length());
        each([&](size_t out, size_t from, size_t tap) VECTORS {
            const double* factor = &gradient[out * y.c];
            for (int i = 0; i < x.c; i++) {
                double value = in[from * x.c + i];
                double* __restrict__ sum = &result[(tap * x.c + i) * y.c];
                for (int o = 0; o < y.c; o++) sum[o] += value * factor[o];
            }
        });
        return turned(result, true);
    }
};
int convolution_of(const char* call, void* x, void* w, void* how, void* y, Convolution* convolution) {
    const Object *xs = described(x, Object::Tensor), *ws = described(w, Object::Filter), *hs = described(how, Object::Convolution),
                 *ys = described(y, Object::Tensor);
    if (!xs || !ws || !hs || !ys) return refuse(BAD_PARAM, call, "a descriptor is missing or describes nothing");
    int h = (xs->h + 2 * hs->padding - ws->h) / hs->stride + 1, wide = (xs->w + 2 * hs->padding - ws->w) / hs->stride + 1;
    if (xs->c != ws->c || ys->c != ws->n || xs->n != ys->n || ys->h != h || ys->w != wide) return refuse(BAD_PARAM, call, "the shapes do not fit");
    if (xs->type != ws->type || xs->type != ys->type) return refuse(NOT_SUPPORTED, call, "tensors of different types");
    if (xs->type == BFloat16 && hs->math == Fma) return refuse(NOT_SUPPORTED, call, "bfloat16 without tensor cores");
    *convolution = {*xs, *ws, *ys, *hs};
    return SUCCESS;
}
// Algorithm 0 needs none, 1 some; there are no others.
bool workspace_of(Pass pass, const Convolution& c, int algorithm, size_t* bytes) {
    *bytes = algorithm == 0 ? 0 : 256 + 4 * (pass == Forward ? c.w : pass == BackwardData ? c.w : c.y).length();
    return algorithm == 0 || algorithm == 1;
}
struct Performance {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};
int rank_algorithms(Pass pass, const Convolution& c, size_t limit, bool measured, int requested, int* returned, Performance* results) {
    if (requested < 1 || !returned || !results) return BAD_PARAM;
    Performance found[3] = {};
    int count = 0;
    // Those with tensor cores, where they are allowed, are offered beside those without.
    bool cores = c.how.math == TensorOp || c.how.math == 2;
    size_t bytes;
    workspace_of(pass, c, 1, &bytes);
    int plain = c.how.math == Fma ? Fma : DefaultMath;
    if (cores) found[count++] = {1, bytes <= limit ? SUCCESS : (int)NOT_SUPPORTED, 0.25f, bytes, 1, TensorOp, {}};
    if (c.x.type == Float) found[count++] = {1, bytes <= limit ? SUCCESS : (int)NOT_SUPPORTED, 0.5f, bytes, 1, plain, {}};
    found[count++] = {0, SUCCESS, 1, 0, pass == Forward, c.x.type == Float ? plain : TensorOp, {}};
    *returned = count < requested ? count : requested;
    for (int i = 0; i < *returned; i++) {
        results[i] = found[i];
        if (!measured || found[i].status) results[i].time = -1;
    }
    return SUCCESS;
}
struct ConvolutionCall {
    const char* name;
    Pass pass;
    void *x, *w, *y;  // memory
};
int convolve(const Object* handle, const Convolution& c, const ConvolutionCall& call, int algorithm, void* workspace, size_t workspace_bytes, float alpha,
             float beta) {
    size_t needed;
    if (!workspace_of(call.pass, c, algorithm, &needed)) return refuse(NOT_SUPPORTED, call.name, "no such algorithm");
    if (workspace_bytes < needed) return refuse(BAD_PARAM, call.name, "the workspace is smaller than the algorithm needs");
    std::vector<Operand> operands = {{call.x, c.x.bytes()}, {call.w, c.w.bytes()}, {call.y, c.y.bytes()}, {workspace, needed}};
    return queue(handle, call.name, operands, [=] {
        if (needed) spoil(workspace, needed);
        bool tf32 = c.tf32();
        if (call.pass == Forward) store(c.y, call.y, c.forward(load(c.x, call.x, tf32), load(c.w, call.w, tf32)), alpha, beta);
        if (call.pass == BackwardData) store(c.x, call.x, c.backward_data(load(c.w, call.w, tf32), load(c.y, call.y, tf32)), alpha, beta);
        if (call.pass == BackwardFilter) store(c.w, call.w, c.backward_filter(load(c.x, call.x, tf32), load(c.y, call.y, tf32)), alpha, beta);
    });
}
// Descriptors in the order x, w, how, y.
int run(void* dnn, const void* alpha, const void* beta, void* x, void* w, void* how, void* y, const ConvolutionCall& call, int algorithm, void* workspace,
        size_t workspace_bytes) {
    int status;
    const Object* handle = opened(dnn, call.name, &status);
    if (status) return status;
    Convolution c;
    if ((status = convolution_of(call.name, x, w, how, y, &c))) return status;
    if (!alpha || !beta) return refuse(BAD_PARAM, call.name, "no factor");
    return convolve(handle, c, call, algorithm, workspace, workspace_bytes, *(const float*)alpha, *(const float*)beta);
}
int measure(void* dnn, void* x, void* w, void* how, void* y, const ConvolutionCall& call, void* workspace, size_t workspace_bytes, int requested, int* returned,
            Performance* results) {
    int status;
    const Object* handle = opened(dnn, call.name, &status);
    if (status) return status;
    Convolution c;
    if ((status = convolution_of(call.name, x, w, how, y, &c))) return status;
    // It runs them and waits, which a capture does not allow.
    if (finish_library_calls(handle->stream)) return refuse(EXECUTION_FAILED, call.name, "the stream is being captured, or has failed");
    if ((status = convolve(handle, c, call, 0, nullptr, 0, 1, 0))) return status;
    if (finish_library_calls(handle->stream)) return EXECUTION_FAILED;
    return rank_algorithms(call.pass, c, workspace ? workspace_bytes : 0, true, requested, returned, results);
}
int guess(void* dnn, Pass pass, const char* call, void* x, void* w, void* how, void* y, int requested, int* returned, Performance* results) {
    int status;
    opened(dnn, call, &status);
    if (status) return status;
    Convolution c;
    if ((status = convolution_of(call, x, w, how, y, &c))) return status;
    return rank_algorithms(pass, c, (size_t)-1, false, requested, returned, results);
}
int workspace_size(void* dnn, Pass pass, const char* call, void* x, void* w, void* how, void* y, int algorithm, size_t* bytes) {
    int status;
    opened(dnn, call, &status);
    if (status) return status;
    Convolution c;
    if ((status = convolution_of(call, x, w, how, y, &c))) return status;
    return bytes && workspace_of(pass, c, algorithm, bytes) ? SUCCESS : NOT_SUPPORTED;
}

// ---- batch normalization ----
size_t norm_workspace(const Object& x) { return 256 + 8 * (size_t)x.c; }
// Keeps the means, by which the backward call sees that the reserve is the forward call's.
size_t norm_reserve(const Object& x) { return 4 * (size_t)x.c; }
int check_norm(const char* call, int mode, int operations, const Object* x, const Object* other, const Object* statistics) {
    if (mode != SpatialPersistent || operations != BatchNormOnly) return refuse(NOT_SUPPORTED, call, "this mode, or operations besides normalizing");
    if (!x || !other || !statistics) return refuse(BAD_PARAM, call, "a descriptor is missing or describes nothing");
    if (!x->same(*other)) return refuse(BAD_PARAM, call, "tensors of different shapes");
    if (statistics->type != Float || statistics->n != 1 || statistics->h != 1 || statistics->w != 1 || statistics->c != x->c)
        return refuse(BAD_PARAM, call, "the statistics must be float32 and one a channel");
    return x->type == Float ? SUCCESS : refuse(NOT_SUPPORTED, call, "only float32");
}
}  // namespace

// ---- handles and descriptors ----
API size_t cudnnGetVersion() { return 90100; }
API const char* cudnnGetErrorString(int status) {
    switch (status) {
        case SUCCESS:
            return "CUDNN_STATUS_SUCCESS";
        case NOT_INITIALIZED:
            return "CUDNN_STATUS_NOT_INITIALIZED";
        case BAD_PARAM:
            return "CUDNN_STATUS_BAD_PARAM";
        case NOT_SUPPORTED:
            return "CUDNN_STATUS_NOT_SUPPORTED";
        case EXECUTION_FAILED:
            return "CUDNN_STATUS_EXECUTION_FAILED";
    }
    return "CUDNN_UNKNOWN_STATUS";
}
API int cudnnCreate(void** handle) { return create(handle, Object::Handle); }
API int cudnnDestroy(void* handle) { return destroy(handle, Object::Handle); }
API int cudnnSetStream(void* dnn, void* stream) {
    Object* handle = find(dnn, Object::Handle);
    if (!handle) return NOT_INITIALIZED;
    handle->stream = stream;
    handle->has_stream = true;
    return SUCCESS;
}
API int cudnnCreateTensorDescriptor(void** made) { return create(made, Object::Tensor); }
API int cudnnSetTensor4dDescriptor(void* made, int format, int type, int n, int c, int h, int w) {
    return describe(find(made, Object::Tensor), format, type, n, c, h, w);
}
API int cudnnDestroyTensorDescriptor(void* made) { return destroy(made, Object::Tensor); }
API int cudnnCreateFilterDescriptor(void** made) { return create(made, Object::Filter); }
API int cudnnSetFilter4dDescriptor(void* made, int type, int format, int k, int c, int h, int w) {
    return describe(find(made, Object::Filter), format, type, k, c, h, w);
}
API int cudnnDestroyFilterDescriptor(void* made) { return destroy(made, Object::Filter); }
API int cudnnCreateConvolutionDescriptor(void** made) { return create(made, Object::Convolution); }
API int cudnnSetConvolution2dDescriptor(void* made, int padding_h, int padding_w, int stride_h, int stride_w, int dilation_h, int dilation_w, int mode,
                                        int compute) {
    Object* object = find(made, Object::Convolution);
    if (!object || padding_h < 0 || stride_h < 1) return BAD_PARAM;
    if (padding_h != padding_w || stride_h != stride_w || dilation_h != 1 || dilation_w != 1 || mode != CrossCorrelation || compute != Float)
        return NOT_SUPPORTED;
    object->padding = padding_h, object->stride = stride_h, object->mode = mode, object->math = DefaultMath;
    return SUCCESS;
}
API int cudnnSetConvolutionMathType(void* made, int math) {
    Object* object = find(made, Object::Convolution);
    if (!object || math < 0 || math > 3) return BAD_PARAM;
    object->math = math;
    return SUCCESS;
}
API int cudnnDestroyConvolutionDescriptor(void* made) { return destroy(made, Object::Convolution); }
API int cudnnCreateActivationDescriptor(void** made) { return create(made, Object::Activation); }
API int cudnnSetActivationDescriptor(void* made, int mode, int, double) {
    Object* object = find(made, Object::Activation);
    if (!object) return BAD_PARAM;
    if (mode != Relu) return NOT_SUPPORTED;
    object->mode = mode;
    return SUCCESS;
}
API int cudnnDestroyActivationDescriptor(void* made) { return destroy(made, Object::Activation); }

// ---- convolution ----
API int cudnnConvolutionForward(void* dnn, const void* alpha, void* xs, const void* x, void* ws, const void* w, void* how, int algorithm, void* workspace,
                                size_t bytes, const void* beta, void* ys, void* y) {
    return run(dnn, alpha, beta, xs, ws, how, ys, {"cudnnConvolutionForward", Forward, (void*)x, (void*)w, y}, algorithm, workspace, bytes);
}
API int cudnnConvolutionBackwardData(void* dnn, const void* alpha, void* ws, const void* w, void* ys, const void* dy, void* how, int algorithm, void* workspace,
                                     size_t bytes, const void* beta, void* xs, void* dx) {
    return run(dnn, alpha, beta, xs, ws, how, ys, {"cudnnConvolutionBackwardData", BackwardData, dx, (void*)w, (void*)dy}, algorithm, workspace, bytes);
}
API int cudnnConvolutionBackwardFilter(void* dnn, const void* alpha, void* xs, const void* x, void* ys, const void* dy, void* how, int algorithm,
                                       void* workspace, size_t bytes, const void* beta, void* ws, void* dw) {
    return run(dnn, alpha, beta, xs, ws, how, ys, {"cudnnConvolutionBackwardFilter", BackwardFilter, (void*)x, dw, (void*)dy}, algorithm, workspace, bytes);
}
API int cudnnFindConvolutionForwardAlgorithmEx(void* dnn, void* xs, const void* x, void* ws, const void* w, void* how, void* ys, void* y, int requested,
                                               int* returned, Performance* results, void* workspace, size_t bytes) {
    return measure(dnn, xs, ws, how, ys, {"cudnnFindConvolutionForwardAlgorithmEx", Forward, (void*)x, (void*)w, y}, workspace, bytes, requested, returned,
                   results);
}
API int cudnnFindConvolutionBackwardDataAlgorithmEx(void* dnn, void* ws, const void* w, void* ys, const void* dy, void* how, void* xs, void* dx, int requested,
                                                    int* returned, Performance* results, void* workspace, size_t bytes) {
    return measure(dnn, xs, ws, how, ys, {"cudnnFindConvolutionBackwardDataAlgorithmEx", BackwardData, dx, (void*)w, (void*)dy}, workspace, bytes, requested,
                   returned, results);
}
API int cudnnFindConvolutionBackwardFilterAlgorithmEx(void* dnn, void* xs, const void* x, void* ys, const void* dy, void* how, void* ws, void* dw,
                                                      int requested, int* returned, Performance* results, void* workspace, size_t bytes) {
    return measure(dnn, xs, ws, how, ys, {"cudnnFindConvolutionBackwardFilterAlgorithmEx", BackwardFilter, (void*)x, dw, (void*)dy}, workspace, bytes,
                   requested, returned, results);
}
API int cudnnGetConvolutionForwardAlgorithm_v7(void* dnn, void* xs, void* ws, void* how, void* ys, int requested, int* returned, Performance* results) {
    return guess(dnn, Forward, "cudnnGetConvolutionForwardAlgorithm_v7", xs, ws, how, ys, requested, returned, results);
}
API int cudnnGetConvolutionBackwardDataAlgorithm_v7(void* dnn, void* ws, void* ys, void* how, void* xs, int requested, int* returned, Performance* results) {
    return guess(dnn, BackwardData, "cudnnGetConvolutionBackwardDataAlgorithm_v7", xs, ws, how, ys, requested, returned, results);
}
API int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void* dnn, void* xs, void* ys, void* how, void* ws, int requested, int* returned, Performance* results) {
    return guess(dnn, BackwardFilter, "cudnnGetConvolutionBackwardFilterAlgorithm_v7", xs, ws, how, ys, requested, returned, results);
}
API int cudnnGetConvolutionForwardWorkspaceSize(void* dnn, void* xs, void* ws, void* how, void* ys, int algorithm, size_t* bytes) {
    return workspace_size(dnn, Forward, "cudnnGetConvolutionForwardWorkspaceSize", xs, ws, how, ys, algorithm, bytes);
}
API int cudnnGetConvolutionBackwardDataWorkspaceSize(void* dnn, void* ws, void* ys, void* how, void* xs, int algorithm, size_t* bytes) {
    return workspace_size(dnn, BackwardData, "cudnnGetConvolutionBackwardDataWorkspaceSize", xs, ws, how, ys, algorithm, bytes);
}
API int cudnnGetConvolutionBackwardFilterWorkspaceSize(void* dnn, void* xs, void* ys, void* how, void* ws, int algorithm, size_t* bytes) {
    return workspace_size(dnn, BackwardFilter, "cudnnGetConvolutionBackwardFilterWorkspaceSize", xs, ws, how, ys, algorithm, bytes);
}
API int cudnnConvolutionBackwardBias(void* dnn, const void* alpha, void* ys, const void* dy, const void* beta, void* bs, void* db) {
    const char* call = "cudnnConvolutionBackwardBias";
    int status;
    const Object *handle = opened(dnn, call, &status), *y = described(ys, Object::Tensor), *b = described(bs, Object::Tensor);
    if (status) return status;
    if (!y || !b || !alpha || !beta) return refuse(BAD_PARAM, call, "a descriptor or a factor is missing");
    if (b->n != 1 || b->h != 1 || b->w != 1 || b->c != y->c || b->type != y->type) return refuse(BAD_PARAM, call, "the bias is one value a channel");
    Object gradient = *y, bias = *b;
    float scale = *(const float*)alpha, keep = *(const float*)beta;
    return queue(handle, call, {{dy, y->bytes()}, {db, b->bytes()}}, [=] {
        std::vector<double> values = load(gradient, dy), sums(bias.c);
        for (size_t i = 0; i < values.size(); i++) sums[i % bias.c] += values[i];
        store(bias, db, sums, scale, keep);
    });
}

// ---- element by element ----
API int cudnnAddTensor(void* dnn, const void* alpha, void* as, const void* a, const void* beta, void* cs, void* c) {
    const char* call = "cudnnAddTensor";
    int status;
    const Object *handle = opened(dnn, call, &status), *added = described(as, Object::Tensor), *sum = described(cs, Object::Tensor);
    if (status) return status;
    if (!added || !sum || !alpha || !beta) return refuse(BAD_PARAM, call, "a descriptor or a factor is missing");
    bool fits = added->same(*sum) || (added->n == 1 && added->h == 1 && added->w == 1 && added->c == sum->c && added->type == sum->type);
    if (!fits) return refuse(BAD_PARAM, call, "the shapes do not fit");
    Object from = *added, to = *sum;
    float scale = *(const float*)alpha, keep = *(const float*)beta;
    return queue(handle, call, {{a, from.bytes()}, {c, to.bytes()}}, [=] {
        std::vector<double> values = load(from, a), all(to.length());
        for (size_t i = 0; i < all.size(); i++) all[i] = values[i % values.size()];
        store(to, c, all, scale, keep);
    });
}
API int cudnnActivationForward(void* dnn, void* how, const void* alpha, void* xs, const void* x, const void* beta, void* ys, void* y) {
    const char* call = "cudnnActivationForward";
    int status;
    const Object *handle = opened(dnn, call, &status), *in = described(xs, Object::Tensor), *out = described(ys, Object::Tensor);
    if (status) return status;
    if (!described(how, Object::Activation) || !in || !out || !alpha || !beta) return refuse(BAD_PARAM, call, "a descriptor or a factor is missing");
    if (!in->same(*out)) return refuse(BAD_PARAM, call, "tensors of different shapes");
    Object shape = *in;
    float scale = *(const float*)alpha, keep = *(const float*)beta;
    return queue(handle, call, {{x, shape.bytes()}, {y, shape.bytes()}}, [=] {
        std::vector<double> values = load(shape, x);
        for (double& value : values) value = value < 0 ? 0 : value;
        store(shape, y, values, scale, keep);
    });
}
API int cudnnActivationBackward(void* dnn, void* how, const void* alpha, void* ys, const void* y, void* dys, const void* dy, void* xs, const void* x,
                                const void* beta, void* dxs, void* dx) {
    const char* call = "cudnnActivationBackward";
    int status;
    const Object *handle = opened(dnn, call, &status), *out = described(ys, Object::Tensor), *gradient = described(dys, Object::Tensor),
                 *in = described(xs, Object::Tensor), *result = described(dxs, Object::Tensor);
    if (status) return status;
    if (!described(how, Object::Activation) || !out || !gradient || !in || !result || !alpha || !beta)
        return refuse(BAD_PARAM, call, "a descriptor or a factor is missing");
    if (!out->same(*gradient) || !out->same(*in) || !out->same(*result)) return refuse(BAD_PARAM, call, "tensors of different shapes");
    Object shape = *out;
    float scale = *(const float*)alpha, keep = *(const float*)beta;
    return queue(handle, call, {{y, shape.bytes()}, {dy, shape.bytes()}, {x, shape.bytes()}, {dx, shape.bytes()}}, [=] {
        std::vector<double> values = load(shape, dy), made = load(shape, y);
        for (size_t i = 0; i < values.size(); i++) values[i] = made[i] > 0 ? values[i] : 0;
        store(shape, dx, values, scale, keep);
    });
}

// ---- batch normalization ----
API int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void* dnn, int mode, int operations, void* xs, void*, void* ys, void* statistics, void*,
                                                                 size_t* bytes) {
    const char* call = "cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize";
    int status;
    opened(dnn, call, &status);
    if (status) return status;
    const Object* x = described(xs, Object::Tensor);
    if ((status = check_norm(call, mode, operations, x, described(ys, Object::Tensor), described(statistics, Object::Tensor)))) return status;
    *bytes = norm_workspace(*x);
    return SUCCESS;
}
API int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void* dnn, int mode, int operations, void* xs, void*, void* dys, void*, void* dxs, void* statistics,
                                                          void*, size_t* bytes) {
    const char* call = "cudnnGetBatchNormalizationBackwardExWorkspaceSize";
    int status;
    opened(dnn, call, &status);
    if (status) return status;
    const Object* x = described(xs, Object::Tensor);
    if ((status = check_norm(call, mode, operations, x, described(dys, Object::Tensor), described(statistics, Object::Tensor)))) return status;
    if (!described(dxs, Object::Tensor)) return refuse(BAD_PARAM, call, "a descriptor is missing");
    *bytes = norm_workspace(*x);
    return SUCCESS;
}
API int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void* dnn, int mode, int operations, void*, void* xs, size_t* bytes) {
    const char* call = "cudnnGetBatchNormalizationTrainingExReserveSpaceSize";
    int status;
    opened(dnn, call, &status);
    if (status) return status;
    const Object* x = described(xs, Object::Tensor);
    if (mode != SpatialPersistent || operations != BatchNormOnly) return refuse(NOT_SUPPORTED, call, "this mode, or operations besides normalizing");
    if (!x || !bytes) return refuse(BAD_PARAM, call, "a descriptor is missing");
    *bytes = norm_reserve(*x);
    return SUCCESS;
}
API int cudnnBatchNormalizationForwardTrainingEx(void* dnn, int mode, int operations, const void* alpha, const void* beta, void* xs, const void* x, void*,
                                                 const void*, void* ys, void* y, void* statistics, const void* scale, const void* shift, double factor,
                                                 void* running_mean, void* running_variance, double epsilon, void* saved_mean, void* saved_inverse, void*,
                                                 void* workspace, size_t workspace_bytes, void* reserve, size_t reserve_bytes) {
    const char* call = "cudnnBatchNormalizationForwardTrainingEx";
    int status;
    const Object *handle = opened(dnn, call, &status), *in = described(xs, Object::Tensor);
    if (status) return status;
    if ((status = check_norm(call, mode, operations, in, described(ys, Object::Tensor), described(statistics, Object::Tensor)))) return status;
    if (!alpha || !beta || epsilon < 0 || x == y) return refuse(BAD_PARAM, call, "no factor, a negative epsilon, or in place");
    if (workspace_bytes < norm_workspace(*in) || reserve_bytes < norm_reserve(*in)) return refuse(BAD_PARAM, call, "too small a workspace or reserve");
    Object shape = *in;
    float gain = *(const float*)alpha, keep = *(const float*)beta;
    size_t channels = (size_t)shape.c * 4;
    std::vector<Operand> operands = {{x, shape.bytes()},
                                     {y, shape.bytes()},
                                     {scale, channels},
                                     {shift, channels},
                                     {running_mean, channels},
                                     {running_variance, channels},
                                     {saved_mean, channels},
                                     {saved_inverse, channels},
                                     {workspace, norm_workspace(shape)},
                                     {reserve, norm_reserve(shape)}};
    return queue(handle, call, operands, [=] {
        spoil(workspace, norm_workspace(shape));
        std::vector<double> values = load(shape, x);
        size_t c = shape.c, rows = values.size() / c;
        for (size_t k = 0; k < c; k++) {
            double mean = 0, variance = 0;
            for (size_t r = 0; r < rows; r++) mean += values[r * c + k];
            mean /= rows;
            for (size_t r = 0; r < rows; r++) variance += (values[r * c + k] - mean) * (values[r * c + k] - mean);
            double inverse = 1 / sqrt(variance / rows + epsilon), unbiased = variance / (rows > 1 ? rows - 1 : 1);
            ((float*)saved_mean)[k] = ((float*)reserve)[k] = (float)mean;
            ((float*)saved_inverse)[k] = (float)inverse;
            float *moving_mean = (float*)running_mean + k, *moving_variance = (float*)running_variance + k;
            *moving_mean = (float)(*moving_mean * (1 - factor) + mean * factor);
            *moving_variance = (float)(*moving_variance * (1 - factor) + unbiased * factor);
            for (size_t r = 0; r < rows; r++) values[r * c + k] = ((const float*)scale)[k] * (values[r * c + k] - mean) * inverse + ((const float*)shift)[k];
        }
        store(shape, y, values, gain, keep);
    });
}
API int cudnnBatchNormalizationBackwardEx(void* dnn, int mode, int operations, const void* alpha_data, const void* beta_data, const void* alpha_parameters,
                                          const void* beta_parameters, void* xs, const void* x, void*, const void*, void* dys, const void* dy, void*, void*,
                                          void* dxs, void* dx, void* statistics, const void* scale, const void*, void* d_scale, void* d_shift, double epsilon,
                                          const void* saved_mean, const void* saved_inverse, void*, void* workspace, size_t workspace_bytes, void* reserve,
                                          size_t reserve_bytes) {
    const char* call = "cudnnBatchNormalizationBackwardEx";
    int status;
    const Object *handle = opened(dnn, call, &status), *in = described(xs, Object::Tensor), *out = described(dxs, Object::Tensor);
    if (status) return status;
    if ((status = check_norm(call, mode, operations, in, described(dys, Object::Tensor), described(statistics, Object::Tensor)))) return status;
    if (!out || !out->same(*in)) return refuse(BAD_PARAM, call, "tensors of different shapes");
    if (!alpha_data || !beta_data || !alpha_parameters || !beta_parameters || epsilon < 0) return refuse(BAD_PARAM, call, "a factor is missing");
    if (dy == dx) return refuse(NOT_SUPPORTED, call, "in place, of which the reference says nothing");
    if (workspace_bytes < norm_workspace(*in) || reserve_bytes < norm_reserve(*in)) return refuse(BAD_PARAM, call, "too small a workspace or reserve");
    Object shape = *in, parameters = *described(statistics, Object::Tensor);
    float gain = *(const float*)alpha_data, keep = *(const float*)beta_data, parameter_gain = *(const float*)alpha_parameters,
          parameter_keep = *(const float*)beta_parameters;
    size_t channels = (size_t)shape.c * 4;
    std::vector<Operand> operands = {{x, shape.bytes()},
                                     {dy, shape.bytes()},
                                     {dx, shape.bytes()},
                                     {scale, channels},
                                     {d_scale, channels},
                                     {d_shift, channels},
                                     {saved_mean, channels},
                                     {saved_inverse, channels},
                                     {workspace, norm_workspace(shape)},
                                     {reserve, norm_reserve(shape)}};
    return queue(handle, call, operands, [=] {
        spoil(workspace, norm_workspace(shape));
        std::vector<double> values = load(shape, x), gradient = load(shape, dy), scales(shape.c), shifts(shape.c);
        size_t c = shape.c, rows = values.size() / c;
        for (size_t k = 0; k < c; k++) {
            // A reserve that is not the forward call's gives no result at all.
            double mean = ((const float*)reserve)[k] == ((const float*)saved_mean)[k] ? ((const float*)saved_mean)[k] : NAN;
            double inverse = ((const float*)saved_inverse)[k];
            for (size_t r = 0; r < rows; r++) {
                shifts[k] += gradient[r * c + k];
                scales[k] += gradient[r * c + k] * (values[r * c + k] - mean) * inverse;
            }
            for (size_t r = 0; r < rows; r++) {
                double normal = (values[r * c + k] - mean) * inverse;
                gradient[r * c + k] = ((const float*)scale)[k] * inverse * (gradient[r * c + k] - shifts[k] / rows - normal * scales[k] / rows);
            }
        }
        store(shape, dx, gradient, gain, keep);
        store(parameters, d_scale, scales, parameter_gain, parameter_keep);
        store(parameters, d_shift, shifts, parameter_gain, parameter_keep);
    });
}
