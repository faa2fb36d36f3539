// SGD: v = momentum v + (1 - dampening) (g + decay w), the first step v = g + decay w; w -= rate v.
// AdamW: m = b1 m + (1 - b1) g, s = b2 s + (1 - b2) g^2, w = (1 - rate decay) w - rate (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + epsilon), t = step + 1.
// One grid-stride pass over gradient, state and weights: 20 bytes per element for SGD, 28 for Adam, 16 at a time where all arrays are aligned. All parameters
// are one flat array, so a step of the whole network is one launch. Step and learning rate come from device memory; what is the same for all elements (the
// powers of b1 and b2) one thread per block makes in double precision.
#include "step.cuh"


struct Sgd {
  float momentum, share, decay, rate;
};

DEVICE void sgd_element(const Sgd& o, float g, float& v, float& w) {
  v = o.momentum * v + o.share * (g + o.decay * w);
  w -= o.rate * v;
}

extern "C" __global__ __launch_bounds__(256) void sgd(const float* __restrict__ gradient, float* __restrict__ velocity, float* __restrict__ parameter,
                                                      int count,
                                                      float momentum, float dampening, float decay, const StepParameters* __restrict__ parameters) {
  const bool first = parameters->step == 0;
  const Sgd o{first ? 0.f : momentum, first ? 1.f : 1.f - dampening, decay, parameters->learning_rate};
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const int vectors = (((uintptr_t)gradient | (uintptr_t)velocity | (uintptr_t)parameter) & 15) == 0 ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) {
    float4 g = ld_f4(gradient + 4 * i), v = ld_f4(velocity + 4 * i), w = ld_f4(parameter + 4 * i);
    sgd_element(o, g.x, v.x, w.x);
    sgd_element(o, g.y, v.y, w.y);
    sgd_element(o, g.z, v.z, w.z);
    sgd_element(o, g.w, v.w, w.w);
    st_f4(velocity + 4 * i, v);
    st_f4(parameter + 4 * i, w);
  }
  for (long long i = 4LL * vectors + thread; i < count; i += threads) sgd_element(o, gradient[i], velocity[i], parameter[i]);
}
KERNEL(sgd);

struct Adam {
  float beta1, beta2, epsilon, shrink, rate, root_factor;
};

DEVICE void adam_element(const Adam& o, float g, float& m, float& s, float& w) {
  m = o.beta1 * m + (1.f - o.beta1) * g;
  s = o.beta2 * s + (1.f - o.beta2) * g * g;
  w = o.shrink * w - o.rate * m / (o.root_factor * sqrtf(s) + o.epsilon);
}

extern "C" __global__ __launch_bounds__(256) void adam(const float* __restrict__ gradient, float* __restrict__ first_moment, float* __restrict__ second_moment,
                                                       float* __restrict__ parameter, int count, float beta1, float beta2, float epsilon, float decay,
                                                       const StepParameters* __restrict__ parameters) {
  __shared__ float shared_rate, shared_root;
  const float learning_rate = parameters->learning_rate;
  if (threadIdx.x == 0) {
    double power1 = 1, power2 = 1, square1 = beta1, square2 = beta2;
    for (uint64_t t = (uint64_t)parameters->step + 1; t != 0; t >>= 1) {
      if (t & 1) {
        power1 *= square1;
        power2 *= square2;
      }
      square1 *= square1;
      square2 *= square2;
    }
    shared_rate = (float)(learning_rate / (1.0 - power1));
    shared_root = 1.f / sqrtf((float)(1.0 - power2));
  }
  __syncthreads();
  const Adam o{beta1, beta2, epsilon, 1.f - learning_rate * decay, shared_rate, shared_root};
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const bool aligned = (((uintptr_t)gradient | (uintptr_t)first_moment | (uintptr_t)second_moment | (uintptr_t)parameter) & 15) == 0;
  const int vectors = aligned ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) {
    float4 g = ld_f4(gradient + 4 * i), m = ld_f4(first_moment + 4 * i), s = ld_f4(second_moment + 4 * i), w = ld_f4(parameter + 4 * i);
    adam_element(o, g.x, m.x, s.x, w.x);
    adam_element(o, g.y, m.y, s.y, w.y);
    adam_element(o, g.z, m.z, s.z, w.z);
    adam_element(o, g.w, m.w, s.w, w.w);
    st_f4(first_moment + 4 * i, m);
    st_f4(second_moment + 4 * i, s);
    st_f4(parameter + 4 * i, w);
  }
  for (long long i = 4LL * vectors + thread; i < count; i += threads) adam_element(o, gradient[i], first_moment[i], second_moment[i], parameter[i]);
}
KERNEL(adam);
