// Pairs of bfloat16 with the vendor's names, from the conversions of one: for clang without a toolkit and for the emulation.
#pragma once
#include "device.cuh"
DEVICE __nv_bfloat16 __float2bfloat16_rn(float f) { return __float2bfloat16(f); }
DEVICE float __low2float(__nv_bfloat162 v) { return __bfloat162float(v.x); }
DEVICE float __high2float(__nv_bfloat162 v) { return __bfloat162float(v.y); }
DEVICE float2 __bfloat1622float2(__nv_bfloat162 v) { return make_float2(__bfloat162float(v.x), __bfloat162float(v.y)); }
DEVICE __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 lo, __nv_bfloat16 hi) { return __nv_bfloat162{lo, hi}; }
DEVICE unsigned short __bfloat16_as_ushort(__nv_bfloat16 v) { return v.x; }
DEVICE __nv_bfloat16 __ushort_as_bfloat16(unsigned short v) { return __nv_bfloat16{v}; }
