namespace CudaL2Net.Kernels;

/// <summary>
/// The operations that a device offers. Activations are NHWC; filters are [out][kh][kw][in]; a batch of p pairs has 2p rows: the p first patches, then
/// the p second ones ("halves"). Outputs are overwritten unless the text says that they are added to. No operation allocates, waits for the
/// host or depends on host memory, so that a recorded sequence can be replayed; what changes from step to step comes in <see cref="StepParameters"/>.
/// The same inputs give the same bits on the same device.
/// </summary>
internal interface IKernels
{
    /// <summary>Gathers byte patches, turns them by one of the 8 symmetries of the square (the same for both patches of a pair) and normalizes them.</summary>
    /// <param name="patches">All patches, [count][s][s] with s = 32 or 64.</param>
    /// <param name="indices">Rows of <paramref name="patches"/>; the batch's rows, 2p where patches are turned, start at <see cref="StepParameters.BatchOffset"/>.</param>
    /// <param name="step">The step's parameters, [1].</param>
    /// <param name="options">Normalization, augmentation and seed.</param>
    /// <param name="meanImage">[s][s], subtracted first by <see cref="PatchNormalization.L2Net"/> and <see cref="PatchNormalization.Fixed"/>; null means
    /// zero.</param>
    /// <param name="output">[2p][s][s][1]. A row is NaN if the offset points outside the indices, or the index outside the patches.</param>
    void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage,
        Tensor<float> output);

    /// <summary>y = x * w + bias, a cross-correlation with zero padding.</summary>
    /// <param name="geometry">Sizes of all tensors.</param>
    /// <param name="x">[n][h][w][in].</param>
    /// <param name="filters">[out][kh][kw][in].</param>
    /// <param name="bias">[out] or null.</param>
    /// <param name="y">[n][oh][ow][out].</param>
    void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y);

    /// <summary>A layer for inference: <see cref="Conv2dForward"/>, then ReLU where it is wanted. An image's numbers do not depend on the others in its batch,
    /// nor on how many they are.</summary>
    void FoldedConvolution(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, bool relu, Tensor<float> y);

    /// <summary>The gradient of <see cref="Conv2dForward"/> with respect to its input.</summary>
    void Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx);

    /// <summary>The gradients of <see cref="Conv2dForward"/> with respect to filters and bias.</summary>
    void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias);

    /// <summary>
    /// Batch normalization with the statistics of each half apart, then optionally ReLU:
    /// y = max(0, scale (x - mean_s) / sqrt(var_s + epsilon) + shift). The running statistics are moved once for each half, in order, by
    /// running += momentum (batch - running), with the unbiased variance.
    /// </summary>
    /// <param name="options">Halves, epsilon, momentum, ReLU.</param>
    /// <param name="x">[n][...][c]; the first n / halves rows are the first half.</param>
    /// <param name="scale">[c], or null for 1.</param>
    /// <param name="shift">[c], or null for 0.</param>
    /// <param name="mean">[halves][c], written.</param>
    /// <param name="inverseDeviation">[halves][c], written: 1 / sqrt(var + epsilon).</param>
    /// <param name="runningMean">[c], updated.</param>
    /// <param name="runningVariance">[c], updated.</param>
    /// <param name="y">Like <paramref name="x"/>; may not be the same memory.</param>
    void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y);

    /// <summary>The gradients of <see cref="BatchNormForward"/>. The ReLU's mask is found again from x.</summary>
    /// <param name="options">As in the forward call.</param>
    /// <param name="x">The forward call's input.</param>
    /// <param name="scale">As in the forward call.</param>
    /// <param name="shift">As in the forward call.</param>
    /// <param name="mean">From the forward call.</param>
    /// <param name="inverseDeviation">From the forward call.</param>
    /// <param name="dy">The gradient of the output.</param>
    /// <param name="dx">The gradient of the input; may be the same memory as <paramref name="dy"/>.</param>
    /// <param name="dScale">[c], or null.</param>
    /// <param name="dShift">[c], or null.</param>
    void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift);

    /// <summary>y = max(0, x).</summary>
    void ReluForward(Tensor<float> x, Tensor<float> y);

    /// <summary>
    /// The channels of two rows side by side. Row i below p takes those of x_i, then of x_(p + i): a pair that matches. Row p + i takes those of x_i, then of
    /// x_(p + (i + 1) mod p): a pair that does not.
    /// </summary>
    /// <param name="x">[2p][...][c], p at least 2: the first patches of p pairs, then the second ones.</param>
    /// <param name="y">[2p][...][2c].</param>
    void PairChannelsForward(Tensor<float> x, Tensor<float> y);

    /// <summary>The gradient of <see cref="PairChannelsForward"/>: every row of x is in two rows of y, whose gradients are added, the matching pair's
    /// first.</summary>
    /// <param name="dy">[2p][...][2c].</param>
    /// <param name="dx">[2p][...][c].</param>
    void PairChannelsBackward(Tensor<float> dy, Tensor<float> dx);

    /// <summary>dx = dy where x is positive, else 0.</summary>
    void ReluBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx);

    /// <summary>y = tanh(x).</summary>
    void TanhForward(Tensor<float> x, Tensor<float> y);

    /// <summary>dx = dy (1 - y^2); dx may be the same memory as dy.</summary>
    void TanhBackward(Tensor<float> y, Tensor<float> dy, Tensor<float> dx);

    /// <summary>Pooling over square windows; <see cref="PoolKind"/> says what a window gives.</summary>
    /// <param name="geometry">Sizes and rule.</param>
    /// <param name="x">[n][h][w][c].</param>
    /// <param name="y">[n][oh][ow][c].</param>
    /// <param name="places">For <see cref="PoolKind.Max"/>, like <paramref name="y"/>, written: which pixel of the window won, row x kernel + column. Null
    /// where no backward pass follows, and for the other kinds.</param>
    void PoolForward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places);

    /// <summary>The gradient of <see cref="PoolForward"/>: max sends it to the pixel that won, average spreads it, L2 gives x dy / y, and 0 where y is
    /// 0.</summary>
    /// <param name="geometry">As in the forward call.</param>
    /// <param name="x">The forward call's input.</param>
    /// <param name="y">The forward call's output.</param>
    /// <param name="places">From the forward call, for <see cref="PoolKind.Max"/>.</param>
    /// <param name="dy">The gradient of the output.</param>
    /// <param name="dx">The gradient of the input.</param>
    void PoolBackward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places, Tensor<float> dy, Tensor<float> dx);

    /// <summary>Subtracts from each pixel the weighted mean of its neighbourhood over all channels; at a border the mean of what lies inside.</summary>
    /// <param name="x">[n][h][w][c].</param>
    /// <param name="weights">[k][k], k odd: the weights of the neighbourhood, whose scale does not matter.</param>
    /// <param name="y">Like <paramref name="x"/>; may be the same memory.</param>
    void SubtractiveNormForward(Tensor<float> x, Tensor<float> weights, Tensor<float> y);

    /// <summary>The gradient of <see cref="SubtractiveNormForward"/>; dx may be the same memory as dy.</summary>
    void SubtractiveNormBackward(Tensor<float> weights, Tensor<float> dy, Tensor<float> dx);

    /// <summary>
    /// Filter response normalization and its thresholded linear unit (Singh, Krishnan 2020): y = max(scale x / sqrt(nu^2 + epsilon) + shift, threshold), nu^2 the
    /// mean of x^2 over the pixels of an image, per channel. In the paper scale is gamma, shift beta and threshold tau.
    /// </summary>
    /// <param name="epsilon">Added to nu^2, above 0.</param>
    /// <param name="x">[n][...][c].</param>
    /// <param name="scale">[c], or null for 1.</param>
    /// <param name="shift">[c], or null for 0.</param>
    /// <param name="threshold">[c], or null for none.</param>
    /// <param name="inverse">[n][c], written: 1 / sqrt(nu^2 + epsilon).</param>
    /// <param name="y">Like <paramref name="x"/>; may not be the same memory.</param>
    void FilterResponseNormForward(float epsilon, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold, Tensor<float> inverse,
        Tensor<float> y);

    /// <summary>The gradients of <see cref="FilterResponseNormForward"/>. Where y is at the threshold, the gradient goes to the threshold alone.</summary>
    /// <param name="x">The forward call's input.</param>
    /// <param name="scale">As in the forward call.</param>
    /// <param name="shift">As in the forward call.</param>
    /// <param name="threshold">As in the forward call.</param>
    /// <param name="inverse">From the forward call.</param>
    /// <param name="dy">The gradient of the output.</param>
    /// <param name="dx">The gradient of the input, or null; may be the same memory as <paramref name="dy"/>.</param>
    /// <param name="dScale">[c], or null.</param>
    /// <param name="dShift">[c], or null.</param>
    /// <param name="dThreshold">[c], or null.</param>
    void FilterResponseNormBackward(Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold, Tensor<float> inverse,
        Tensor<float> dy, Tensor<float>? dx, Tensor<float>? dScale, Tensor<float>? dShift, Tensor<float>? dThreshold);

    /// <summary>
    /// y = x m / (1 - rate), m drawn by <see cref="Numerics.Philox"/> from (seed, <see cref="Numerics.DrawPurpose.Dropout"/>, step, layer 2^32 + element div 4),
    /// word element mod 4: an element is dropped where the draw is below rate. The same call with the gradient in place of x is its backward pass.
    /// </summary>
    void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y);

    /// <summary>
    /// Local response normalization across channels with MatConvNet's parameters: y_c = x_c (kappa + alpha sum x_j^2)^-beta, the sum over the
    /// channels j with c - floor((n - 1) / 2) &lt;= j &lt;= c + ceil((n - 1) / 2).
    /// </summary>
    void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y);

    /// <summary>The gradient of <see cref="LrnForward"/>.</summary>
    void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx);

    /// <summary>y = x / sqrt(sum x^2 + 1e-10) for each row: <see cref="LrnForward"/> with n = 256, kappa = 0, alpha = 1, beta = 0.5.</summary>
    /// <param name="x">[n][d].</param>
    /// <param name="y">[n][d].</param>
    void UnitVectorForward(Tensor<float> x, Tensor<float> y);

    /// <summary>The gradient of <see cref="UnitVectorForward"/>.</summary>
    void UnitVectorBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx);

    /// <summary>y += x.</summary>
    void Add(Tensor<float> x, Tensor<float> y);

    /// <summary>Every element of y = value.</summary>
    void Fill(float value, Tensor<float> y);

    /// <summary>z = a x + b y + c, element by element; z may be neither x nor y.</summary>
    /// <param name="a">Factor on x.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="b">Factor on y.</param>
    /// <param name="y">Like <paramref name="x"/>; null for 0.</param>
    /// <param name="c">Added.</param>
    /// <param name="z">Like <paramref name="x"/>.</param>
    void Combine(float a, Tensor<float> x, float b, Tensor<float>? y, float c, Tensor<float> z);

    /// <summary>z = x y, element by element; z may be neither x nor y.</summary>
    void Multiply(Tensor<float> x, Tensor<float> y, Tensor<float> z);

    /// <summary>y = f(x), element by element.</summary>
    void FunctionForward(ElementFunction function, Tensor<float> x, Tensor<float> y);

    /// <summary>dx = dy f'(x).</summary>
    void FunctionBackward(ElementFunction function, Tensor<float> x, Tensor<float> y, Tensor<float> dy, Tensor<float> dx);

    /// <summary>sums[i] = sum over k of x[i][k] y[i][k].</summary>
    /// <param name="x">[n][...].</param>
    /// <param name="y">Like <paramref name="x"/>; null for 1.</param>
    /// <param name="sums">[n].</param>
    void RowDots(Tensor<float> x, Tensor<float>? y, Tensor<float> sums);

    /// <summary>y[i][k] = factors[i] x[i][k].</summary>
    /// <param name="factors">[n].</param>
    /// <param name="x">Like <paramref name="y"/>; null for 1.</param>
    /// <param name="y">[n][...]; may not be x.</param>
    void ScaleRows(Tensor<float> factors, Tensor<float>? x, Tensor<float> y);

    /// <summary>mean = weight times the mean of all values of x.</summary>
    /// <param name="weight">The factor.</param>
    /// <param name="x">Any shape, at least one value.</param>
    /// <param name="mean">[1].</param>
    void Mean(float weight, Tensor<float> x, Tensor<float> mean);

    /// <summary>products[i][j] = sum over k of x[i][k] y[j][k].</summary>
    /// <param name="x">[n][...].</param>
    /// <param name="y">[m][...], rows as long as those of x.</param>
    /// <param name="products">[n][m].</param>
    void InnerProductsForward(Tensor<float> x, Tensor<float> y, Tensor<float> products);

    /// <summary>The gradients of <see cref="InnerProductsForward"/>.</summary>
    /// <param name="x">As in the forward call.</param>
    /// <param name="y">As in the forward call.</param>
    /// <param name="dProducts">[n][m].</param>
    /// <param name="dx">Like x, or null.</param>
    /// <param name="dy">Like y, or null.</param>
    void InnerProductsBackward(Tensor<float> x, Tensor<float> y, Tensor<float> dProducts, Tensor<float>? dx, Tensor<float>? dy);

    /// <summary>Copies <paramref name="columns"/> columns from one matrix into another of as many rows.</summary>
    void CopyColumns(Tensor<float> x, int xFirst, Tensor<float> y, int yFirst, int columns);

    /// <summary>
    /// L2-Net's E1 (equation 4 to 6): -1/2 (sum log s^c_ii + sum log s^r_ii), s the softmax of 2 - d over each column and row of the p x p
    /// distances d_ij = |y2_i - y1_j|. Writes weight times the value and weight times the gradient.
    /// </summary>
    /// <param name="weight">Factor on value and gradient.</param>
    /// <param name="descriptors">[2p][q].</param>
    /// <param name="loss">[1].</param>
    /// <param name="gradient">[2p][q]. Where a distance is 0 its gradient is taken as 0.</param>
    void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient);

    /// <summary>
    /// L2-Net's E2: 1/2 sum over both halves and i != j of r_ij^2, R the q x q correlation matrix of the dimensions over a half's p rows.
    /// Writes weight times the value and weight times the gradient.
    /// </summary>
    /// <param name="options">Which halves and which form of R.</param>
    /// <param name="weight">Factor on value and gradient.</param>
    /// <param name="features">[2p][q], after the last batch normalization.</param>
    /// <param name="loss">[1].</param>
    /// <param name="gradient">[2p][q].</param>
    void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient);

    /// <summary>
    /// L2-Net's E3 (DIF) for one layer: -1/2 (sum log v^c_ii + sum log v^r_ii), v the column and row softmax of similarity times the inner
    /// products g_ij = f1_i . f2_j. Writes weight times the value and weight times the gradient.
    /// </summary>
    /// <param name="similarity">1 is equation 10 to the letter; 1 / (values in a map) keeps the softmax from saturating.</param>
    /// <param name="weight">Factor on value and gradient.</param>
    /// <param name="features">[2p][...], one map a row.</param>
    /// <param name="loss">[1].</param>
    /// <param name="gradient">Like <paramref name="features"/>.</param>
    void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient);

    /// <summary>
    /// For each pair i its positive distance and the hardest negative in the batch: the smallest of row i and of column i of the p x p matrix of distances
    /// from first patches (rows) to second ones (columns), without the diagonal and without near-duplicates (distances below the threshold). Ties go to
    /// the lower index, and to the row before the column.
    /// </summary>
    /// <param name="options">The distance and the near-duplicate threshold.</param>
    /// <param name="descriptors">[2p][q].</param>
    /// <param name="positive">[p]: distance of pair i.</param>
    /// <param name="negative">[p]: distance of its hardest negative; infinity where there is none.</param>
    /// <param name="negativePair">[p][2]: the hardest negative's row of <paramref name="descriptors"/> in the first half (0 to p - 1), then in the second one;
    /// -1 where there is none.</param>
    void HardestNegative(in HardestNegativeOptions options, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative,
        Tensor<int> negativePair);

    /// <summary>
    /// A loss on (positive, hardest negative) pairs of distances, the mean over the p pairs. Writes weight times the value and weight times the gradient
    /// with respect to
    /// the descriptors; pairs without a negative count 0.
    /// </summary>
    /// <param name="options">The loss and the distance it is on.</param>
    /// <param name="weight">Factor on value and gradient.</param>
    /// <param name="descriptors">[2p][q].</param>
    /// <param name="positive">From <see cref="HardestNegative"/>.</param>
    /// <param name="negative">From <see cref="HardestNegative"/>.</param>
    /// <param name="negativePair">From <see cref="HardestNegative"/>.</param>
    /// <param name="loss">[1].</param>
    /// <param name="gradient">[2p][q].</param>
    void Triplet(in TripletOptions options, float weight, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair,
        Tensor<float> loss, Tensor<float> gradient);

    /// <summary>
    /// Global orthogonal regularization over the negative pairs: mean(a.n)^2 + max(0, mean((a.n)^2) - 1/q).
    /// Writes weight times the value and weight times the gradient.
    /// </summary>
    /// <param name="weight">Factor on value and gradient.</param>
    /// <param name="descriptors">[2p][q].</param>
    /// <param name="negativePair">From <see cref="HardestNegative"/>; pairs without a negative are left out of the mean.</param>
    /// <param name="loss">[1].</param>
    /// <param name="gradient">[2p][q].</param>
    void GlobalOrthogonal(float weight, Tensor<float> descriptors, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient);

    /// <summary>One step of stochastic gradient descent with momentum on one parameter, in place.</summary>
    /// <remarks>v = momentum v + (1 - dampening) (g + decay w), the first step v = g + decay w; w -= learningRate v.</remarks>
    void SgdUpdate(in SgdOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> velocity, Tensor<float> parameter);

    /// <summary>One step of Adam with decoupled weight decay (AdamW; with no decay it is Adam) on one parameter, in place.</summary>
    void AdamUpdate(in AdamOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> firstMoment, Tensor<float> secondMoment,
        Tensor<float> parameter);

    /// <summary>Moves on to the next step, so that a replayed sequence needs nothing from the host: step = schedule[cursor], then cursor += 1. From the end of
    /// the schedule on the last entry stays.</summary>
    /// <param name="schedule">The parameters of all steps, [n], n at least 1.</param>
    /// <param name="cursor">[1]: the entry to take, at least 0.</param>
    /// <param name="step">[1], written.</param>
    void NextStep(Tensor<StepParameters> schedule, Tensor<int> cursor, Tensor<StepParameters> step);

    /// <summary>Adds 1 to <see cref="StepParameters.Step"/>, for loops without a schedule.</summary>
    /// <param name="step">[1], updated.</param>
    void AdvanceStep(Tensor<StepParameters> step);

    /// <summary>Lays targets out for <see cref="NearestEuclidean"/> and <see cref="WithinEuclidean"/>.</summary>
    /// <param name="rows">[m][d], m at least 1. They stay the caller's, and must outlive the result.</param>
    SearchTargets<float> Prepare(Tensor<float> rows);

    /// <summary>Lays targets out for <see cref="NearestHamming"/> and <see cref="WithinHamming"/>.</summary>
    /// <param name="rows">[m][d / 8], m at least 1. They stay the caller's, and must outlive the result.</param>
    SearchTargets<byte> Prepare(Tensor<byte> rows);

    /// <summary>
    /// For each row of <paramref name="queries"/> the k nearest rows of <paramref name="targets"/> by Euclidean distance, sqrt(sum (a - b)^2) in float32, by
    /// rising distance; equal distances by rising index. Rows whose distance is not finite are nobody's neighbours.
    /// </summary>
    /// <param name="queries">[n][d].</param>
    /// <param name="targets">m rows of d.</param>
    /// <param name="nearest">[n][k]: indices, then -1 where there are fewer than k.</param>
    /// <param name="distance">[n][k]: distances, then infinity.</param>
    void NearestEuclidean(Tensor<float> queries, SearchTargets<float> targets, Tensor<int> nearest, Tensor<float> distance);

    /// <summary><see cref="NearestEuclidean"/> by Hamming distance on packed bits.</summary>
    /// <param name="queries">[n][d / 8].</param>
    /// <param name="targets">m rows of d / 8.</param>
    /// <param name="nearest">[n][k].</param>
    /// <param name="distance">[n][k]; the largest number where there are fewer than k.</param>
    void NearestHamming(Tensor<byte> queries, SearchTargets<byte> targets, Tensor<int> nearest, Tensor<int> distance);

    /// <summary>Finds all pairs of a query and a target whose distance, as <see cref="NearestEuclidean"/> measures it, is at most a radius.</summary>
    /// <param name="queries">[n][d].</param>
    /// <param name="targets">m rows of d.</param>
    /// <param name="radius">At least 0.</param>
    /// <param name="found">[capacity]: the pairs, in any order; where they are more, some of them.</param>
    /// <param name="total">[1]: the number of pairs is added to it, which must be 0.</param>
    void WithinEuclidean(Tensor<float> queries, SearchTargets<float> targets, float radius, Tensor<FoundNeighbor> found, Tensor<long> total);

    /// <summary><see cref="WithinEuclidean"/> by Hamming distance on packed bits.</summary>
    /// <param name="queries">[n][d / 8].</param>
    /// <param name="targets">m rows of d / 8.</param>
    /// <param name="radius">Bits, at least 0.</param>
    /// <param name="found">[capacity].</param>
    /// <param name="total">[1].</param>
    void WithinHamming(Tensor<byte> queries, SearchTargets<byte> targets, int radius, Tensor<FoundNeighbor> found, Tensor<long> total);

    /// <summary>Makes a network, with batch normalization folded in, ready for <see cref="INetworkPlan.Describe"/>.</summary>
    INetworkPlan Plan(FoldedNetwork network);
}

/// <summary>A network laid out for one device: weights packed, scratch memory held.</summary>
internal interface INetworkPlan : IDisposable
{
    /// <summary>Patches that fill the device: fewer at a time leave it idle between calls.</summary>
    int Block { get; }

    /// <summary>Normalizes and describes byte patches.</summary>
    /// <param name="patches">n x 32 x 32 bytes in host memory.</param>
    /// <param name="descriptors">n x d unit vectors in host memory, row i at i x <paramref name="stride"/>.</param>
    /// <param name="stride">Floats from one descriptor to the next, at least d.</param>
    void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride);

    /// <summary>Normalizes and describes byte patches by the signs of their descriptors.</summary>
    /// <param name="patches">n x 32 x 32 bytes in host memory.</param>
    /// <param name="signs">n x d / 8 bytes in host memory, row i at i x <paramref name="stride"/>: bit j of byte k is dimension 8k + j, set where the value is
    /// above 0.</param>
    /// <param name="stride">Bytes from one row to the next, at least d / 8.</param>
    void DescribeSigns(ReadOnlySpan<byte> patches, Span<byte> signs, int stride);

    /// <summary>Normalizes and describes patches that are on the device; queued like any operation.</summary>
    /// <param name="patches">[n][32 x 32].</param>
    /// <param name="descriptors">[n][d], unit vectors.</param>
    void DescribeOnDevice(Tensor<byte> patches, Tensor<float> descriptors);

    /// <summary>Describes patches that are on the device by the signs of their descriptors; queued like any operation.</summary>
    /// <param name="patches">[n][32 x 32].</param>
    /// <param name="signs">[n][d / 8], as <see cref="DescribeSigns"/> has them.</param>
    void DescribeSignsOnDevice(Tensor<byte> patches, Tensor<byte> signs);
}
