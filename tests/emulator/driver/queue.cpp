// Queued work: streams do it one after another, when something waits for it.
#include "driver/state.h"

namespace emu {
void advance(Stream& stream, uint64_t until) {
    while (stream.done < until) {
        Work work = std::move(stream.queue.front());
        stream.queue.pop_front();
        for (auto& [other, position] : work.after) advance(*other, position);
        // After a fault the device does nothing any more.
        if (!stream.context->fault) work.run();
        stream.done++;
    }
}
void finish(Stream& stream) { advance(stream, stream.submitted); }
void finish_all(Context* context) {
    if (context->legacy) finish(*context->legacy);
    std::vector<StreamPointer> all;
    for (auto& [handle, stream] : g_streams) all.push_back(stream);
    for (auto& stream : all)
        if (stream->context == context) finish(*stream);
}

Error submit(const StreamPointer& stream, std::function<void()> run, std::vector<std::pair<StreamPointer, uint64_t>> after) {
    constexpr size_t Depth = 1024;  // when so much is queued, the driver's launches wait too
    if (stream->capture) {
        if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        stream->capture->graph.nodes.push_back(std::move(run));
        stream->unjoined = stream != stream->capture->origin;
        return CUDA_SUCCESS;
    }
    // The legacy stream's work waits for all blocking streams', and theirs for it.
    if (stream->legacy) {
        for (auto& [handle, other] : g_streams) {
            if (!other->blocking || other->context != stream->context) continue;
            if (other->capture) {
                other->capture->invalid = true;
                return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
            }
            after.emplace_back(other, other->submitted);
        }
    } else if (stream->blocking && stream->context->legacy) {
        after.emplace_back(stream->context->legacy, stream->context->legacy->submitted);
    }
    stream->queue.push_back(Work{std::move(run), std::move(after)});
    stream->submitted++;
    if (stream->queue.size() > Depth) advance(*stream, stream->done + 1);
    return CUDA_SUCCESS;
}
}  // namespace emu
