using System.Collections.Concurrent;

namespace CudaL2Net.Kernels;

/// <summary>
/// Lets one thread at a time work on a device: what the device's kernels share (scratch memory, worker threads, a stream) is then that thread's alone. A thread
/// may enter again while it is inside. Nothing but entering waits for another thread; what has to be freed while another thread is inside is freed when that
/// thread leaves, so that disposing and finalizers never wait.
/// </summary>
/// <param name="owner">Whose gate it is, for messages.</param>
/// <param name="release">Frees what the owner holds, once, when the gate has been closed and nobody is inside.</param>
/// <param name="arrived">Done by a thread that has come in.</param>
/// <param name="leaving">Done by that thread before it goes out.</param>
internal sealed class DeviceGate(object owner, Action release, Action? arrived = null, Action? leaving = null)
{
    private readonly Lock held = new();
    private readonly ConcurrentQueue<Action> waiting = [];
    private int depth;
    private volatile bool closed;
    private volatile bool released;

    /// <summary>Whether work is left for the next thread that is alone.</summary>
    private bool HasWork => !waiting.IsEmpty || (closed && !released);

    /// <summary>Waits for the thread that is inside, and enters. The result is disposed of to leave.</summary>
    /// <exception cref="ObjectDisposedException">The gate is closed.</exception>
    public Entry Enter()
    {
        held.Enter();
        Deeper();
        if (closed)
        {
            Leave();
            ThrowIfClosed();
        }

        return new Entry(this);
    }

    /// <summary>Throws if the gate has been closed, also where this thread is inside.</summary>
    /// <exception cref="ObjectDisposedException">The gate is closed.</exception>
    public void ThrowIfClosed() => ObjectDisposedException.ThrowIf(closed, owner);

    /// <summary>Does something when no other thread is inside: now, or when that thread leaves. Also after the gate has been closed.</summary>
    public void WhenFree(Action work)
    {
        if (held.TryEnter())
        {
            Deeper();
            try
            {
                work();
            }
            finally
            {
                Leave();
            }
        }
        else
        {
            waiting.Enqueue(work);
            WorkOff();
        }
    }

    /// <summary>Lets nobody enter any more. What the owner holds is freed now, or when the thread that is inside leaves.</summary>
    public void Close()
    {
        closed = true;
        WorkOff();
    }

    private void Leave()
    {
        bool last = depth == 1;
        try
        {
            if (last)
            {
                Work();
            }
        }
        finally
        {
            Out();
        }

        if (last)
        {
            WorkOff();
        }
    }

    /// <summary>Does what is left, unless a thread is inside: then that one does it when it leaves.</summary>
    private void WorkOff()
    {
        // Either this thread sees what another one has left, or that one sees that nobody is inside.
        Interlocked.MemoryBarrier();
        while (HasWork && held.TryEnter())
        {
            bool alone = depth == 0;
            Deeper();
            try
            {
                if (alone)
                {
                    Work();
                }
            }
            finally
            {
                Out();
            }

            if (!alone)
            {
                return;
            }

            Interlocked.MemoryBarrier();
        }
    }

    private void Deeper()
    {
        if (++depth == 1)
        {
            arrived?.Invoke();
        }
    }

    private void Out()
    {
        if (depth == 1)
        {
            leaving?.Invoke();
        }

        depth--;
        held.Exit();
    }

    private void Work()
    {
        while (waiting.TryDequeue(out Action? work))
        {
            work();
        }

        if (closed && !released)
        {
            released = true;
            release();
        }
    }

    /// <summary>A stay inside a gate.</summary>
    public readonly ref struct Entry(DeviceGate gate)
    {
        /// <summary>Leaves.</summary>
        public void Dispose() => gate.Leave();
    }
}
