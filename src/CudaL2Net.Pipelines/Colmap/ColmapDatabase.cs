using System.Runtime.InteropServices;
using CudaL2Net.Formats;
using CudaL2Net.Matching;
using Microsoft.Data.Sqlite;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>An image of a database.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its file, relative to the images' folder.</param>
/// <param name="CameraId">Its camera's number.</param>
internal sealed record ColmapImage(long Id, string Name, long CameraId);

/// <summary>How a pair of images is related, by COLMAP's numbers.</summary>
internal enum ColmapConfiguration
{
    /// <summary>Too few matches agree.</summary>
    Degenerate = 1,

    /// <summary>A fundamental matrix.</summary>
    Uncalibrated = 3,

    /// <summary>A homography: a plane, or a camera that only turned.</summary>
    PlanarOrPanoramic = 6,
}

/// <summary>The geometry of a pair.</summary>
/// <param name="Configuration">Its kind.</param>
/// <param name="Inliers">[n][2]: keypoints of the image with the smaller number, and of the other.</param>
/// <param name="Fundamental">[3][3] by rows, or null.</param>
/// <param name="Homography">[3][3] by rows, or null.</param>
internal sealed record ColmapGeometry(ColmapConfiguration Configuration, uint[] Inliers, double[]? Fundamental, double[]? Homography);

/// <summary>
/// A database of COLMAP. What is written in one <see cref="Transact"/> appears whole or not at all, however the process ends. One process at a
/// time may write; for one thread at a time.
/// </summary>
internal sealed class ColmapDatabase : IDisposable
{
    /// <summary>Numbers of images lie below it.</summary>
    public const long MostImages = 2147483647;

    private readonly string path;
    private readonly FolderLock held;
    private readonly SqliteConnection connection;
    private readonly Dictionary<string, SqliteCommand> commands = [];

    private ColmapDatabase(string path, FolderLock held, SqliteConnection connection)
    {
        this.path = path;
        this.held = held;
        this.connection = connection;
    }

    /// <summary>Its tables and columns.</summary>
    public ColmapSchema Schema { get; private set; } = null!;

    /// <summary>Opens a database for writing.</summary>
    /// <param name="path">The file.</param>
    /// <param name="create">Whether to make it where it is not there or empty.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="IOException">It cannot be read or written, or another process has it.</exception>
    /// <exception cref="InvalidDataException">It is no database of COLMAP, is damaged, or of a version that is not known.</exception>
    public static ColmapDatabase Open(string path, bool create)
    {
        if (!create && !File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist", path);
        }

        FolderLock held = FolderLock.TakeBeside(path);
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            ForeignKeys = true,
        }.ToString());
        var database = new ColmapDatabase(path, held, connection);
        try
        {
            database.Guard(() => database.OpenSchema(create));
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The number of a pair.</summary>
    public static long PairId(long first, long second) => (MostImages * Math.Min(first, second)) + Math.Max(first, second);

    /// <summary>Writes all of it, or nothing where something throws.</summary>
    public void Transact(Action write) => Guard(() =>
    {
        Execute("BEGIN IMMEDIATE");
        try
        {
            write();
            Execute("COMMIT");
        }
        catch
        {
            // After some errors SQLite has rolled back by itself.
            if (SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0)
            {
                Execute("ROLLBACK");
            }

            throw;
        }
    });

    /// <summary>The images, by number.</summary>
    public IReadOnlyList<ColmapImage> Images() => Guard(() =>
    {
        var images = new List<ColmapImage>();
        using SqliteDataReader reader = Query("SELECT image_id, name, camera_id FROM images ORDER BY image_id");
        while (reader.Read())
        {
            images.Add(new ColmapImage(reader.GetInt64(0), reader.GetString(1), reader.GetInt64(2)));
        }

        return images;
    });

    /// <summary>The numbers in the first column of a table.</summary>
    public HashSet<long> Ids(string table) => Guard(() =>
    {
        var ids = new HashSet<long>();
        string column = table is "matches" or "two_view_geometries" ? "pair_id" : "image_id";
        using SqliteDataReader reader = Query($"SELECT {column} FROM {table}");
        while (reader.Read())
        {
            ids.Add(reader.GetInt64(0));
        }

        return ids;
    });

    /// <summary>The settings with which a step was done; null where it was not, or by another program.</summary>
    public string? Settings(string step) => Guard(() =>
    {
        using SqliteDataReader reader = Query("SELECT settings FROM cudal2net_settings WHERE step = $0", step);
        return reader.Read() ? reader.GetString(0) : null;
    });

    /// <summary>Keeps the settings of a step.</summary>
    public void SetSettings(string step, string settings) => Execute("INSERT OR REPLACE INTO cudal2net_settings VALUES ($0, $1)", step, settings);

    /// <summary>Removes all rows of a table.</summary>
    public void Clear(string table) => Execute($"DELETE FROM {table}");

    /// <summary>Adds a camera, and where the schema has rigs a rig of it alone.</summary>
    /// <returns>Its number.</returns>
    public long AddCamera(ColmapCamera camera)
    {
        Execute("INSERT INTO cameras(model, width, height, params, prior_focal_length) VALUES ($0, $1, $2, $3, $4)",
            camera.Model, camera.Width, camera.Height, Bytes<double>(camera.Parameters), camera.KnowsFocalLength ? 1 : 0);
        long id = LastId();
        if (Schema.HasRigs)
        {
            Execute("INSERT INTO rigs(ref_sensor_id, ref_sensor_type) VALUES ($0, 0)", id);
        }

        return id;
    }

    /// <summary>The width and height of a camera's images.</summary>
    public (int Width, int Height) CameraSize(long id) => Guard(() =>
    {
        using SqliteDataReader reader = Query("SELECT width, height FROM cameras WHERE camera_id = $0", id);
        return reader.Read() ? (reader.GetInt32(0), reader.GetInt32(1)) : throw Damaged($"camera {id} is missing");
    });

    /// <summary>Adds an image, and where the schema has frames a frame of it alone.</summary>
    /// <returns>Its number.</returns>
    public long AddImage(string name, long camera)
    {
        Execute("INSERT INTO images(name, camera_id) VALUES ($0, $1)", name, camera);
        long id = LastId();
        if (Schema.HasRigs)
        {
            Execute("INSERT INTO frames(rig_id) SELECT rig_id FROM rigs WHERE ref_sensor_id = $0 AND ref_sensor_type = 0", camera);
            Execute("INSERT INTO frame_data(frame_id, data_id, sensor_id, sensor_type) VALUES (last_insert_rowid(), $0, $1, 0)", id, camera);
        }

        return id;
    }

    /// <summary>The keypoints of an image; null where it has none yet.</summary>
    /// <exception cref="InvalidDataException">Their sizes do not agree.</exception>
    public ColmapKeypoints? Keypoints(long image) => Guard(() =>
    {
        using SqliteDataReader reader = Query("SELECT rows, cols, data FROM keypoints WHERE image_id = $0", image);
        if (!reader.Read())
        {
            return null;
        }

        (long rows, long columns) = (reader.GetInt64(0), reader.GetInt64(1));
        byte[] data = reader.IsDBNull(2) ? [] : reader.GetFieldValue<byte[]>(2);
        return columns is 2 or 4 or 6 && rows >= 0 && rows <= int.MaxValue && data.Length == rows * columns * sizeof(float)
            ? new ColmapKeypoints((int)rows, (int)columns, data)
            : throw Damaged($"the keypoints of image {image} are {rows} x {columns} in {data.Length} bytes");
    });

    /// <summary>Sets the keypoints of an image.</summary>
    public void SetKeypoints(long image, ColmapKeypoints keypoints) => Execute(
        "INSERT OR REPLACE INTO keypoints(image_id, rows, cols, data) VALUES ($0, $1, $2, $3)", image, keypoints.Rows, keypoints.Columns, keypoints.Data);

    /// <summary>Sets the descriptors of an image that COLMAP's matchers read; or takes them away.</summary>
    /// <param name="image">The image's number.</param>
    /// <param name="bytes">[n][128], or null.</param>
    public void SetColmapDescriptors(long image, byte[]? bytes)
    {
        Execute("DELETE FROM descriptors WHERE image_id = $0", image);
        if (bytes is not null)
        {
            Execute("INSERT INTO descriptors(image_id, rows, cols, data) VALUES ($0, $1, $2, $3)",
                image, bytes.Length / ColmapDescriptors.Dimension, ColmapDescriptors.Dimension, bytes);
        }
    }

    /// <summary>The descriptors of an image as they are; null where this tool did not describe it.</summary>
    /// <exception cref="InvalidDataException">Their sizes do not agree.</exception>
    public DescriptorSet? Descriptors(long image) => Guard(() =>
    {
        using SqliteDataReader reader = Query("SELECT rows, dimension, binary, data FROM cudal2net_descriptors WHERE image_id = $0", image);
        if (!reader.Read())
        {
            return null;
        }

        (long rows, int dimension, bool binary) = (reader.GetInt64(0), reader.GetInt32(1), reader.GetInt64(2) != 0);
        byte[] data = reader.GetFieldValue<byte[]>(3);
        if (dimension < 1 || rows < 0 || (binary && dimension % 8 != 0) || data.Length != rows * dimension * (binary ? 1 : 32) / 8)
        {
            throw Damaged($"the descriptors of image {image} are {rows} x {dimension} in {data.Length} bytes");
        }

        return binary ? DescriptorSet.FromBits(data, dimension) : DescriptorSet.FromValues(MemoryMarshal.Cast<byte, float>(data).ToArray(), dimension);
    });

    /// <summary>Sets the descriptors of an image.</summary>
    public void SetDescriptors(long image, DescriptorSet descriptors) => Execute(
        "INSERT OR REPLACE INTO cudal2net_descriptors VALUES ($0, $1, $2, $3, $4)", image, descriptors.Count, descriptors.Dimension,
        descriptors.Bits is null ? 0 : 1, descriptors.Bits ?? Bytes<float>(descriptors.Values));

    /// <summary>Sets the matches of a pair.</summary>
    /// <param name="pairId">The pair's number.</param>
    /// <param name="matches">[n][2]: keypoints of the image with the smaller number, and of the other.</param>
    public void SetMatches(long pairId, uint[] matches) => Execute(
        "INSERT OR REPLACE INTO matches(pair_id, rows, cols, data) VALUES ($0, $1, 2, $2)", pairId, matches.Length / 2, Bytes<uint>(matches));

    /// <summary>The matches of a pair; null where it was not matched.</summary>
    /// <exception cref="InvalidDataException">Their sizes do not agree.</exception>
    public uint[]? Matches(long pairId) => Guard(() =>
    {
        using SqliteDataReader reader = Query("SELECT rows, cols, data FROM matches WHERE pair_id = $0", pairId);
        if (!reader.Read())
        {
            return null;
        }

        byte[] data = reader.IsDBNull(2) ? [] : reader.GetFieldValue<byte[]>(2);
        return data.Length == reader.GetInt64(0) * 2 * sizeof(uint)
            ? MemoryMarshal.Cast<byte, uint>(data).ToArray()
            : throw Damaged($"the matches of pair {pairId} are {reader.GetInt64(0)} x {reader.GetInt64(1)} in {data.Length} bytes");
    });

    /// <summary>Sets the geometry of a pair. COLMAP's mapper works out poses by itself.</summary>
    public void SetGeometry(long pairId, ColmapGeometry geometry) => Execute(
        "INSERT OR REPLACE INTO two_view_geometries(pair_id, rows, cols, data, config, F, H) VALUES ($0, $1, 2, $2, $3, $4, $5)",
        pairId, geometry.Inliers.Length / 2, Bytes<uint>(geometry.Inliers), (int)geometry.Configuration,
        geometry.Fundamental is null ? DBNull.Value : Bytes<double>(geometry.Fundamental),
        geometry.Homography is null ? DBNull.Value : Bytes<double>(geometry.Homography));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SqliteCommand command in commands.Values)
        {
            command.Dispose();
        }

        connection.Dispose();
        held.Dispose();
    }

    private static byte[] Bytes<T>(ReadOnlySpan<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values).ToArray();

    private void OpenSchema(bool create)
    {
        connection.Open();
        ColmapSchema? schema;
        try
        {
            schema = ColmapSchema.Read(connection);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path} {error.Message}", error);
        }

        if (schema is null && !create)
        {
            throw new InvalidDataException($"{path} is an empty database; `cudal2net colmap extract` fills it");
        }

        Transact(() => Execute((schema is null ? ColmapSchema.New : string.Empty) + ColmapSchema.Own));
        Schema = schema ?? ColmapSchema.Read(connection)!;
    }

    private long LastId()
    {
        using SqliteDataReader reader = Query("SELECT last_insert_rowid()");
        reader.Read();
        return reader.GetInt64(0);
    }

    private void Execute(string text, params ReadOnlySpan<object> values) => Command(text, values).ExecuteNonQuery();

    private SqliteDataReader Query(string text, params ReadOnlySpan<object> values) => Command(text, values).ExecuteReader();

    // Commands are compiled once.
    private SqliteCommand Command(string text, ReadOnlySpan<object> values)
    {
        if (!commands.TryGetValue(text, out SqliteCommand? command))
        {
            commands[text] = command = connection.CreateCommand();
            command.CommandText = text;
        }

        command.Parameters.Clear();
        for (int i = 0; i < values.Length; i++)
        {
            command.Parameters.AddWithValue($"${i}", values[i]);
        }

        return command;
    }

    private InvalidDataException Damaged(string reason) => new($"{path} is damaged: {reason}");

    private void Guard(Action action) => Guard(() =>
    {
        action();
        return true;
    });

    private T Guard<T>(Func<T> action)
    {
        const int Busy = 5, Locked = 6, ReadOnly = 8, Corrupt = 11, Full = 13, CannotOpen = 14, NoDatabase = 26;
        try
        {
            return action();
        }
        catch (SqliteException error)
        {
            throw error.SqliteErrorCode switch
            {
                Busy or Locked => new IOException($"{path} is in use by another program, COLMAP perhaps. Close it and try again.", error),
                ReadOnly => new IOException($"{path} cannot be written. Check the rights on the file and its folder.", error),
                Full => new IOException($"{path} cannot be written: the disk is full. Free some space or write elsewhere; what was done before is kept.", error)
                {
                    HResult = 28,
                },
                CannotOpen => new IOException($"{path} cannot be opened. Check the path, and the rights on the file and its folder.", error),
                Corrupt => new InvalidDataException($"{path} is damaged: {error.Message}", error),
                NoDatabase => new InvalidDataException($"{path} is no SQLite database", error),
                _ => new InvalidDataException($"{path}: {error.Message}", error),
            };
        }
    }
}
