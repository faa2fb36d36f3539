// Runs blocks of a launch from the kernel's PTX.
#include "ptx/machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include "fibers/numbers.h"
#include "ptx/profile.h"
#include "ptx/warp.h"

namespace emu {
void fail_in_ptx(const char* format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw PtxFault{text};
}

namespace {
thread_local sigjmp_buf* t_landing;
thread_local const void* t_address;

// What an OS thread runs blocks with.
struct State {
    std::shared_ptr<Program> program;
    const Launch* launch = nullptr;
    std::vector<Warp> warps;
    std::vector<uint32_t> predicates;
    std::vector<char> parameters;
    std::vector<Count> counts;
    Sectors read, written;
    uint64_t blocks = 0;
    char *files = nullptr, *shared = nullptr;
    size_t files_bytes = 0, shared_bytes = 0;

    static State& of_this_thread() {
        static thread_local State* state = new State;
        return *state;
    }
};
void reserve(char** memory, size_t* bytes, size_t needed) {
    if (*bytes >= needed) return;
    free(*memory);
    if (posix_memalign((void**)memory, 4096, needed)) abort();
    *bytes = needed;
}

// Goes on until the warp waits at a barrier or has ended.
template <bool Counting>
void run_warp(Warp& w, State& state) {
    const Instruction* code = state.program->code.data();
    const uint32_t end = (uint32_t)state.program->code.size();
    const Instruction* now = code;
    try {
        while (!w.sides.empty()) {
            Side& side = w.sides.back();
            if (side.at == side.join || !side.mask) {
                if (side.at == end) w.live &= ~side.mask;
                w.sides.pop_back();
                continue;
            }
            const Instruction& i = *(now = &code[side.at]);
            uint32_t mask = side.mask;
            if (i.guard != NoGuard) mask &= i.when ? w.predicates[i.guard] : ~w.predicates[i.guard];
            w.active = mask;
            if constexpr (Counting) {
                w.count = &state.counts[side.at];
                w.count->warps++;
                w.count->lanes += (unsigned)__builtin_popcount(mask);
            }
            switch (i.control) {
                case Control::None:
                    if (mask) i.execute(w, i);
                    side.at++;
                    break;
                case Control::Branch: {
                    uint32_t others = side.mask & ~mask, next = side.at + 1;
                    if (!others || !mask) {
                        side.at = mask ? i.target : next;
                        break;
                    }
                    // Where both meet, whoever waits there already goes on for this side, too.
                    if (side.join == i.join)
                        w.sides.pop_back();
                    else
                        side.at = i.join;
                    if (next != i.join) w.sides.push_back({next, i.join, others});
                    if (i.target != i.join) w.sides.push_back({i.target, i.join, mask});
                    break;
                }
                case Control::Return:
                    for (const PendingCopy& c : w.copies)
                        if (mask >> c.lane & 1) fail_in_ptx("lane %u: the thread ends with cp.async copies that it never waited for", c.lane);
                    side.at++;
                    for (Side& s : w.sides) s.mask &= ~mask;
                    w.live &= ~mask;
                    break;
                case Control::Barrier:
                    if (!mask) {
                        side.at++;
                        break;
                    }
                    if (mask != w.live) fail_in_ptx("divergent __syncthreads: lanes %08x of the warp wait, %08x are elsewhere", mask, w.live & ~mask);
                    w.at_barrier = true;
                    if (i.operation->operands.size() == 3) w.vote = w.predicates[i.operand[2]] & mask;
                    return;
            }
        }
    } catch (PtxFault& fault) {
        throw PtxFault{"warp " + std::to_string(w.number) + ", PTX line " + std::to_string(state.program->sources[(size_t)(now - code)].line) + ": " +
                       fault.message};
    }
}
template <bool Counting>
void run_block(State& state) {
    for (;;) {
        for (Warp& w : state.warps) run_warp<Counting>(w, state);
        // All that have not ended wait: at the same barrier?
        const Warp* first = nullptr;
        uint32_t vote = 0;
        auto at = [](const Warp& w) { return w.sides.back().at; };
        for (Warp& w : state.warps) {
            if (!w.at_barrier) continue;
            if (!first) first = &w;
            if (at(w) != at(*first)) {
                auto line = [&](const Warp& waits) { return std::to_string(state.program->sources[at(waits)].line); };
                throw PtxFault{"divergent __syncthreads: threads wait at PTX lines " + line(*first) + " and " + line(w)};
            }
            vote |= w.vote;
        }
        if (!first) return;
        const Instruction* barrier = &state.program->code[at(*first)];
        for (Warp& w : state.warps) {
            if (!w.at_barrier) continue;
            w.at_barrier = false;
            w.active = w.live;
            if (barrier->operation->operands.size() == 3) set_predicate(w, barrier->operand[0], vote ? ~0u : 0);
            w.sides.back().at++;
        }
    }
}
// Only these differ from block to block.
bool of_block(const std::string& special) { return special.rfind("%ctaid", 0) == 0; }
// A special register in all lanes of a warp.
void set_special(Warp& w, const Program::Special& s, const Launch& launch, uint3 block) {
    unsigned axis = (unsigned)(s.name.back() - 'x'), x = launch.block[0], y = launch.block[1];
    auto lanes = [&](auto value) {
        for (unsigned l = 0; l < 32; l++) w.at<uint32_t>(s.place)[l] = value(w.number * 32 + l);
    };
    if (s.name == "%laneid")
        lanes([](unsigned thread) { return thread % 32; });
    else if (s.name.rfind("%tid", 0) == 0)
        lanes([=](unsigned thread) { return axis == 0 ? thread % x : axis == 1 ? thread / x % y : thread / x / y; });
    else if (s.name.rfind("%ntid", 0) == 0)
        lanes([&](unsigned) { return launch.block[axis]; });
    else if (s.name.rfind("%nctaid", 0) == 0)
        lanes([&](unsigned) { return launch.grid[axis]; });
    else
        lanes([&](unsigned) { return axis == 0 ? block.x : axis == 1 ? block.y : block.z; });
}
}  // namespace

void begin_blocks(const Launch& launch) {
    State& s = State::of_this_thread();
    const Program& p = *launch.program;
    s.program = launch.program;
    s.launch = &launch;
    s.warps.resize((launch.block[0] * launch.block[1] * launch.block[2] + 31) / 32);
    s.predicates.assign(s.warps.size() * p.predicates, 0);
    // Shifted so that the registers of neighbours do not meet in the cache.
    size_t stride = (p.file_bytes + 192 + 63) / 64 * 64;
    reserve(&s.files, &s.files_bytes, stride * s.warps.size());
    reserve(&s.shared, &s.shared_bytes, p.shared_bytes + launch.shared);
    s.parameters.resize(p.parameters_size);
    for (size_t k = 0; k < p.parameter_places.size(); k++) memcpy(&s.parameters[p.parameter_places[k]], launch.args[k], p.parameter_bytes[k]);
    for (size_t n = 0; n < s.warps.size(); n++) {
        Warp& w = s.warps[n];
        w.file = s.files + n * stride;
        w.predicates = &s.predicates[n * p.predicates];
        w.predicates[1] = ~0u;
        w.number = (unsigned)n;
        w.shared = s.shared;
        w.shared_bytes = p.shared_bytes + launch.shared;
        w.parameters = s.parameters.data();
        w.count = nullptr;
        w.read = &s.read, w.written = &s.written;
        w.active = ~0u;
        for (auto& c : p.constants) each(w, [&](int l) { c.wide ? set<uint64_t>(w, c.place, l, c.value) : set<uint32_t>(w, c.place, l, (uint32_t)c.value); });
        for (auto& special : p.specials)
            if (!of_block(special.name)) set_special(w, special, launch, {});
    }
    s.counts.assign(profiling() ? p.code.size() : 0, Count());
    s.blocks = 0;
}
std::string run_block(uint3 block) {
    State& s = State::of_this_thread();
    unsigned threads = s.launch->block[0] * s.launch->block[1] * s.launch->block[2];
    for (unsigned k = 0; k < s.warps[0].shared_bytes / 4; k++) ((uint32_t*)s.shared)[k] = Unwritten;
    for (Warp& w : s.warps) {
        unsigned lanes = std::min(threads - w.number * 32, 32u);
        w.live = lanes == 32 ? ~0u : (1u << lanes) - 1;
        w.sides.assign(1, {0, (uint32_t)s.program->code.size(), w.live});
        w.at_barrier = false;
        w.vote = 0;
        w.copies.clear();
        memset(w.open_group, 0, sizeof w.open_group);
        for (auto& special : s.program->specials)
            if (of_block(special.name)) set_special(w, special, *s.launch, block);
    }
    s.blocks++;
    sigjmp_buf landing;
    std::string wrong;
    if (sigsetjmp(landing, 0) == 0) {
        t_landing = &landing;
        try {
            profiling() ? run_block<true>(s) : run_block<false>(s);
        } catch (PtxFault& fault) {
            wrong = fault.message;
        }
    } else {
        char text[80];
        snprintf(text, sizeof text, "an illegal memory access at address %p", t_address);
        wrong = text;
    }
    t_landing = nullptr;
    if (wrong.empty()) return wrong;
    char place[80];
    snprintf(place, sizeof place, "block (%u,%u,%u) ", block.x, block.y, block.z);
    return place + wrong;
}
void end_blocks() {
    State& s = State::of_this_thread();
    if (profiling()) {
        std::lock_guard<std::mutex> guard(s.program->lock);
        for (size_t k = 0; k < s.counts.size(); k++) s.program->counts[k].add(s.counts[k]);
        s.program->blocks += s.blocks;
        s.program->read.merge(s.read);
        s.program->written.merge(s.written);
        s.read.clear(), s.written.clear();
    }
    // A program goes when its module is unloaded.
    s.program = nullptr;
}
bool in_machine() { return t_landing != nullptr; }
void fault_in_machine(const void* address) {
    t_address = address;
    siglongjmp(*t_landing, 1);
}
}  // namespace emu
