"""What other people's tools need for the same work, each in a process of its own.

`peers.py duckdb-one SOURCE OUT`   DuckDB: one file of JSON lines -> one Parquet file (zstd)
`peers.py duckdb-many SOURCE OUT`  DuckDB: the micro-files -> one Parquet file (zstd)
`peers.py polars-many SOURCE OUT`  Polars: the micro-files -> a Delta table
`peers.py verify TABLE SELECT`     the values of a select list over the files that the `deltalake` wheel lists for TABLE

Prints `name=value` lines: `seconds` (the work alone: neither the interpreter's start nor the imports), `peak_bytes` (the
highest resident memory of the process), `rows` or `values`. OUT must not exist.
"""

import pathlib
import resource
import sys
import time


def duckdb_to_parquet(pattern: str, out: str, options: str = "") -> int:
    import duckdb

    database = duckdb.connect()
    began = time.monotonic()
    read = f"read_json('{pattern}', format='newline_delimited'{options})"
    database.execute(f"COPY (SELECT * FROM {read}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    seconds = time.monotonic() - began
    print(f"seconds={seconds:.6f}")
    return database.execute(f"SELECT count(*) FROM read_parquet('{out}')").fetchone()[0]


def polars_to_delta(source: str, out: str) -> int:
    import deltalake
    import polars

    began = time.monotonic()
    files = sorted(str(path) for path in pathlib.Path(source).rglob("*.json"))
    # It infers from the first file alone, and fails where a later one has a text for what was null there: it is told.
    told = {column: polars.String for column in ("shipped", "coupon", "note")}
    polars.scan_ndjson(files, schema_overrides=told).collect().write_delta(out)
    print(f"seconds={time.monotonic() - began:.6f}")
    return polars.scan_parquet(deltalake.DeltaTable(out).file_uris()).select(polars.len()).collect().item()


def verify(table: str, select: str) -> str:
    import deltalake
    import duckdb

    files = deltalake.DeltaTable(table).file_uris()
    row = duckdb.execute(f"SELECT {select} FROM read_parquet($files, union_by_name=true)", {"files": files}).fetchone()
    return ",".join(str(value) for value in row)


def main() -> None:
    what, first, second = sys.argv[1:]
    if what == "duckdb-one":
        print(f"rows={duckdb_to_parquet(first, second)}")
    elif what == "duckdb-many":
        # With the default of 16 MiB for each file it runs out of memory: every micro-file gets a buffer of that size.
        print(f"rows={duckdb_to_parquet(f'{first}/**/*.json', second, ', maximum_object_size=262144')}")
    elif what == "polars-many":
        print(f"rows={polars_to_delta(first, second)}")
    elif what == "verify":
        print(f"values={verify(first, second)}")
    else:
        sys.exit(f"error: {what!r} is not known")
    print(f"peak_bytes={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)}")


if __name__ == "__main__":
    main()
