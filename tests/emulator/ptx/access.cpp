// Counts what accesses to memory cost a GPU.
#include "ptx/access.h"
#include <algorithm>

namespace emu {
void count_passes(Count& count, const uint64_t* addresses, uint32_t active, unsigned bytes) {
    unsigned lanes = bytes <= 4 ? 32 : 128 / bytes;
    for (unsigned first = 0; first < 32; first += lanes) {
        uint64_t words[32];
        unsigned different = 0;
        for (unsigned l = first; l < first + lanes; l++) {
            if (!(active >> l & 1)) continue;
            for (unsigned b = 0; b < bytes; b += 4) words[different++] = (addresses[l] + b) / 4;
        }
        if (!different) continue;
        std::sort(words, words + different);
        different = (unsigned)(std::unique(words, words + different) - words);
        unsigned of_bank[32] = {}, most = 0;
        for (unsigned k = 0; k < different; k++) most = std::max(most, ++of_bank[words[k] % 32]);
        count.passes += most;
        count.fewest_passes++;
    }
}
void count_sectors(Count& count, Sectors& touched, const uint64_t* addresses, uint32_t active, unsigned bytes) {
    std::vector<uint64_t> words;
    uint64_t last = ~0ull;
    for (uint32_t m = active; m; m &= m - 1)
        for (unsigned b = 0; b < bytes; b += std::min(bytes, 4u)) words.push_back((addresses[__builtin_ctz(m)] + b) / std::min(bytes, 4u));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (uint64_t word : words) {
        uint64_t sector = word * std::min(bytes, 4u) / 32;
        if (sector == last) continue;
        count.sectors++;
        touched.insert(sector);
        last = sector;
    }
    count.fewest_sectors += (words.size() * std::min(bytes, 4u) + 31) / 32;
}
}  // namespace emu
