// Translates the PTX of one kernel into a program for the machine.
#include <algorithm>
#include <map>
#include "ptx/program.h"
#include "ptx/tokens.h"

namespace emu {
namespace {
struct Register {
    // Place or number; bytes is 0 for predicates.
    uint32_t at;
    unsigned bytes;
};
struct Wrong {
    std::string message;
};

class Translator {
public:
    Translator(const char* text, const PtxModule& module, const PtxEntry& entry, Program* program)
        : module_(module), entry_(entry), program_(program), tokens_(text, entry.body, entry.line) {}

    void run() {
        for (const PtxVariable& variable : module_.shared) {
            if (variable.external)
                external_.push_back(variable.name);
            else
                place(variable.name, variable.bytes);
        }
        for (unsigned bytes : entry_.parameters) {
            unsigned align = bytes >= 16 ? 16 : 8;
            program_->parameters_size = (program_->parameters_size + align - 1) / align * align;
            program_->parameter_places.push_back(program_->parameters_size);
            program_->parameter_bytes.push_back(bytes);
            program_->parameters_size += bytes;
        }
        expect("{");
        scopes_.emplace_back();
        while (!scopes_.empty()) statement();
        program_->shared_bytes = (shared_ + 1023) / 1024 * 1024;
        // Dynamic shared memory follows the variables.
        for (auto& [place, name] : dynamic_) program_->constants[place].value += program_->shared_bytes;
        for (auto& [index, label] : branches_) {
            auto found = labels_.find(label);
            if (found == labels_.end()) fail("no label " + label);
            program_->code[index].target = found->second;
        }
        join_branches();
        program_->counts.resize(program_->code.size());
    }

private:
    [[noreturn]] void fail(const std::string& message) { throw Wrong{program_->name + ", line " + std::to_string(tokens_.line()) + ": " + message}; }
    void expect(const char* token) {
        if (tokens_.current() != token) fail("'" + std::string(token) + "' was expected near '" + tokens_.current() + "'");
        tokens_.advance();
    }
    bool accept(const char* token) {
        if (tokens_.current() != token) return false;
        tokens_.advance();
        return true;
    }

    void place(const std::string& name, unsigned bytes) {
        shared_ = (shared_ + 15) / 16 * 16;
        variables_[name] = shared_;
        shared_ += bytes;
    }

    void statement() {
        if (tokens_.done()) fail("the text ends within the kernel");
        if (accept("{")) {
            scopes_.emplace_back();
        } else if (accept("}")) {
            scopes_.pop_back();
        } else if (tokens_.current() == ".reg") {
            tokens_.advance();
            registers();
        } else if (tokens_.current() == ".shared") {
            tokens_.advance();
            std::string name;
            unsigned bytes = declared_bytes(tokens_, &name);
            place(name, bytes);
            expect(";");
        } else if (tokens_.current() == ".pragma" || tokens_.current() == ".loc") {
            while (!tokens_.done() && tokens_.current() != ";" && tokens_.current() != "{") tokens_.advance();
            accept(";");
        } else if (tokens_.current()[0] == '.') {
            fail("'" + tokens_.current() + "' is not emulated");
        } else {
            instruction();
        }
    }
    void registers() {
        unsigned bytes = 0;
        bool predicate = tokens_.current() == ".pred";
        if (!predicate) bytes = type_bytes(tokens_.current());
        if (!predicate && !bytes) fail("a register of type '" + tokens_.current() + "'");
        tokens_.advance();
        do {
            std::string name = tokens_.take();
            if (!accept("<")) {
                scopes_.back()[name] = allocate(bytes);
                continue;
            }
            int count = atoi(tokens_.take().c_str());
            expect(">");
            for (int i = 0; i < count; i++) scopes_.back()[name + std::to_string(i)] = allocate(bytes);
        } while (accept(","));
        expect(";");
    }
    Register allocate(unsigned bytes) {
        if (!bytes) return {program_->predicates++, 0};
        Register made = {program_->file_bytes, bytes == 8 ? 8u : 4u};
        program_->file_bytes += made.bytes * 32;
        return made;
    }
    const Register* find(const std::string& name) {
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
            auto found = scope->find(name);
            if (found != scope->end()) return &found->second;
        }
        return nullptr;
    }
    uint32_t constant(uint64_t value, bool wide) {
        auto& known = constants_[{value, wide}];
        if (!known) {
            known = allocate(wide ? 8 : 4).at + 1;
            program_->constants.push_back({known - 1, wide, value});
        }
        return known - 1;
    }

    // ---- operands ----
    struct Operand {
        // A register, a number (negative ones as two's complement, floats as bits), a variable of shared memory, a parameter.
        std::string name;
        bool number = false;
        uint64_t value = 0;

        bool zero() const { return number && value == 0; }
    };
    Operand operand() {
        Operand o;
        bool minus = accept("-"), inverted = accept("!");
        std::string t = tokens_.take();
        if (t.empty() || inverted) fail("an operand was expected");
        if (isdigit((unsigned char)t[0])) {
            o.number = true;
            bool single = t.size() == 10 && (t[1] == 'f' || t[1] == 'F'), twice = t.size() == 18 && (t[1] == 'd' || t[1] == 'D');
            o.value = single || twice ? strtoull(t.c_str() + 2, nullptr, 16) : strtoull(t.c_str(), nullptr, 0);
            if (minus) o.value = 0 - o.value;
        } else {
            o.name = t;
        }
        return o;
    }
    uint32_t resolve(const Operand& o, char kind) {
        if (kind == 'p') {
            if (o.number) return o.value ? 1 : 0;
            const Register* r = find(o.name);
            if (!r || r->bytes) fail("'" + o.name + "' is no predicate");
            if (std::find(unread_.begin(), unread_.end(), o.name) != unread_.end()) fail("'" + o.name + "', a shuffle's second result, is not emulated");
            return r->at;
        }
        unsigned bytes = kind == '8' ? 8 : 4;
        if (o.number) return constant(bytes == 4 ? (uint32_t)o.value : o.value, bytes == 8);
        if (const Register* r = find(o.name)) {
            if (r->bytes != bytes) fail("'" + o.name + "' has " + std::to_string(r->bytes) + " bytes, not " + std::to_string(bytes));
            return r->at;
        }
        if (o.name[0] == '%') return special(o.name, bytes);
        return variable_address(o.name, bytes);
    }
    uint32_t special(const std::string& name, unsigned bytes) {
        static const char* known[] = {"%tid.x",   "%tid.y",   "%tid.z",    "%ntid.x",   "%ntid.y",   "%ntid.z", "%ctaid.x",
                                      "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid"};
        if (bytes != 4 || std::find(std::begin(known), std::end(known), name) == std::end(known)) fail("'" + name + "' is not emulated");
        for (auto& s : program_->specials)
            if (s.name == name) return s.place;
        program_->specials.push_back({allocate(4).at, name});
        return program_->specials.back().place;
    }
    uint32_t variable_address(const std::string& name, unsigned bytes) {
        // In their own space parameters begin at 0.
        for (size_t k = 0; k < entry_.names.size(); k++)
            if (entry_.names[k] == name) return constant(program_->parameter_places[k], bytes == 8);
        auto found = variables_.find(name);
        if (found != variables_.end()) return constant(found->second, bytes == 8);
        if (std::find(external_.begin(), external_.end(), name) == external_.end()) fail("'" + name + "' is not declared");
        // Not shared with numbers that happen to be 0, for what is added is known at the end only.
        uint32_t& known = bytes == 8 ? dynamic_wide_ : dynamic_narrow_;
        if (!known) {
            known = allocate(bytes).at + 1;
            dynamic_.emplace_back(program_->constants.size(), name);
            program_->constants.push_back({known - 1, bytes == 8, 0});
        }
        return known - 1;
    }
    void address(Instruction& i) {
        Operand base = operand();
        int64_t offset = 0;
        if (accept("+")) offset = (int64_t)operand().value;
        expect("]");
        if (base.number) fail("an absolute address");
        const Register* r = find(base.name);
        i.wide_base = !r || r->bytes == 8;
        i.base = resolve(base, i.wide_base ? '8' : '4');
        i.offset = offset;
    }

    void instruction() {
        Instruction i = {};
        i.guard = NoGuard;
        int line = tokens_.line();
        if (accept("@")) {
            i.when = !accept("!");
            i.guard = resolve(operand(), 'p');
        }
        std::string opcode = tokens_.take();
        if (accept(":")) {
            labels_[opcode] = (uint32_t)program_->code.size();
            return;
        }
        std::vector<Operand> given;
        unsigned vector = 0, addresses = 0;
        if (opcode == "bra" || opcode == "bra.uni") {
            branches_.emplace_back(program_->code.size(), tokens_.take());
        } else {
            while (tokens_.current() != ";") {
                if (accept("[")) {
                    Instruction to = i;
                    address(i);
                    if (addresses++) i.source = i.base, i.source_offset = i.offset, i.base = to.base, i.offset = to.offset, i.wide_base = to.wide_base;
                } else if (accept("{")) {
                    unsigned before = (unsigned)given.size();
                    do given.push_back(operand());
                    while (accept(","));
                    expect("}");
                    if (opcode.rfind("mov.", 0) == 0) vector = (unsigned)given.size() - before, opcode += before ? ".pack" : ".unpack";
                } else {
                    given.push_back(operand());
                    // A shuffle's second result, whether there was a lane to read from, is not emulated: nobody may read it.
                    if (accept("|")) unread_.push_back(operand().name);
                }
                if (!accept(",") && tokens_.current() != ";") fail("';' was expected near '" + tokens_.current() + "'");
            }
        }
        expect(";");
        if (vector) opcode += std::to_string(vector);
        // How much is copied, and whether less may be read.
        if (addresses == 2 && !given.empty() && given[0].number) {
            opcode += "." + std::to_string(given[0].value) + (given.size() == 2 ? ".some" : "");
            given.erase(given.begin());
        }
        // Numbers narrower than the register are extended, or cut off.
        bool converts = opcode.rfind("cvt.", 0) == 0, moves = opcode.rfind("ld.", 0) == 0 || opcode.rfind("st.", 0) == 0;
        const Register* moved = (moves && given.size() == 1) || (converts && given.size() == 2) ? find(given.back().name) : nullptr;
        if (moved && moved->bytes == 8 && opcode.rfind("64") != opcode.size() - 2) opcode += ".wide";
        i.operation = find_operation(opcode);
        if (!i.operation) fail("'" + opcode + "' is not emulated");
        if (given.size() != i.operation->operands.size())
            fail("'" + opcode + "' with " + std::to_string(given.size()) + " operands instead of " + std::to_string(i.operation->operands.size()));
        if (i.operation->control == Control::Barrier && !(given.size() == 3 ? given[1] : given[0]).zero()) fail("a barrier other than barrier 0");
        i.execute = i.operation->execute;
        i.control = i.operation->control;
        for (size_t k = 0; k < given.size(); k++) {
            // `_` is a result that is not wanted.
            bool unwanted = given[k].name == "_";
            i.operand[k] = unwanted ? allocate(i.operation->operands[k] == '8' ? 8 : 4).at : resolve(given[k], i.operation->operands[k]);
        }
        program_->code.push_back(i);
        program_->sources.push_back({line, opcode});
    }

    // ---- where the sides of branches meet: immediate post-dominators, by Cooper, Harvey and Kennedy's iteration over the reversed graph ----
    void join_branches() {
        std::vector<Instruction>& code = program_->code;
        uint32_t end = (uint32_t)code.size();
        std::vector<char> starts(end + 1, 0);
        starts[0] = starts[end] = 1;
        for (uint32_t i = 0; i < end; i++) {
            if (code[i].control != Control::Branch && code[i].control != Control::Return) continue;
            starts[i + 1] = 1;
            if (code[i].control == Control::Branch) starts[code[i].target] = 1;
        }
        std::vector<uint32_t> first, block_of(end + 1);
        for (uint32_t i = 0; i <= end; i++) {
            if (starts[i]) first.push_back(i);
            block_of[i] = (uint32_t)first.size() - 1;
        }
        // The last block is the end itself.
        uint32_t blocks = (uint32_t)first.size(), exit = blocks - 1;
        std::vector<std::vector<uint32_t>> next(blocks), before(blocks);
        for (uint32_t b = 0; b < exit; b++) {
            const Instruction& last = code[first[b + 1] - 1];
            if (last.control == Control::Branch) next[b].push_back(block_of[last.target]);
            if (last.control == Control::Return) next[b].push_back(exit);
            if (last.control == Control::None || last.control == Control::Barrier || last.guard != NoGuard) next[b].push_back(b + 1);
            for (uint32_t n : next[b]) before[n].push_back(b);
        }
        // Blocks in the order in which a search from the end leaves them.
        std::vector<uint32_t> order, number(blocks, ~0u);
        std::vector<std::pair<uint32_t, size_t>> path = {{exit, 0}};
        std::vector<char> seen(blocks, 0);
        seen[exit] = 1;
        while (!path.empty()) {
            auto& [block, at] = path.back();
            if (at < before[block].size()) {
                uint32_t b = before[block][at++];
                if (!seen[b]) seen[b] = 1, path.emplace_back(b, 0);
            } else {
                number[block] = (uint32_t)order.size();
                order.push_back(block);
                path.pop_back();
            }
        }
        std::vector<uint32_t> dominator(blocks, ~0u);
        dominator[exit] = exit;
        for (bool changed = true; changed;) {
            changed = false;
            for (auto b = order.rbegin(); b != order.rend(); ++b) {
                if (*b == exit) continue;
                uint32_t found = ~0u;
                for (uint32_t n : next[*b]) {
                    if (dominator[n] == ~0u) continue;
                    if (found == ~0u) {
                        found = n;
                        continue;
                    }
                    uint32_t x = n, y = found;
                    while (x != y) {
                        while (number[x] < number[y]) x = dominator[x];
                        while (number[y] < number[x]) y = dominator[y];
                    }
                    found = x;
                }
                if (found != dominator[*b]) dominator[*b] = found, changed = true;
            }
        }
        for (uint32_t b = 0; b < exit; b++) {
            Instruction& last = code[first[b + 1] - 1];
            // Blocks that never end meet nowhere.
            if (last.control == Control::Branch) last.join = dominator[b] == ~0u ? end : first[dominator[b]];
        }
    }

    const PtxModule& module_;
    const PtxEntry& entry_;
    Program* program_;
    Tokens tokens_;
    std::vector<std::map<std::string, Register>> scopes_;
    std::map<std::pair<uint64_t, bool>, uint32_t> constants_;
    std::map<std::string, unsigned> variables_;
    std::vector<std::string> external_;
    std::vector<std::pair<size_t, std::string>> dynamic_;
    uint32_t dynamic_wide_ = 0, dynamic_narrow_ = 0;
    std::map<std::string, uint32_t> labels_;
    std::vector<std::pair<size_t, std::string>> branches_;
    std::vector<std::string> unread_;
    unsigned shared_ = 0;
};
}  // namespace

std::shared_ptr<Program> translate(const char* text, const PtxModule& module, const PtxEntry& entry, std::string* wrong) {
    auto program = std::make_shared<Program>();
    program->name = entry.name;
    try {
        Translator(text, module, entry, program.get()).run();
    } catch (const Wrong& w) {
        *wrong = w.message;
        return nullptr;
    }
    return program;
}
}  // namespace emu
