// What the stand-ins for cuBLAS and cuDNN ask of the driver.
#include "driver/state.h"

// The driver's own call, which waits for a stream.
API int cuStreamSynchronize(void* handle);

namespace emu {
Error queue_library_call(void* handle, const char* call, const std::vector<Operand>& operands, std::function<void()> work) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    for (const Operand& operand : operands)
        if (operand.bytes) TRY(check_device_range((uintptr_t)operand.address, operand.bytes, call));
    Context* context = t_context;
    return submit(stream, [=] {
        for (const Operand& operand : operands) {
            if (!operand.bytes || context->memory.find((uintptr_t)operand.address)) continue;
            fault(context, CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": its memory was freed before it was done");
            return;
        }
        g_count.library_calls++;
        work();
    });
}
Error finish_library_calls(void* handle) { return (Error)cuStreamSynchronize(handle); }
void count_library_object(int change) {
    LOCK;
    g_count.library_objects += change;
}
int refuse(int status, const char* call, const char* why) {
    LOCK;
    g_detail = std::string(call) + ": " + why;
    return status;
}
}  // namespace emu
