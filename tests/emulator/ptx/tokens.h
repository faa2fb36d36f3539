// PTX as words.
#pragma once
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <string>

namespace emu {
// Words, numbers and single punctuation marks; comments are skipped.
class Tokens {
public:
    explicit Tokens(const char* text, size_t from = 0, int line = 1) : text_(text), p_(text + from), line_(line) { advance(); }
    const std::string& current() const { return current_; }
    bool done() const { return current_.empty(); }
    int line() const { return line_; }
    // Where the current token begins.
    size_t offset() const { return (size_t)(p_ - text_) - current_.size(); }
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
    const char *text_, *p_;
    int line_;
    std::string current_;
};

// Bytes of a type such as .u64 or .v4's element; 0 where it is no type.
inline unsigned type_bytes(const std::string& t) {
    if (t == ".f16x2" || t == ".bf16x2") return 4;
    if (t == ".pred") return 1;
    if (t.size() < 3 || t[0] != '.' || !strchr("usbf", t[1]) || !isdigit((unsigned char)t[2])) return 0;
    return (unsigned)atoi(t.c_str() + 2) / 8;
}
// The bytes, and the name, of a declaration from after its state space to before its end (`,`, `)` or `;`).
inline unsigned declared_bytes(Tokens& tokens, std::string* name = nullptr) {
    unsigned bytes = 0;
    while (!tokens.done() && tokens.current() != "," && tokens.current() != ")" && tokens.current() != ";") {
        std::string t = tokens.take();
        if (!bytes) bytes = type_bytes(t);
        if (t == "[") bytes *= (unsigned)atoi(tokens.current().c_str());
        if (name && (isalpha((unsigned char)t[0]) || t[0] == '_' || t[0] == '$')) *name = t;
    }
    return bytes;
}
}  // namespace emu
