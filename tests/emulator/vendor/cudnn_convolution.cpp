// Convolutions of the stand-in for cuDNN: forward, backward, and the choice of an algorithm.
#include "vendor/cudnn.h"

using namespace emu;
using namespace emu::cudnn;

namespace {
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
}  // namespace

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
    if (b->n != 1 || b->h != 1 || b->w != 1 || b->c != y->c || b->type != y->type) return refuse(BAD_PARAM, call, "the bias is one value per channel");
    Object gradient = *y, bias = *b;
    float scale = *(const float*)alpha, keep = *(const float*)beta;
    return queue(handle, call, {{dy, y->bytes()}, {db, b->bytes()}}, [=] {
        std::vector<double> values = load(gradient, dy), sums(bias.c);
        for (size_t i = 0; i < values.size(); i++) sums[i % bias.c] += values[i];
        store(bias, db, sums, scale, keep);
    });
}
