// Calls for streams and events.
#include <chrono>
#include "driver/state.h"

using namespace emu;

// ---- streams ----
API int cuStreamCreate(void** handle, unsigned flags) {
    LOCK;
    TRY(check_context());
    if (!handle || flags > 1) return CUDA_ERROR_INVALID_VALUE;
    StreamPointer stream = std::make_shared<Stream>();
    stream->context = t_context;
    stream->blocking = flags == 0;
    *handle = stream.get();
    g_streams[*handle] = stream;
    return CUDA_SUCCESS;
}
API int cuStreamCreateWithPriority(void** handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }
API int cuStreamDestroy_v2(void* handle) {
    LOCK;
    TRY(check_context());
    auto found = g_streams.find(handle);
    if (found == g_streams.end()) return CUDA_ERROR_INVALID_HANDLE;
    StreamPointer stream = found->second;
    if (std::shared_ptr<Capture> ended = stream->capture) {
        // The capture ends with the stream that it began in. It and its streams hold each other.
        ended->invalid = true;
        if (ended->origin == stream) {
            for (auto& member : ended->streams) member->capture = nullptr;
            ended->streams.clear();
            ended->mode = 2;
        }
    }
    // Its work is still done; nobody can see when.
    finish(*stream);
    g_streams.erase(handle);
    return CUDA_SUCCESS;
}
static Error check_not_capturing(const StreamPointer& stream) {
    if (!stream->capture) return CUDA_SUCCESS;
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}
API int cuStreamSynchronize(void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    TRY(check_not_capturing(stream));
    g_count.waits++;
    finish(*stream);
    return t_context->fault;
}
API int cuStreamGetCtx(void* handle, void** context) {
    LOCK;
    TRY(check_initialized());
    auto found = g_streams.find(handle);
    if (found != g_streams.end()) {
        *context = found->second->context;
        return CUDA_SUCCESS;
    }
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    *context = stream->context;
    return CUDA_SUCCESS;
}
API int cuStreamQuery(void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    TRY(check_not_capturing(stream));
    if (stream->done == stream->submitted) return CUDA_SUCCESS;
    // Whoever asks again and again comes to an end.
    advance(*stream, stream->done + 1);
    return t_context->fault ? t_context->fault : CUDA_ERROR_NOT_READY;
}
API int cuStreamWaitEvent(void* handle, void* event_handle, unsigned) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    Event* event = lookup(g_events, event_handle);
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture && !event->capture->origin->capture) event->capture = nullptr;  // that capture has ended
    if (stream->capture) {
        if (!event->capture) return event->stream ? CUDA_ERROR_STREAM_CAPTURE_ISOLATION : CUDA_SUCCESS;
        if (event->capture != stream->capture) return CUDA_ERROR_STREAM_CAPTURE_MERGE;
        event->stream->unjoined = false;
        return CUDA_SUCCESS;
    }
    if (event->capture) {
        // The stream joins the capture.
        stream->capture = event->capture;
        stream->unjoined = true;
        event->capture->streams.push_back(stream);
        return CUDA_SUCCESS;
    }
    if (!event->stream) return CUDA_SUCCESS;
    return submit(stream, [] {}, {{event->stream, event->position}});
}
API int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    return submit(stream, [=] { function(data); });
}

// ---- events ----
static double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
API int cuEventCreate(void** handle, unsigned flags) {
    LOCK;
    TRY(check_context());
    if (!handle || flags > 7) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Event> event(new Event);
    event->timing = !(flags & 2);
    *handle = event.get();
    g_events[*handle] = std::move(event);
    return CUDA_SUCCESS;
}
API int cuEventDestroy_v2(void* handle) {
    LOCK;
    return g_events.erase(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
API int cuEventRecord(void* handle, void* stream_handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(stream_handle, &stream));
    Event* event = lookup(g_events, handle);
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    event->stream = stream;
    event->capture = stream->capture;
    if (stream->capture) return stream->capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
    auto time = std::make_shared<double>(-1);
    event->time = time;
    TRY(submit(stream, [time] { *time = now_ms(); }));
    event->position = stream->submitted;
    return CUDA_SUCCESS;
}
static Error find_event(void* handle, Event** event) {
    *event = lookup(g_events, handle);
    if (!*event) return CUDA_ERROR_INVALID_HANDLE;
    if (!(*event)->capture) return CUDA_SUCCESS;
    (*event)->capture->invalid = true;
    return CUDA_ERROR_CAPTURED_EVENT;
}
API int cuEventQuery(void* handle) {
    LOCK;
    TRY(check_context());
    Event* event;
    TRY(find_event(handle, &event));
    if (!event->stream || event->stream->done >= event->position) return CUDA_SUCCESS;
    advance(*event->stream, event->stream->done + 1);
    return t_context->fault ? t_context->fault : CUDA_ERROR_NOT_READY;
}
API int cuEventSynchronize(void* handle) {
    LOCK;
    TRY(check_context());
    Event* event;
    TRY(find_event(handle, &event));
    g_count.waits++;
    if (event->stream) advance(*event->stream, event->position);
    return t_context->fault;
}
API int cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    LOCK;
    TRY(check_context());
    Event *a, *b;
    TRY(find_event(start, &a));
    TRY(find_event(end, &b));
    if (!a->timing || !b->timing || !a->stream || !b->stream) return CUDA_ERROR_INVALID_HANDLE;
    if (a->stream->done < a->position || b->stream->done < b->position) return CUDA_ERROR_NOT_READY;
    *milliseconds = (float)(*b->time - *a->time);
    return CUDA_SUCCESS;
}
API int cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) { return cuEventElapsedTime(milliseconds, start, end); }
