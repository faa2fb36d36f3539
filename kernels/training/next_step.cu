// The next step's parameters: step = schedule[cursor], then cursor += 1; from the end of the schedule on the last entry stays.
// One thread. next_step stands first in a captured training step, which the host then replays without writing anything to the device.
#include "step.cuh"

extern "C" __global__ __launch_bounds__(32) void next_step(const StepParameters* __restrict__ schedule, int length, int* __restrict__ cursor,
                                                           StepParameters* __restrict__ step) {
  int entry = min(*cursor, length - 1);
  step->step = schedule[entry].step;
  step->batch_offset = schedule[entry].batch_offset;
  step->learning_rate = schedule[entry].learning_rate;
  *cursor = entry + 1;
}
KERNEL(next_step);

// One step more, for loops without a schedule.
extern "C" __global__ __launch_bounds__(32) void advance_step(StepParameters* __restrict__ step) { step->step += 1; }
KERNEL(advance_step);
