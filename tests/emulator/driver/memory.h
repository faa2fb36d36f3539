// The memory of the emulated device: a range of addresses of its own, in which every allocation ends at a page that must not be touched, freed
// memory must not be touched any more, and addresses are never used twice before all have been used.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <map>
#include <string>

namespace emu {
struct Allocation {
    uintptr_t address;
    size_t bytes;
    // Queued to be freed: no new work may name it.
    bool freeing;
};

class DeviceMemory {
public:
    // Allocates and fills with NaN. False where it would exceed the total.
    bool allocate(size_t bytes, size_t total, uintptr_t* address);
    // The allocation in which this address lies, or at whose end it is; null where there is none.
    Allocation* find(uintptr_t address);
    // Whether all of these bytes lie in one allocation that nobody has asked to free.
    bool usable(uintptr_t address, size_t bytes);
    // Frees. Returns what is wrong with the bytes around it, or nothing.
    std::string release(uintptr_t address);
    // Frees all.
    void clear();
    // Whether this can only be an address of the device.
    bool contains(uintptr_t address) const { return address >= first_ && address < last_; }
    size_t used() const { return used_; }
    size_t count() const { return live_.size(); }

private:
    static constexpr size_t Page = 4096;
    static size_t span(size_t bytes) { return (bytes + Page - 1) / Page * Page; }
    uintptr_t place(size_t pages);

    // By the last byte, so that lower_bound finds the allocation of an address.
    std::map<uintptr_t, Allocation> live_;
    uintptr_t first_ = 0, last_ = 0, next_ = 0;
    size_t used_ = 0;
};
}  // namespace emu
