// The memory of the emulated device: allocations between pages that must not be touched.
#include "driver/memory.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "fibers/numbers.h"

namespace emu {
namespace {
// What surrounds an allocation within its pages.
constexpr unsigned char Border = 0xc5;
// The driver aligns to this, and kernels may rely on it.
constexpr size_t Alignment = 256;
}  // namespace

// The next gap of that size, guard page included.
uintptr_t DeviceMemory::place(size_t bytes) {
    for (int round = 0; round < 2; round++) {
        while (next_ + bytes + Page <= last_) {
            auto other = live_.lower_bound(next_);
            if (other == live_.end() || other->second.address / Page * Page >= next_ + bytes + Page) {
                uintptr_t base = next_;
                next_ += bytes + Page;
                return base;
            }
            next_ = (other->first / Page + 2) * Page;
        }
        next_ = first_;
    }
    return 0;
}

bool DeviceMemory::allocate(size_t bytes, size_t total, uintptr_t* address) {
    if (!first_) {
        size_t range = (size_t)1 << 40;
        void* p = MAP_FAILED;
        for (; p == MAP_FAILED && range >= (size_t)1 << 32; range /= 2) {
            p = mmap(nullptr, range, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (p != MAP_FAILED) break;
        }
        if (p == MAP_FAILED) return false;
        first_ = next_ = (uintptr_t)p;
        last_ = first_ + range;
    }
    if (bytes > total || used_ + bytes > total) return false;
    size_t aligned = (bytes + Alignment - 1) / Alignment * Alignment;
    size_t pages = span(aligned);
    uintptr_t base = place(pages);
    if (!base || mprotect((void*)base, pages, PROT_READ | PROT_WRITE)) return false;
    *address = base + pages - aligned;
    memset((void*)base, Border, *address - base);
    uint32_t* words = (uint32_t*)*address;
    for (size_t i = 0; i < bytes / 4; i++) words[i] = Unwritten;
    memset((char*)*address + bytes / 4 * 4, Border, aligned - bytes / 4 * 4);
    live_[*address + aligned - 1] = Allocation{*address, bytes, false};
    used_ += bytes;
    return true;
}

Allocation* DeviceMemory::find(uintptr_t address) {
    auto found = live_.lower_bound(address);
    if (found != live_.end() && found->second.address <= address) return &found->second;
    // The address just past an allocation's last byte.
    found = live_.lower_bound(address - 1);
    return found != live_.end() && found->second.address < address && found->first == address - 1 ? &found->second : nullptr;
}

bool DeviceMemory::usable(uintptr_t address, size_t bytes) {
    const Allocation* a = find(address);
    return a && !a->freeing && address + bytes <= a->address + a->bytes;
}

std::string DeviceMemory::release(uintptr_t address) {
    auto found = live_.lower_bound(address);
    Allocation a = found->second;
    uintptr_t end = found->first + 1;
    uintptr_t base = a.address / Page * Page;
    std::string damage;
    auto check = [&](uintptr_t from, uintptr_t to, const char* where) {
        for (uintptr_t p = from; p < to && damage.empty(); p++) {
            if (*(unsigned char*)p == Border) continue;
            char text[160];
            long long distance = (long long)(p - (p < a.address ? a.address : a.address + a.bytes));
            snprintf(text, sizeof text, "%lld bytes %s an allocation of %zu bytes were overwritten", distance < 0 ? -distance : distance + 1, where, a.bytes);
            damage = text;
        }
    };
    check(base, a.address, "before");
    check(a.address + a.bytes, end, "after");
    mmap((void*)base, end - base, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    live_.erase(found);
    used_ -= a.bytes;
    return damage;
}

void DeviceMemory::clear() {
    while (!live_.empty()) release(live_.begin()->second.address);
}
}  // namespace emu
