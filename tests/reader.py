"""Reads Delta tables with other people's code only: the `deltalake` wheel reads the log, DuckDB or deltalake's own query
engine reads the rows. One request on standard input, one answer on standard output, both JSON:

{"engine": "duckdb" | "delta", "tables": {"rows": "/path", ...}, "queries": {"name": "SELECT ... FROM rows", ...},
 "storage_options": {...} | absent}
{"tables": {"rows": null | {"version", "files", "schema", "partition_columns"}}, "results": {"name": [[value, ...], ...]}}

A table that does not exist is null; a query over it is an error.
"""

import json
import sys

import deltalake
from deltalake.exceptions import TableNotFoundError


def open_table(path, options):
    try:
        return deltalake.DeltaTable(path, storage_options=options)
    except TableNotFoundError:
        return None


def describe(table):
    if table is None:
        return None
    fields = json.loads(table.schema().to_json())["fields"]
    return {
        "version": table.version(),
        "files": table.file_uris(),
        "schema": {field["name"]: field["type"] for field in fields},
        "columns": [field["name"] for field in fields],
        "partition_columns": table.metadata().partition_columns,
    }


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def ask_duckdb(tables, queries):
    import duckdb

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    for name, table in tables.items():
        if table is None:
            continue
        files = table.file_uris()
        if not files:
            sys.exit(f"error: the table {name} has no files to ask about")
        listed = ", ".join(literal(file) for file in files)
        database.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{listed}], union_by_name=true)')
    return {name: [list(row) for row in database.execute(sql).fetchall()] for name, sql in queries.items()}


def ask_delta(tables, queries):
    engine = deltalake.QueryBuilder()
    for name, table in tables.items():
        if table is not None:
            engine = engine.register(name, table)
    answers = {}
    for name, sql in queries.items():
        answer = engine.execute(sql).read_all()
        columns = [[value.as_py() for value in column] for column in answer.columns]
        answers[name] = [list(row) for row in zip(*columns)]
    return answers


def main():
    request = json.load(sys.stdin)
    tables = {name: open_table(path, request.get("storage_options")) for name, path in request["tables"].items()}
    ask = {"duckdb": ask_duckdb, "delta": ask_delta}[request["engine"]]
    results = ask(tables, request["queries"]) if request["queries"] else {}
    answer = {"tables": {name: describe(table) for name, table in tables.items()}, "results": results}
    json.dump(answer, sys.stdout, default=str)


if __name__ == "__main__":
    main()
