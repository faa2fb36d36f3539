using System.Globalization;

namespace CudaL2Net.Autograd;

/// <summary>
/// What a training minimizes: one loss or several, with their weights and scales. A class of your own overrides <see cref="Terms"/> and
/// <see cref="RecordTerms"/>. It may record other objectives inside, and name their terms beside its own.
/// </summary>
public abstract class Objective
{
    /// <summary>The layers, from 1 and in rising order, whose maps <see cref="RecordTerms"/> reads.</summary>
    public virtual IReadOnlyList<int> MapLayers => [];

    /// <summary>Whether the losses are meaningful on unit vectors only.</summary>
    public virtual bool NeedsUnitVectors => false;

    /// <summary>Whether the losses are on scores of pairs (<see cref="ObjectiveInputs.Scores"/>), not on descriptors.</summary>
    public virtual bool ReadsScores => false;

    /// <summary>The names of the recorded losses, in order. No two are the same.</summary>
    public abstract IReadOnlyList<string> Terms { get; }

    /// <summary>Throws if an option is out of range for the network.</summary>
    /// <param name="layers">The number of the network's layers.</param>
    /// <exception cref="ArgumentException">The message names the option and its range.</exception>
    public virtual void Validate(int layers)
    {
        string named = string.Join(", ", MapLayers);
        Require(MapLayers.All(layer => layer >= 1 && layer <= layers), $"an objective on the maps of layers {named}: layers are 1 to {layers}");
        Require(MapLayers.Zip(MapLayers.Skip(1)).All(pair => pair.First < pair.Second),
            $"an objective on the maps of layers {named}: name each layer once, in rising order");
    }

    /// <summary>Records the losses. Their weighted gradients reach what they read.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="inputs">What the network gives.</param>
    /// <exception cref="ArgumentException">The inputs do not suit the objective.</exception>
    /// <exception cref="InvalidOperationException">The network lacks what the objective reads, or other losses were recorded than <see cref="Terms"/>
    /// names.</exception>
    public void Record(Tape tape, ObjectiveInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(inputs);
        foreach (int layer in MapLayers)
        {
            Require(inputs.Maps.ContainsKey(layer), $"the map after layer {layer}, which the objective reads, is missing");
        }

        int before = tape.Losses.Count;
        RecordTerms(tape, inputs);
        string[] recorded = [.. tape.Losses.Skip(before).Select(loss => loss.Name)];
        if (!recorded.SequenceEqual(Terms))
        {
            throw new InvalidOperationException(
                $"the objective announces the terms [{string.Join(", ", Terms)}] and has recorded [{string.Join(", ", recorded)}]: both must be the same");
        }
    }

    /// <summary>Records the losses by operations of the tape, in the order of <see cref="Terms"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="inputs">What the network gives; the maps of <see cref="MapLayers"/> are among it.</param>
    protected abstract void RecordTerms(Tape tape, ObjectiveInputs inputs);

    /// <summary>Throws unless a condition holds.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="message">What is wrong and what would be right.</param>
    /// <exception cref="ArgumentException">It does not hold.</exception>
    protected static void Require(bool condition, FormattableString message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!condition)
        {
            throw new ArgumentException(message.ToString(CultureInfo.InvariantCulture));
        }
    }
}
