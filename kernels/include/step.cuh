// What changes from one training step to the next: src/CudaL2Net/Kernels/Training/StepParameters.cs, field by field.
#pragma once
#include "cuda_compat.cuh"

struct StepParameters {
  uint32_t step;         // counted from 0 over the whole training
  int batch_offset;      // where the batch's rows start in the list of indices
  float learning_rate;
};
