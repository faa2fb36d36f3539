using CudaL2Net.Data;

namespace CudaL2Net.Tests.Data;

public sealed class RowBlocksTests
{
    [TestCase(0)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(11)]
    public void RowsOfSeveralBlocksBecomeOneArray(int count)
    {
        using var rows = new RowBlocks(5, blockBytes: 20);
        for (int row = 0; row < count; row++)
        {
            rows[row].Fill((byte)row);
        }

        // A row that was begun and not kept.
        rows[count].Fill(99);
        Assert.That(rows.MoveToArray(count), Is.EqualTo(Enumerable.Range(0, 5 * count).Select(i => (byte)(i / 5))));
    }
}
