using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Colmap;
using Microsoft.Data.Sqlite;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>COLMAP's databases: made, taken over, refused.</summary>
public sealed class ColmapDatabaseTests
{
    // What COLMAP 3.12 and newer have, and no prior_* columns.
    private const string Rigs = """
        CREATE TABLE rigs (rig_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, ref_sensor_id INTEGER NOT NULL, ref_sensor_type INTEGER NOT NULL);
        CREATE TABLE rig_sensors (rig_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, sensor_type INTEGER NOT NULL, sensor_from_rig BLOB);
        CREATE TABLE frames (frame_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, rig_id INTEGER NOT NULL);
        CREATE TABLE frame_data (frame_id INTEGER NOT NULL, data_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, sensor_type INTEGER NOT NULL);
        CREATE TABLE pose_priors (image_id INTEGER PRIMARY KEY NOT NULL, position BLOB, coordinate_system INTEGER NOT NULL, position_covariance BLOB);
        ALTER TABLE images DROP COLUMN prior_qw;
        ALTER TABLE images DROP COLUMN prior_tz;
        """;

    private static readonly ColmapCamera Camera = new(2, 640, 480, [500, 320, 240, 0], true);

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        using var folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, 256).Select(i => i / 7f)];
        using (ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true))
        {
            database.Transact(() =>
            {
                long camera = database.AddCamera(Camera), image = database.AddImage("dir/a.jpg", camera);
                database.SetKeypoints(image, ColmapKeypoints.Of([new Keypoint(1, 2, 3, 4, 0, 0), new Keypoint(5, 6, 7, 8, 0, 0)]));
                database.SetDescriptors(image, DescriptorSet.FromValues(values, 128));
                database.SetMatches(ColmapDatabase.PairId(9, 1), [0, 1, 1, 0]);
            });
        }

        using ColmapDatabase again = ColmapDatabase.Open(folder["a.db"], create: false);
        ColmapImage only = again.Images().Single();
        Assert.Multiple(() =>
        {
            Assert.That(only.Name, Is.EqualTo("dir/a.jpg"));
            Assert.That(again.CameraSize(only.CameraId), Is.EqualTo((640, 480)));
            Assert.That(again.Keypoints(only.Id)!.Rows, Is.EqualTo(2));
            Assert.That(again.Descriptors(only.Id)!.Values, Is.EqualTo(values));
            Assert.That(again.Ids("matches"), Is.EqualTo(new[] { 2147483647L + 9 }), "the smaller number is multiplied");
            Assert.That(again.Matches(2147483647L + 9), Is.EqualTo(new uint[] { 0, 1, 1, 0 }));
        });
    }

    [Test]
    public void BitsAreReadBack()
    {
        using var folder = new TemporaryFolder();
        using ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true);
        database.Transact(() => database.SetDescriptors(database.AddImage("a", database.AddCamera(Camera)), DescriptorSet.FromBits([1, 2, 3, 4], 16)));
        DescriptorSet bits = database.Descriptors(1)!;
        Assert.That(bits.Bits, Is.EqualTo(new byte[] { 1, 2, 3, 4 }));
        Assert.That((bits.Count, bits.Dimension), Is.EqualTo((2, 16)));
    }

    [Test]
    public void WhatThrowsLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true);
        Assert.That(() => database.Transact(() =>
        {
            database.AddImage("a", database.AddCamera(Camera));
            throw new IOException("the image");
        }), Throws.InstanceOf<IOException>().With.Message.EqualTo("the image"));
        Assert.That(database.Images(), Is.Empty);
        database.Transact(() => database.AddImage("b", database.AddCamera(Camera)));
        Assert.That(database.Images().Single().CameraId, Is.EqualTo(1));
    }

    [Test]
    public void NewerDatabasesGetARigPerCameraAndAFramePerImage()
    {
        using var folder = new TemporaryFolder();
        Run(folder["a.db"], ColmapSchema.New + Rigs);
        using (ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true))
        {
            Assert.That(database.Schema.HasRigs, Is.True);
            database.Transact(() =>
            {
                database.AddCamera(Camera);
                long camera = database.AddCamera(Camera);
                database.AddImage("a", camera);
                database.AddImage("b", camera);
            });
        }

        Assert.Multiple(() =>
        {
            Assert.That(Rows(folder["a.db"], "SELECT rig_id, ref_sensor_id, ref_sensor_type FROM rigs"), Is.EqualTo(new[] { "1 1 0", "2 2 0" }));
            Assert.That(Rows(folder["a.db"], "SELECT frame_id, rig_id FROM frames"), Is.EqualTo(new[] { "1 2", "2 2" }));
            Assert.That(Rows(folder["a.db"], "SELECT frame_id, data_id, sensor_id, sensor_type FROM frame_data"), Is.EqualTo(new[] { "1 1 2 0", "2 2 2 0" }));
        });
    }

    [TestCase("CREATE TABLE radar (id INTEGER)", "radar")]
    [TestCase("ALTER TABLE images ADD COLUMN weather TEXT", "weather")]
    [TestCase("ALTER TABLE two_view_geometries DROP COLUMN F", "two_view_geometries", "F")]
    [TestCase("DROP TABLE keypoints", "keypoints")]
    [TestCase("CREATE TABLE frames (frame_id INTEGER, rig_id INTEGER)", "killed")]
    public void WhatIsNotKnownIsRefusedByName(string change, params string[] words)
    {
        using var folder = new TemporaryFolder();
        Run(folder["a.db"], ColmapSchema.New + change);
        byte[] before = File.ReadAllBytes(folder["a.db"]);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ColmapDatabase.Open(folder["a.db"], create: true));
        Assert.That(words.Append(folder["a.db"]), Has.All.Matches<string>(word => error.Message.Contains(word!, StringComparison.Ordinal)), error.Message);
        Assert.That(File.ReadAllBytes(folder["a.db"]), Is.EqualTo(before), "nothing was changed");
    }

    [Test]
    public void OtherFilesAreRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.db"], "This is no database, however long it is. " + new string('x', 2000));
        Run(folder["other.db"], "CREATE TABLE songs (id INTEGER)");
        Assert.Multiple(() =>
        {
            Assert.That(() => ColmapDatabase.Open(folder["text.db"], create: true), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("no SQLite"));
            Assert.That(() => ColmapDatabase.Open(folder["other.db"], create: true), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("no table cameras"));
            Assert.That(() => ColmapDatabase.Open(folder["none.db"], create: false), Throws.InstanceOf<FileNotFoundException>());
            Assert.That(File.Exists(folder["none.db"]), Is.False);
        });
    }

    [Test]
    public void TwoProcessesDoNotWriteAtOnce()
    {
        using var folder = new TemporaryFolder();
        using ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true);
        Assert.That(() => ColmapDatabase.Open(folder["a.db"], create: true), Throws.InstanceOf<IOException>().With.Message.Contains("another process"));
    }

    [Test]
    public void SizesThatDoNotAgreeAreDamage()
    {
        using var folder = new TemporaryFolder();
        using ColmapDatabase database = ColmapDatabase.Open(folder["a.db"], create: true);
        database.Transact(() =>
        {
            long image = database.AddImage("a", database.AddCamera(Camera));
            database.SetKeypoints(image, new ColmapKeypoints(3, 6, new byte[10]));
        });
        Assert.That(() => database.Keypoints(1), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("3 x 6 in 10 bytes"));
    }

    // The same tables and columns as COLMAP's own program makes.
    [Test]
    public void NewDatabasesAreColmaps()
    {
        using var folder = new TemporaryFolder();
        ColmapProgram.Run("database_creator", "--database_path", folder["theirs.db"]);
        Run(folder["ours.db"], ColmapSchema.New);
        const string Columns = "SELECT m.name, c.name, c.type, c.pk FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY m.name, c.cid";
        Assume.That(Rows(folder["theirs.db"], "PRAGMA user_version"), Is.EqualTo(new[] { "3800" }), "another version of COLMAP");
        Assert.That(Rows(folder["ours.db"], Columns), Is.EqualTo(Rows(folder["theirs.db"], Columns)));
    }

    private static void Run(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    internal static string[] Rows(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using SqliteDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(string.Join(' ', Enumerable.Range(0, reader.FieldCount).Select(reader.GetValue)));
        }

        return [.. rows];
    }
}
