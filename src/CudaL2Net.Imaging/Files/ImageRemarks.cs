namespace CudaL2Net.Imaging.Files;

/// <summary>
/// Tells what is odd about good images: several in one file, an unusual range of values, keypoints that were dropped. A listener hears what is read while it
/// listens, by the thread that made it and the tasks that this one starts. Each remark is told once, the first twenty word by word, then their number.
/// </summary>
public sealed class ImageRemarks : IDisposable
{
    private const int Told = 20;

    private static readonly AsyncLocal<ImageRemarks?> Listener = new();

    private readonly Lock gate = new();
    private readonly HashSet<string> said = [];
    private readonly Action<string> say;
    private readonly ImageRemarks? outer = Listener.Value;
    private bool ended;

    private ImageRemarks(Action<string> say) => this.say = say;

    /// <summary>Starts to listen. Dispose of the result to end it.</summary>
    /// <param name="say">Is told each remark, in one sentence that starts with the image's file; never by two threads at once.</param>
    public static ImageRemarks Listen(Action<string> say)
    {
        ArgumentNullException.ThrowIfNull(say);
        return Listener.Value = new ImageRemarks(say);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            if (!ended && said.Count > Told)
            {
                say($"{said.Count - Told} more remarks on images");
            }

            ended = true;
        }

        Listener.Value = outer;
    }

    /// <summary>Tells the listener, if there is one.</summary>
    internal static void Say(string path, string remark) => Listener.Value?.Tell($"{path} {remark}");

    private void Tell(string remark)
    {
        lock (gate)
        {
            if (!ended && said.Add(remark) && said.Count <= Told)
            {
                say(remark);
            }
        }
    }
}
