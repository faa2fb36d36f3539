// Batch normalization of the stand-in for cuDNN.
#include <math.h>
#include "vendor/cudnn.h"

using namespace emu;
using namespace emu::cudnn;

namespace {
size_t norm_workspace(const Object& x) { return 256 + 8 * (size_t)x.c; }
// Keeps the means, by which the backward call sees that the reserve is the forward call's.
size_t norm_reserve(const Object& x) { return 4 * (size_t)x.c; }
int check_norm(const char* call, int mode, int operations, const Object* x, const Object* other, const Object* statistics) {
    if (mode != SpatialPersistent || operations != BatchNormOnly) return refuse(NOT_SUPPORTED, call, "this mode, or operations besides normalizing");
    if (!x || !other || !statistics) return refuse(BAD_PARAM, call, "a descriptor is missing or describes nothing");
    if (!x->same(*other)) return refuse(BAD_PARAM, call, "tensors of different shapes");
    if (statistics->type != Float || statistics->n != 1 || statistics->h != 1 || statistics->w != 1 || statistics->c != x->c)
        return refuse(BAD_PARAM, call, "the statistics must be float32 and one per channel");
    return x->type == Float ? SUCCESS : refuse(NOT_SUPPORTED, call, "only float32");
}
}  // namespace

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
