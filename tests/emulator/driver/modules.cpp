// Calls that load modules, which are PTX, and find the kernels in them.
#include <stdio.h>
#include <algorithm>
#include "driver/state.h"
#include "ptx/profile.h"

using namespace emu;

namespace {
// The newest PTX that a driver of this CUDA version takes: 70 is 7.0.
int newest_ptx(int driver) {
    if (driver >= 13000) return 90 + (driver - 13000) / 10;
    if (driver >= 12070) return 86 + (driver - 12070) / 10;
    if (driver >= 12000) return 80 + (driver >= 12060 ? 5 : (driver - 12000) / 10);
    if (driver >= 11000) return 70 + (driver - 11000) / 10;
    return driver >= 10000 ? 63 + (driver - 10000) / 10 : 60;
}
Error load(const char* text, Module* module, std::string* log) {
    if (!memcmp(text,
                "\x7f"
                "ELF",
                4))
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    static std::map<std::string, PtxText, std::less<>> known;
    auto found = known.find(std::string_view(text));
    if (found == known.end()) {
        found = known.emplace(text, PtxText()).first;
        found->second.wrong = parse_ptx(text, &found->second.module);
    }
    module->text = &found->first;
    module->ptx = &found->second;
    module->runs = configuration().ptx;
    *log = module->ptx->wrong;
    if (!log->empty()) return CUDA_ERROR_INVALID_PTX;
    const Configuration& c = configuration();
    const PtxModule& ptx = module->ptx->module;
    char line[200];
    if (ptx.version > newest_ptx(c.driver)) {
        snprintf(line, sizeof line, "ptxas application ptx input, line 1; fatal   : Unsupported .version %d.%d; current version is '%d.%d'",
                 ptx.version / 10, ptx.version % 10, newest_ptx(c.driver) / 10, newest_ptx(c.driver) % 10);
        *log = line;
        return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    }
    if (ptx.target > c.compute || (ptx.specific && ptx.target != c.compute)) {
        snprintf(line, sizeof line, "ptxas application ptx input; error   : SM version specified by .target is higher than default SM version assumed (sm_%d)",
                 c.compute);
        *log = line;
        return CUDA_ERROR_INVALID_PTX;
    }
    for (const PtxEntry& entry : ptx.entries) {
        if (entry.shared_bytes <= StaticShared) continue;
        snprintf(line, sizeof line, "ptxas error   : Entry function '%s' uses too much shared data (0x%x bytes, 0xc000 max)", entry.name.c_str(),
                 entry.shared_bytes);
        *log = line;
        return CUDA_ERROR_INVALID_PTX;
    }
    return CUDA_SUCCESS;
}
// Translated once, however often the library loads it.
std::shared_ptr<Program> program_of(const Module& module, const PtxEntry& entry, std::string* wrong) {
    std::shared_ptr<Program>& program = module.ptx->programs[entry.name];
    if (!program && (program = translate(module.text->c_str(), module.ptx->module, entry, wrong))) profile(program);
    return program;
}
}  // namespace

API int cuModuleLoadDataEx(void** handle, const void* image, unsigned options, const int* names, void** values) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    if (!handle || !image) return CUDA_ERROR_INVALID_VALUE;
    constexpr int ErrorLog = 5, ErrorLogBytes = 6;
    char* buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < options; i++) {
        if (names[i] == ErrorLog) buffer = (char*)values[i];
        if (names[i] == ErrorLogBytes) size = (unsigned)(uintptr_t)values[i];
    }
    std::unique_ptr<Module> module(new Module);
    std::string log;
    Error error = load((const char*)image, module.get(), &log);
    if (buffer && size) snprintf(buffer, size, "%s", log.c_str());
    for (unsigned i = 0; i < options; i++)
        if (names[i] == ErrorLogBytes) values[i] = (void*)(uintptr_t)(log.size() < size ? log.size() : size);
    TRY(error);
    *handle = module.get();
    g_modules[*handle] = std::move(module);
    return CUDA_SUCCESS;
}
API int cuModuleLoadData(void** handle, const void* image) { return cuModuleLoadDataEx(handle, image, 0, nullptr, nullptr); }
API int cuModuleUnload(void* handle) {
    LOCK;
    TRY(check_context());
    Module* module = lookup(g_modules, handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    finish_all(t_context);
    for (auto& [name, function] : module->functions) g_functions.erase(function.get());
    g_modules.erase(handle);
    return CUDA_SUCCESS;
}
API int cuModuleGetFunction(void** handle, void* module_handle, const char* name) {
    LOCK;
    TRY(check_context());
    Module* module = lookup(g_modules, module_handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    if (!handle || !name) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Function>& function = module->functions[name];
    if (!function) {
        const PtxEntry* entry = nullptr;
        const PtxModule& ptx = module->ptx->module;
        for (const PtxEntry& e : ptx.entries)
            if (e.name == name) entry = &e;
        if (!entry) {
            module->functions.erase(name);
            return report(CUDA_ERROR_NOT_FOUND, "%s is not in this PTX", name);
        }
        std::shared_ptr<Program> program;
        const Entry* kernel = nullptr;
        std::string wrong;
        if (module->runs) {
            program = program_of(*module, *entry, &wrong);
        } else {
            kernel = find_kernel(name);
            bool same = kernel && entry->parameters.size() == kernel->parameters;
            for (unsigned i = 0; same && i < kernel->parameters; i++) same = entry->parameters[i] == kernel->sizes[i];
            if (!same) {
                wrong = std::string(name) + " is " +
                        (kernel ? "not of the same parameters in the PTX and in the emulator" : "in the PTX but not in the emulator") + ": build both anew";
            }
        }
        if (!wrong.empty()) {
            module->functions.erase(name);
            fprintf(stderr, "emulated CUDA device: %s\n", wrong.c_str());
            return report(module->runs ? CUDA_ERROR_INVALID_PTX : CUDA_ERROR_NOT_FOUND, "%s", wrong.c_str());
        }
        unsigned dynamic = StaticShared - entry->shared_bytes;
        function.reset(new Function{module, kernel, *entry, ptx.target, ptx.version, dynamic, program, {}});
        if (!kernel) {
            const PtxEntry& own = function->ptx;
            function->own = {own.name.c_str(), nullptr, (unsigned)own.parameters.size(), own.parameters.data(), nullptr};
            function->kernel = &function->own;
        }
        g_functions.insert(function.get());
    }
    *handle = function.get();
    return CUDA_SUCCESS;
}
