using Microsoft.Data.Sqlite;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>
/// What tables and columns a database of COLMAP has. Versions are told apart by these: their numbers do not tell. Known are 3.6 to 4; what is not known is
/// refused, since a column that stays empty could mean something.
/// </summary>
internal sealed class ColmapSchema
{
    /// <summary>The tables of this tool in the database: descriptors as they are, and the settings they were made with. COLMAP passes over them.</summary>
    public const string Own = """
        CREATE TABLE IF NOT EXISTS cudal2net_descriptors
            (image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, dimension INTEGER NOT NULL, binary INTEGER NOT NULL, data BLOB NOT NULL,
            FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
        CREATE TABLE IF NOT EXISTS cudal2net_settings (step TEXT PRIMARY KEY NOT NULL, settings TEXT NOT NULL);
        """;

    /// <summary>A new database, as COLMAP 3.8 makes it. Newer versions add what they need when they open it.</summary>
    public const string New = """
        CREATE TABLE cameras
            (camera_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, model INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, params BLOB,
            prior_focal_length INTEGER NOT NULL);
        CREATE TABLE images
            (image_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE, camera_id INTEGER NOT NULL,
            prior_qw REAL, prior_qx REAL, prior_qy REAL, prior_qz REAL, prior_tx REAL, prior_ty REAL, prior_tz REAL,
            CONSTRAINT image_id_check CHECK(image_id >= 0 and image_id < 2147483647), FOREIGN KEY(camera_id) REFERENCES cameras(camera_id));
        CREATE UNIQUE INDEX index_name ON images(name);
        CREATE TABLE keypoints
            (image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB,
            FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
        CREATE TABLE descriptors
            (image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB,
            FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
        CREATE TABLE matches (pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB);
        CREATE TABLE two_view_geometries
            (pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB, config INTEGER NOT NULL,
            F BLOB, E BLOB, H BLOB, qvec BLOB, tvec BLOB);
        PRAGMA user_version = 3800;
        """;

    // Columns that every version has, and behind the bar those that some have.
    private static readonly Dictionary<string, string> Written = new()
    {
        ["cameras"] = "camera_id model width height params prior_focal_length |",
        ["images"] = "image_id name camera_id | prior_qw prior_qx prior_qy prior_qz prior_tx prior_ty prior_tz",
        ["keypoints"] = "image_id rows cols data |",
        ["descriptors"] = "image_id rows cols data | type",
        ["matches"] = "pair_id rows cols data |",
        ["two_view_geometries"] = "pair_id rows cols data config F E H | qvec tvec",
    };

    private static readonly Dictionary<string, string> WrittenIfThere = new()
    {
        ["rigs"] = "rig_id ref_sensor_id ref_sensor_type |",
        ["frames"] = "frame_id rig_id |",
        ["frame_data"] = "frame_id data_id sensor_id sensor_type |",
        ["cudal2net_descriptors"] = "image_id rows dimension binary data |",
        ["cudal2net_settings"] = "step settings |",
    };

    // What stands in them does not touch what is written here.
    private static readonly string[] LeftAlone = ["pose_priors", "rig_sensors"];

    private readonly Dictionary<string, HashSet<string>> tables;

    private ColmapSchema(Dictionary<string, HashSet<string>> tables) => this.tables = tables;

    /// <summary>Whether images belong to frames of rigs (from 3.12 on): then every camera needs a rig, and every image a frame.</summary>
    public bool HasRigs => tables.ContainsKey("frames");

    /// <summary>Whether the table of descriptors says which kind they are. Then there is no kind for other descriptors than COLMAP's own.</summary>
    public bool TellsDescriptorType => tables["descriptors"].Contains("type");

    /// <summary>Reads the schema of a database.</summary>
    /// <returns>Null where it has no tables.</returns>
    /// <exception cref="InvalidDataException">It is no database of COLMAP, or of a version that is not known; the reason, to be put behind the file's name.</exception>
    public static ColmapSchema? Read(SqliteConnection connection)
    {
        var tables = new Dictionary<string, HashSet<string>>();
        using (SqliteCommand command = connection.CreateCommand())
        {
            command.CommandText = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
            using SqliteDataReader reader = command.ExecuteReader();
            while (reader.Read())
            {
                string table = reader.GetString(0);
                if (!tables.TryGetValue(table, out HashSet<string>? columns))
                {
                    tables[table] = columns = [];
                }

                columns.Add(reader.GetString(1));
            }
        }

        if (tables.Count == 0)
        {
            return null;
        }

        string[] missing = [.. Written.Keys.Except(tables.Keys)];
        if (missing.Length > 0)
        {
            throw new InvalidDataException($"is no database of COLMAP 3.6 or newer: it has no table {string.Join(", ", missing)}");
        }

        string[] strange = [.. tables.Keys.Except(Written.Keys).Except(WrittenIfThere.Keys).Except(LeftAlone)];
        if (strange.Length > 0)
        {
            throw new InvalidDataException($"has tables that are not known here: {string.Join(", ", strange)}; its version of COLMAP is newer than this tool");
        }

        foreach ((string table, string known) in Written.Concat(WrittenIfThere.Where(row => tables.ContainsKey(row.Key))))
        {
            CheckColumns(table, known, tables[table]);
        }

        string[] rigs = ["rigs", "frames", "frame_data"];
        return rigs.Count(tables.ContainsKey) is 0 or 3
            ? new ColmapSchema(tables)
            : throw new InvalidDataException($"has some of the tables {string.Join(", ", rigs)}, but not all: a program may have been killed while it changed them");
    }

    private static void CheckColumns(string table, string known, HashSet<string> columns)
    {
        string[][] parts = [.. known.Split('|').Select(part => part.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        string[] missing = [.. parts[0].Except(columns)], strange = [.. columns.Except(parts[0]).Except(parts[1])];
        if (missing.Length + strange.Length > 0)
        {
            string what = missing.Length > 0 ? $"lacks the column {string.Join(", ", missing)}" : $"has a column that is not known here, {string.Join(", ", strange)}";
            throw new InvalidDataException($"is of a version of COLMAP that is not known here: its table {table} {what}");
        }
    }
}
