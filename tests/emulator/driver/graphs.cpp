// Calls that capture a stream's work into a graph, and that launch graphs.
#include "driver/state.h"

using namespace emu;

// ---- capture ----
static Error end_capture(const StreamPointer& stream, Graph** graph) {
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    if (capture->mode != 2 && capture->thread != std::this_thread::get_id()) return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    Error error = capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
    for (auto& member : capture->streams) {
        if (member->unjoined && !error) error = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        member->capture = nullptr;
        member->unjoined = false;
    }
    TRY(error);
    *graph = new Graph(std::move(capture->graph));
    g_graphs[*graph].reset(*graph);
    return CUDA_SUCCESS;
}
API int cuStreamIsCapturing(void* handle, int* status) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
    return CUDA_SUCCESS;
}
API int cuStreamBeginCapture_v2(void* handle, int mode) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
    if (stream->legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    auto capture = std::make_shared<Capture>();
    capture->origin = stream;
    capture->streams.push_back(stream);
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    stream->capture = capture;
    g_captures.push_back(capture);
    return CUDA_SUCCESS;
}
API int cuStreamEndCapture(void* handle, void** graph) {
    LOCK;
    TRY(check_context());
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    *graph = nullptr;
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    std::shared_ptr<Capture> ended = stream->capture;
    Graph* made = nullptr;
    TRY(end_capture(stream, &made));
    *graph = made;
    // The capture and its streams hold each other.
    ended->streams.clear();
    ended->mode = 2;
    return CUDA_SUCCESS;
}

// ---- graphs ----
API int cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    LOCK;
    Graph* graph = lookup(g_graphs, handle);
    if (!graph || !count) return CUDA_ERROR_INVALID_VALUE;
    if (nodes)
        for (size_t i = 0; i < *count && i < graph->nodes.size(); i++) nodes[i] = &graph->nodes[i];
    *count = graph->nodes.size();
    return CUDA_SUCCESS;
}
API int cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
    LOCK;
    TRY(check_context());
    Graph* graph = lookup(g_graphs, handle);
    if (!graph || !executable) return CUDA_ERROR_INVALID_VALUE;
    auto made = std::make_shared<Graph>(*graph);
    *executable = made.get();
    g_executables[*executable] = made;
    return CUDA_SUCCESS;
}
API int cuGraphLaunch(void* executable, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    auto found = g_executables.find(executable);
    if (found == g_executables.end()) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<Graph> graph = found->second;
    Context* context = t_context;
    return submit(stream, [graph, context] {
        g_count.graph_launches++;
        for (auto& node : graph->nodes)
            if (!context->fault) node();
    });
}
API int cuGraphExecDestroy(void* executable) {
    LOCK;
    return g_executables.erase(executable) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
API int cuGraphDestroy(void* graph) {
    LOCK;
    return g_graphs.erase(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
