// Runs the blocks of a launch on a few OS threads.
#include <sys/mman.h>
#include <condition_variable>
#include <thread>
#include "fibers/fibers.h"
#if !defined(EMU_SANITIZE)
#include "ptx/machine.h"
#endif

namespace emu {
namespace {
#if EMU_TSAN
// Dynamic shared memory while blocks are watched.
alignas(1024) char g_unwatched[2][256 << 10];
#endif

// The stacks of one OS thread's fibers.
struct Stacks {
    unsigned char* memory = nullptr;
    unsigned guarded = 0;
    std::vector<void*> tsan;

    void prepare(unsigned n) {
#if EMU_ASAN
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &t_main_bottom, &t_main_size);
        pthread_attr_destroy(&attributes);
#endif
        if (!memory) {
            size_t size = (size_t)(MaxThreads + 1) * EMU_STACK;
            void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (p == MAP_FAILED) {
                perror("emulator: no memory for stacks");
                abort();
            }
            memory = (unsigned char*)(((uintptr_t)p + EMU_STACK - 1) & ~(uintptr_t)(EMU_STACK - 1));
        }
        t_stacks = memory;
        // A guard page above each Thread record catches an overflow. It costs two mappings, so only those that are used get one.
        for (; guarded < n; guarded++) mprotect(memory + (size_t)guarded * EMU_STACK + ((31 * 128 + sizeof(Thread) + 4095) & ~4095ul), 4096, PROT_NONE);
#if EMU_TSAN
        while (tsan.size() < n) tsan.push_back(__tsan_create_fiber(0));
        t_tsan_fibers = &tsan;
#endif
    }
};
// Two, for the race detector to tell neighbouring blocks apart.
thread_local Stacks* t_arenas[2];
thread_local Block* t_blocks[2];

// A launch under way: OS threads take its blocks one by one.
struct Work {
    const Launch* launch;
    unsigned threads;
    unsigned long long blocks;
    std::atomic<unsigned long long> next{0};
    std::atomic<bool> failed{false};
    std::mutex lock;
    std::string message;

    void take_blocks() {
#if !defined(EMU_SANITIZE)
        if (launch->program) return take_blocks_of_ptx();
#endif
        int turns = 1;
        bool keeps_shared = false;
#if EMU_TSAN
        turns = g_watch_blocks ? 2 : 1;
        keeps_shared = g_watch_blocks;
#endif
        for (int turn = 0; turn < turns; turn++) prepare(turn);
        for (unsigned long long i; !failed && (i = next++) < blocks;) {
            int turn = (int)(i % turns);
            Block* b = t_blocks[turn];
            t_arenas[turn]->prepare(threads);
            b->bid = block_at(i);
            if (!run_block(b)) stop(t_error);
        }
        for (int turn = 0; turn < turns; turn++) {
#if EMU_TSAN
            __tsan_acquire(&t_blocks[turn]->tok_end);
#endif
            if (!keeps_shared) free(t_blocks[turn]->smem);
        }
    }
    uint3 block_at(unsigned long long i) const {
        unsigned gx = launch->grid[0], gy = launch->grid[1];
        return uint3{(unsigned)(i % gx), (unsigned)(i / gx % gy), (unsigned)(i / gx / gy)};
    }
    void stop(const std::string& wrong) {
        if (failed.exchange(true)) return;
        std::lock_guard<std::mutex> guard(lock);
        message = wrong;
    }
#if !defined(EMU_SANITIZE)
    void take_blocks_of_ptx() {
        begin_blocks(*launch);
        for (unsigned long long i; !failed && (i = next++) < blocks;) {
            std::string wrong = emu::run_block(block_at(i));
            if (!wrong.empty()) stop(wrong);
        }
        end_blocks();
    }
#endif
    void prepare(int turn) {
        // These live as long as the process: pool threads never end.
        if (!t_arenas[turn]) t_arenas[turn] = new Stacks;
        if (!t_blocks[turn]) t_blocks[turn] = new Block;
        Block* b = t_blocks[turn];
        b->bdim = dim3(launch->block[0], launch->block[1], launch->block[2]);
        b->gdim = dim3(launch->grid[0], launch->grid[1], launch->grid[2]);
        b->n = threads;
        b->body = launch->kernel->body;
        b->args = launch->args;
        b->smem_bytes = launch->shared;
        // Of exactly this size, so that the address sanitizer sees overruns.
        b->smem = nullptr;
#if EMU_TSAN
        if (g_watch_blocks) {
            b->smem = g_unwatched[turn];
            return;
        }
#endif
        if (launch->shared && posix_memalign(&b->smem, 1024, launch->shared)) abort();
    }
};

// OS threads that wait for work. They are never joined: the process may end while they sleep.
class Pool {
public:
    static Pool& instance() {
        static Pool* pool = new Pool;
        return *pool;
    }
    // The caller takes blocks too.
    void run(Work& work) {
        {
            std::lock_guard<std::mutex> guard(lock_);
            work_ = &work;
            round_++;
            busy_ = workers_;
        }
        start_.notify_all();
        work.take_blocks();
        std::unique_lock<std::mutex> guard(lock_);
        done_.wait(guard, [this] { return busy_ == 0; });
        work_ = nullptr;
    }
    int workers() const { return workers_; }

private:
    Pool() {
        const char* asked = getenv("CUDAL2NET_EMULATOR_THREADS");
        int threads = asked ? atoi(asked) : (int)std::thread::hardware_concurrency();
        workers_ = threads > 1 ? threads - 1 : 0;
        for (int i = 0; i < workers_; i++) std::thread([this] { serve(); }).detach();
    }
    void serve() {
        unsigned long long seen = 0;
        for (;;) {
            std::unique_lock<std::mutex> guard(lock_);
            start_.wait(guard, [&] { return round_ != seen; });
            seen = round_;
            Work* work = work_;
            guard.unlock();
            work->take_blocks();
            guard.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::mutex lock_;
    std::condition_variable start_, done_;
    Work* work_ = nullptr;
    unsigned long long round_ = 0;
    int workers_, busy_ = 0;
};
}  // namespace

Entry*& registry() {
    static Entry* first;
    return first;
}
const Entry* find_kernel(const char* name) {
    for (const Entry* e = registry(); e; e = e->next)
        if (!strcmp(e->name, name)) return e;
    return nullptr;
}

std::string run_launch(const Launch& launch) {
    Work work;
    work.launch = &launch;
    work.threads = launch.block[0] * launch.block[1] * launch.block[2];
    work.blocks = (unsigned long long)launch.grid[0] * launch.grid[1] * launch.grid[2];
#if !defined(EMU_SANITIZE)
    // The smallest launches are over before another thread has woken.
    if (work.blocks > 1 && work.blocks * work.threads > 512 && Pool::instance().workers() > 0) {
        Pool::instance().run(work);
        return work.message;
    }
#endif
    work.take_blocks();
    return work.message;
}
}  // namespace emu
