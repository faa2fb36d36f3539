namespace CudaL2Net.Native;

/// <summary>What stands between the caller's program and exceptions: every function of the table goes through it.</summary>
internal static class Guard
{
    /// <summary>Does the work of a call.</summary>
    /// <returns>0, or the handle of a status that says what went wrong.</returns>
    public static nint Run(Action work)
    {
        try
        {
            work();
            return 0;
        }
        catch (Exception error)
        {
            return Status.Of(error);
        }
    }

    /// <summary>Does the work of a call that has no status; where that fails, the call gives the default.</summary>
    public static T? Try<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception)
        {
            return default;
        }
    }
}
