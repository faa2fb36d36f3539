// Turns a memory fault inside a kernel into the end of its launch.
#include "driver/faults.h"
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include "fibers/scheduler.h"
#include "ptx/machine.h"

namespace emu {
namespace {
struct sigaction g_previous[65];
void on_signal(int number, siginfo_t* information, void* state) {
    if (in_machine()) fault_in_machine(information->si_addr);
    if (in_kernel()) {
        // Go on in fault_here, on the fiber's stack: it drops the block.
        set_fault_address(information->si_addr);
        greg_t* registers = ((ucontext_t*)state)->uc_mcontext.gregs;
        uintptr_t base = (uintptr_t)registers[REG_RSP] & ~(uintptr_t)(EMU_STACK - 1);
        registers[REG_RSP] = (greg_t)(base + EMU_STACK - 1024 - 8);
        registers[REG_RIP] = (greg_t)fault_here;
        return;
    }
    const struct sigaction& previous = g_previous[number];
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, information, state);
    } else if (previous.sa_handler == SIG_DFL) {
        signal(number, SIG_DFL);
        raise(number);
    } else if (previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    }
}
}  // namespace
void catch_faults() {
    // A second time the handler would be its own predecessor.
    static bool caught = false;
    if (caught) return;
    caught = true;
    for (int number : {SIGSEGV, SIGBUS, SIGFPE}) {
        struct sigaction action = {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(number, &action, &g_previous[number]);
    }
}
}  // namespace emu
