// Handles and descriptors of the stand-in for cuDNN, and its operations element by element.
#include "vendor/cudnn.h"
#include <map>
#include <mutex>

namespace emu::cudnn {
namespace {
std::mutex g_objects_lock;
std::map<void*, Object::Kind> g_objects;

int describe(Object* object, int format, int type, int n, int c, int h, int w) {
    if (!object || n < 1 || c < 1 || h < 1 || w < 1) return BAD_PARAM;
    if (format != Nhwc || (type != Float && type != BFloat16)) return NOT_SUPPORTED;
    object->type = type, object->n = n, object->c = c, object->h = h, object->w = w;
    return SUCCESS;
}
}  // namespace

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

std::vector<double> load(const Object& shape, const void* data, bool tf32) {
    std::vector<double> values(shape.length());
    for (size_t i = 0; i < values.size(); i++) {
        float value = shape.type == BFloat16 ? from_bf16(((const uint16_t*)data)[i]) : ((const float*)data)[i];
        values[i] = tf32 ? from_tf32(to_tf32(value)) : value;
    }
    return values;
}
void store(const Object& shape, void* data, const std::vector<double>& values, float alpha, float beta) {
    for (size_t i = 0; i < values.size(); i++) {
        bool narrow = shape.type == BFloat16;
        double before = beta == 0 ? 0 : narrow ? from_bf16(((uint16_t*)data)[i]) : ((float*)data)[i];
        float value = (float)(alpha * values[i] + beta * before);
        if (narrow)
            ((uint16_t*)data)[i] = to_bf16(value);
        else
            ((float*)data)[i] = value;
    }
}
}  // namespace emu::cudnn

using namespace emu;
using namespace emu::cudnn;

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
