#include "ptx.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

namespace emu {
namespace {
// Words, numbers and single punctuation marks; comments are skipped.
class Tokens {
public:
    explicit Tokens(const char* text) : p_(text) { advance(); }
    const std::string& current() const { return current_; }
    bool done() const { return current_.empty(); }
    int line() const { return line_; }
    void advance() {
        skip_blanks();
        const char* start = p_;
        if (word(*p_)) {
            while (word(*p_)) p_++;
        } else if (*p_ == '"') {
            for (p_++; *p_ && *p_ != '"';) p_++;
            if (*p_) p_++;
        } else if (*p_) {
            p_++;
        }
        current_.assign(start, p_ - start);
    }
    std::string take() {
        std::string t = current_;
        advance();
        return t;
    }

private:
    static bool word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.'; }
    void skip_blanks() {
        for (;;) {
            if (*p_ == '\n') line_++;
            if (isspace((unsigned char)*p_)) {
                p_++;
            } else if (p_[0] == '/' && p_[1] == '/') {
                while (*p_ && *p_ != '\n') p_++;
            } else if (p_[0] == '/' && p_[1] == '*') {
                const char* end = strstr(p_ + 2, "*/");
                for (const char* stop = end ? end + 2 : p_ + strlen(p_); p_ < stop; p_++) line_ += *p_ == '\n';
            } else {
                return;
            }
        }
    }
    const char* p_;
    int line_ = 1;
    std::string current_;
};

// Bytes of a type such as .u64 or .v4's element; 0 where it is no type.
unsigned type_bytes(const std::string& t) {
    if (t == ".f16x2" || t == ".bf16x2") return 4;
    if (t == ".pred") return 1;
    if (t.size() < 3 || t[0] != '.' || !strchr("usbf", t[1]) || !isdigit((unsigned char)t[2])) return 0;
    return (unsigned)atoi(t.c_str() + 2) / 8;
}

// The bytes of a declaration from after its state space to before its end (`,`, `)` or `;`).
unsigned declared_bytes(Tokens& tokens) {
    unsigned bytes = 0;
    while (!tokens.done() && tokens.current() != "," && tokens.current() != ")" && tokens.current() != ";") {
        std::string t = tokens.take();
        if (!bytes) bytes = type_bytes(t);
        if (t == "[") bytes *= (unsigned)atoi(tokens.current().c_str());
    }
    return bytes;
}

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
            entry.parameters.push_back(declared_bytes(tokens));
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
    while (!tokens.done()) {
        if (tokens.take() != ".entry") continue;
        std::string wrong = parse_entry(tokens, module);
        if (!wrong.empty()) return wrong;
    }
    return "";
}
}  // namespace emu
