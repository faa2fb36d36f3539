// Reads a module: its versions, and the parameters and resources of its kernels.
#include "ptx/module.h"
#include <stdlib.h>
#include "ptx/tokens.h"

namespace emu {
namespace {
std::string at(const Tokens& tokens, const std::string& message) {
    return "ptxas application ptx input, line " + std::to_string(tokens.line()) + "; error   : " + message;
}

std::string parse_entry(Tokens& tokens, PtxModule* module) {
    PtxEntry entry;
    entry.name = tokens.take();
    if (tokens.current() == "(") {
        tokens.advance();
        while (!tokens.done() && tokens.current() != ")") {
            if (tokens.current() != ".param") return at(tokens, "Parsing error near '" + tokens.current() + "': .param was expected");
            tokens.advance();
            entry.names.emplace_back();
            entry.parameters.push_back(declared_bytes(tokens, &entry.names.back()));
            if (tokens.current() == ",") tokens.advance();
        }
        tokens.advance();
    }
    while (!tokens.done() && tokens.current() != "{" && tokens.current() != ";") {
        if (tokens.take() != ".maxntid") continue;
        entry.max_threads = (unsigned)atoi(tokens.take().c_str());
        while (tokens.current() == ",") {
            tokens.advance();
            entry.max_threads *= (unsigned)atoi(tokens.take().c_str());
        }
    }
    if (tokens.current() == "{") {
        entry.body = tokens.offset();
        entry.line = tokens.line();
        int depth = 0;
        do {
            std::string t = tokens.take();
            depth += t == "{";
            depth -= t == "}";
            if (t == ".shared") entry.shared_bytes += declared_bytes(tokens);
            if (t == ".local") entry.local_bytes += declared_bytes(tokens);
        } while (depth > 0 && !tokens.done());
        if (depth > 0) return at(tokens, "Parsing error: the end of the text is inside the body of '" + entry.name + "'");
    }
    module->entries.push_back(entry);
    return "";
}
}  // namespace

std::string parse_ptx(const char* text, PtxModule* module) {
    Tokens tokens(text);
    if (tokens.take() != ".version") return at(tokens, "Missing .version directive at start of file");
    std::string version = tokens.take();
    size_t point = version.find('.');
    if (point == std::string::npos) return at(tokens, "Parsing error near '" + version + "': syntax error");
    module->version = atoi(version.c_str()) * 10 + atoi(version.c_str() + point + 1);
    if (tokens.take() != ".target") return at(tokens, "Missing .target directive");
    std::string target = tokens.take();
    if (target.rfind("sm_", 0) != 0) return at(tokens, "Unknown .target '" + target + "'");
    module->target = atoi(target.c_str() + 3);
    module->specific = isalpha((unsigned char)target.back());
    bool external = false;
    while (!tokens.done()) {
        std::string t = tokens.take();
        if (t == ".entry") {
            std::string wrong = parse_entry(tokens, module);
            if (!wrong.empty()) return wrong;
        } else if (t == ".shared") {
            PtxVariable variable = {"", 0, external};
            variable.bytes = declared_bytes(tokens, &variable.name);
            module->shared.push_back(variable);
        }
        external = t == ".extern" || (external && t != ";");
    }
    return "";
}
}  // namespace emu
