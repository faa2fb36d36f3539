namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void NearestEuclidean(Tensor<float> queries, SearchTargets<float> targets, Tensor<int> nearest, Tensor<float> distance)
    {
        int rows = targets.QueriesOf(queries);
        if (rows == 0)
        {
            return;
        }

        int kept = nearest.Length / rows;
        var prepared = (FloatTargets)targets;
        EuclideanScan scan = StartEuclidean(queries, prepared, kept);
        if (scan.TensorCores)
        {
            Launch("nearest", "nearest_scan_bf16", scan.Grid, 256, ScanBytes(2 * prepared.Pitch, BytesAtOnce), queries, targets.Rows, scan.QueryRows,
                prepared.Rounded.Pointer, scan.QuerySquares, prepared.RoundedSquares, scan.Keys, kept, rows, targets.Count, targets.Width, 2 * prepared.Pitch,
                scan.Span, scan.Slack, scan.Up);
        }
        else
        {
            Launch("nearest", "nearest_scan_float32", scan.Grid, 128, 0, queries, targets.Rows, scan.QuerySquares, prepared.Squares, scan.Keys, kept, rows,
                targets.Count, targets.Width, scan.Span, scan.Slack, scan.Up);
        }

        Launch("nearest", "nearest_finish", Blocks(nearest.Length), 256, 0, scan.Keys, nearest, distance, nearest.Length);
    }

    public void NearestHamming(Tensor<byte> queries, SearchTargets<byte> targets, Tensor<int> nearest, Tensor<int> distance)
    {
        int rows = targets.QueriesOf(queries);
        if (rows == 0)
        {
            return;
        }

        int kept = nearest.Length / rows;
        var prepared = (BitTargets)targets;
        HammingScan scan = StartHamming(queries, prepared, kept);
        Launch("nearest", "hamming_scan", scan.Grid, 256, ScanBytes(sizeof(uint) * prepared.Pitch, BitBytesAtOnce), scan.QueryWords, prepared.Words.Pointer,
            scan.QueryOnes, prepared.Ones, scan.Keys, kept, rows, targets.Count, prepared.Pitch, scan.Span);
        Launch("nearest", "hamming_finish", Blocks(nearest.Length), 256, 0, scan.Keys, nearest, distance, nearest.Length);
    }
}
