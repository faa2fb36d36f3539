using System.Runtime.InteropServices;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Pipelines.Colmap;
using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Keypoints go into COLMAP's frame and come back.</summary>
public sealed class ColmapKeypointsTests
{
    [Test]
    public void TheFrameIsColmaps()
    {
        float[] row = ColmapKeypoints.Of([new Keypoint(10, 20, 8, 90, 1, 0)]).Values.ToArray();
        Assert.That(row, Is.EqualTo(new[] { 10.5f, 20.5f, 0, -4, 4, 0 }).Within(1e-6f), "centre at .5, sigma half of the size, the x axis goes down at 90 degrees");
    }

    [Test]
    public void KeypointsComeBack()
    {
        Keypoint[] keypoints = [new(0, 0, 3, 0, 0, 0), new(7.25f, 100, 11, 123, 0, 0), new(3, 4, 5.5f, 359, 0, 0)];
        KeypointFrames frames = ColmapKeypoints.Of(keypoints).ToFrames(1);
        Assert.That(frames.Regions, Is.Null, "circles are cut as squares");
        for (int i = 0; i < keypoints.Length; i++)
        {
            Keypoint back = frames.Keypoints[i];
            Assert.That(new[] { back.X, back.Y, back.Size, back.Angle }, Is.EqualTo(new[] { keypoints[i].X, keypoints[i].Y, keypoints[i].Size, keypoints[i].Angle }).Within(1e-3f));
        }
    }

    [Test]
    public void TwoAndFourColumnsAreRead()
    {
        Keypoint upright = Of(2, 1.5f, 2.5f).ToFrames(12).Keypoints[0], turned = Of(4, 1.5f, 2.5f, 3, MathF.PI / 2).ToFrames(12).Keypoints[0];
        Assert.Multiple(() =>
        {
            Assert.That(upright, Is.EqualTo(new Keypoint(1, 2, 12, 0, 0, 0)));
            Assert.That(new[] { turned.X, turned.Y, turned.Size, turned.Angle }, Is.EqualTo(new float[] { 1, 2, 6, 90 }).Within(1e-4f));
        });
    }

    // The matrix takes the patch's axes to (4, 1) and (-1, 2): so must the region.
    [Test]
    public void AdaptedShapesKeepTheirMatrix()
    {
        KeypointFrames frames = Of(6, 50.5f, 60.5f, 4, -1, 1, 2).ToFrames(1);
        OrientedRegion region = frames.Regions![0];
        (double xx, double xy, double yy) = region.Shape.FromUnitDisc;
        (double sin, double cos) = Math.SinCos(region.Angle * (Math.PI / 180));
        double[] matrix = [(xx * cos) + (xy * sin), (xy * cos) - (xx * sin), (xy * cos) + (yy * sin), (yy * cos) - (xy * sin)];
        Assert.That(matrix, Is.EqualTo(new double[] { 4, -1, 1, 2 }).Within(1e-9));
    }

    [TestCase(6, new[] { 5f, 5, 1, 0, 0, -1 }, TestName = "a mirrored keypoint")]
    [TestCase(6, new[] { 5f, 5, 0, 0, 0, 0 }, TestName = "a keypoint without extent")]
    [TestCase(4, new[] { 5f, 5, float.NaN, 0 }, TestName = "a keypoint that is not finite")]
    public void WhatIsNoKeypointIsRefused(int columns, float[] row) =>
        Assert.That(() => Of(columns, row).ToFrames(1), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("number 1"));

    private static ColmapKeypoints Of(int columns, params float[] row) => new(1, columns, MemoryMarshal.AsBytes<float>(row).ToArray());
}
