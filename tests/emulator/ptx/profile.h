// What programs executed: a table, written when the process ends, to the file that CUDAL2NET_EMULATOR_PROFILE names.
#pragma once
#include <memory>

namespace emu {
struct Program;
bool profiling();
// From now on this program's counts are in the table.
void profile(const std::shared_ptr<Program>& program);
// A launch of it has ended.
void profile_launch(Program& program);
}  // namespace emu
