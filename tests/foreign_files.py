"""Makes a Delta table whose data files DuckDB wrote in each of its ways, one a commit: `foreign_files.py PATH`. Prints how many files there are.

The commits are written by hand: the `deltalake` wheel writes files in one way only.
"""

import itertools
import json
import pathlib
import sys

import deltalake
import duckdb

ROWS = 500
# Short and long texts, few values and many, nulls, lists and structs.
SELECT = f"""
    SELECT i AS id, CASE WHEN i % 7 > 0 THEN 'name ' || i % 20 END AS name, repeat('text ' || hash(i), 5) AS text,
           i / 7 AS x, i % 3 = 0 AS flag, DATE '2026-01-01' + (i % 100)::INT AS day,
           CASE WHEN i % 5 > 0 THEN list_transform(range(i % 4), n -> 't' || n) END AS tags,
           CASE WHEN i % 6 > 0 THEN {{'city': 'c' || i % 9, 'n': i}} END AS place
    FROM range(? * {ROWS}, (? + 1) * {ROWS}) t(i)
"""
COMPRESSIONS = ["uncompressed", "snappy", "gzip", "zstd", "lz4_raw", "brotli"]
ROW_GROUPS = [100, 300, 10_000]

table = pathlib.Path(sys.argv[1])
database = duckdb.connect()


def write(number, name, options):
    path = table / name
    select = SELECT.replace("?", str(number))
    database.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, {options})")
    return path


schema = {
    "type": "struct",
    "fields": [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in [
            ("id", "long"),
            ("name", "string"),
            ("text", "string"),
            ("x", "double"),
            ("flag", "boolean"),
            ("day", "date"),
            ("tags", {"type": "array", "elementType": "string", "containsNull": True}),
            (
                "place",
                {
                    "type": "struct",
                    "fields": [
                        {"name": "city", "type": "string", "nullable": True, "metadata": {}},
                        {"name": "n", "type": "long", "nullable": True, "metadata": {}},
                    ],
                },
            ),
        ]
    ],
}
log = table / "_delta_log"
log.mkdir(parents=True)
made = {
    "id": "5f2c1c0e-6e0a-4f1e-9a53-0d9a3d1c7b10",
    "format": {"provider": "parquet", "options": {}},
    "schemaString": json.dumps(schema),
    "partitionColumns": [],
    "configuration": {},
    "createdTime": 1,
}
first = [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": made}]
(log / f"{0:020}.json").write_text("".join(json.dumps(action) + "\n" for action in first))
ways = itertools.product(COMPRESSIONS, ["V1", "V2"], ROW_GROUPS, [True, False])
count = 0
for compression, version, rows, dictionary in ways:
    # Without a dictionary the second version writes texts by their differences and lengths.
    options = f"COMPRESSION {compression}, PARQUET_VERSION {version}, ROW_GROUP_SIZE {rows}"
    options += "" if dictionary else ", DICTIONARY_SIZE_LIMIT 1"
    path = write(count, f"{count:03}-{compression}-{version}.parquet", options)
    stats = json.dumps({"numRecords": ROWS})
    add = {"path": path.name, "partitionValues": {}, "size": path.stat().st_size, "modificationTime": 1, "dataChange": True, "stats": stats}
    count += 1
    (log / f"{count:020}.json").write_text(json.dumps({"add": add}) + "\n")
deltalake.DeltaTable(str(table))
print(count)
