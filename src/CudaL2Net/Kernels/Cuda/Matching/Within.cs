namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void WithinEuclidean(Tensor<float> queries, SearchTargets<float> targets, float radius, Tensor<FoundNeighbor> found, Tensor<long> total)
    {
        int rows = targets.QueriesOf(queries);
        if (rows == 0)
        {
            return;
        }

        var prepared = (FloatTargets)targets;
        EuclideanScan scan = StartEuclidean(queries, prepared, kept: 0);

        // Kernels compare bits, which for -0 would be those of the largest.
        uint bits = BitConverter.SingleToUInt32Bits(radius + 0f);
        if (scan.TensorCores)
        {
            Launch("within", "within_bf16", scan.Grid, 256, ScanBytes(2 * prepared.Pitch, BytesAtOnce), queries, targets.Rows, scan.QueryRows,
                prepared.Rounded.Pointer, scan.QuerySquares, prepared.RoundedSquares, bits, found.Pointer, total.Pointer, (ulong)found.Length, rows,
                targets.Count, targets.Width, 2 * prepared.Pitch, scan.Span, scan.Slack);
        }
        else
        {
            Launch("within", "within_float32", scan.Grid, 128, 0, queries, targets.Rows, scan.QuerySquares, prepared.Squares, bits, found.Pointer,
                total.Pointer, (ulong)found.Length, rows, targets.Count, targets.Width, scan.Span, scan.Slack);
        }
    }

    public void WithinHamming(Tensor<byte> queries, SearchTargets<byte> targets, int radius, Tensor<FoundNeighbor> found, Tensor<long> total)
    {
        int rows = targets.QueriesOf(queries);
        if (rows == 0)
        {
            return;
        }

        var prepared = (BitTargets)targets;
        HammingScan scan = StartHamming(queries, prepared, kept: 0);
        Launch("within", "within_hamming", scan.Grid, 256, ScanBytes(sizeof(uint) * prepared.Pitch, BitBytesAtOnce), scan.QueryWords, prepared.Words.Pointer,
            scan.QueryOnes, prepared.Ones, (uint)radius, found.Pointer, total.Pointer, (ulong)found.Length, rows, targets.Count, prepared.Pitch, scan.Span);
    }
}
