// Memory faults of kernels, as signals of the process.
#pragma once
namespace emu {
// From now on a fault inside a kernel ends its launch. Other faults go to the handlers that were there before.
void catch_faults();
}  // namespace emu
