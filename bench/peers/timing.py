"""How the peers are measured: warmed up, many calls a sample, CUDA events, medians left to the reader (every sample is kept)."""
import time

import torch


def settings(device, precision):
    """Sets what PyTorch may do, and returns it for the record. TensorFloat-32 is used for tf32 and bf16 only: float32 is float32."""
    tf32 = precision != "float32"
    # The newer names of these switches and the compiler of some versions do not go together; these work in all.
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    return {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "allow_tf32": tf32, "cudnn.benchmark": True,
            "threads": torch.get_num_threads() if device.type == "cpu" else None}


def seconds_of(call, device, count):
    """The time of one of several calls."""
    if device.type == "cuda":
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        for _ in range(count):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3 / count
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def samples_of(call, device, samples, seconds=None):
    """Seconds of a call, as many samples as asked for, each long enough to be measured."""
    seconds = seconds or (0.02 if device.type == "cuda" else 0.2)
    for _ in range(3):
        call()
    count = 1
    while count < 10000:
        once = seconds_of(call, device, count)
        if once * count >= seconds / 2:
            break
        count *= 4
    count = max(1, round(seconds / once))
    return [seconds_of(call, device, count) for _ in range(samples)]


def device_memory(device):
    """The most bytes that PyTorch held on the device since `forget_memory`; None on a CPU."""
    return torch.cuda.max_memory_reserved() if device.type == "cuda" else None


def forget_memory(device):
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def captured(call):
    """What a call does on the device, as one CUDA graph: a function that launches it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()
    return graph.replay, result
