// A stand-in for cuDNN: the entry points that the library uses, in plain loops, with the status values of cuDNN 9.
//
// It takes less than the original does: tensors and filters NHWC, in float32 or bfloat16, and one or two algorithms per pass, of which the faster one
// needs a workspace. It is also stricter: a stream must have been set, memory must be the device's and large enough, and what it keeps in a reserve
// must still be there.
#pragma once
#include <string>
#include "vendor/library.h"

namespace emu::cudnn {
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

int create(void** made, Object::Kind kind);
int destroy(void* object, Object::Kind kind);
// Null unless it is one of this kind.
Object* find(void* object, Object::Kind kind);
// Of tensors and the like only one that has been described.
const Object* described(void* object, Object::Kind kind);
const Object* opened(void* handle, const char* call, int* status);
int queue(const Object* handle, const char* call, const std::vector<Operand>& operands, std::function<void()> work);

std::vector<double> load(const Object& shape, const void* data, bool tf32 = false);
// data = alpha values + beta data.
void store(const Object& shape, void* data, const std::vector<double>& values, float alpha, float beta);
}  // namespace emu::cudnn
