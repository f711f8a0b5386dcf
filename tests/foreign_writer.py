"""Another writer of a table that Lithify writes to: the `deltalake` wheel, which is delta-rs.

`foreign_writer.py ADDRESS WORK...` does the works in their order and ends; with `--until FILE` it does them again and again until the
file exists, and then says on standard output, as JSON, how often each was done and how often it lost against another writer.
With LITHIFY_S3 the address is in the S3 server there.

Works: `append:N` (N rows, numbered from a million on, of no source file), `delete:PREDICATE`, `optimize`, `column:NAME` (a string column),
`property:NAME=VALUE` (of the table).
"""

import collections
import json
import os
import pathlib
import sys

import deltalake
from arro3.core import Array, DataType, Field, Schema, Table
from deltalake.exceptions import CommitFailedError

FIRST = 1_000_000


def options():
    endpoint = os.environ.get("LITHIFY_S3")
    if endpoint is None:
        return None
    return {
        "endpoint_url": endpoint,
        "allow_http": "true",
        "access_key_id": "test",
        "secret_access_key": "test",
        "region": "us-east-1",
        "conditional_put": "etag",
    }


def append(address, count):
    ids = Array(list(range(FIRST, FIRST + int(count))), type=DataType.int64())
    rows = Table.from_arrays([ids], schema=Schema([Field("id", DataType.int64(), nullable=True)]))
    deltalake.write_deltalake(address, rows, mode="append", schema_mode="merge", storage_options=options())


def delete(address, predicate):
    deltalake.DeltaTable(address, storage_options=options()).delete(predicate)


def optimize(address, _):
    deltalake.DeltaTable(address, storage_options=options()).optimize.compact()


def column(address, name):
    field = deltalake.Field(name, deltalake.schema.PrimitiveType("string"), nullable=True)
    table = deltalake.DeltaTable(address, storage_options=options())
    if all(known.name != name for known in table.schema().fields):
        table.alter.add_columns([field])


def property_of(address, words):
    name, _, value = words.partition("=")
    table = deltalake.DeltaTable(address, storage_options=options())
    table.alter.set_table_properties({name: value}, raise_if_not_exists=False)


WORKS = {"append": append, "delete": delete, "optimize": optimize, "column": column, "property": property_of}


def main():
    words = sys.argv[1:]
    until = None
    if words[0] == "--until":
        until, words = pathlib.Path(words[1]), words[2:]
    address, works = words[0], [work.partition(":") for work in words[1:]]
    done, lost = collections.Counter(), collections.Counter()
    while True:
        for name, _, argument in works:
            try:
                WORKS[name](address, argument)
                done[name] += 1
            except CommitFailedError:
                if until is None:
                    raise
                lost[name] += 1
        if until is None or until.exists():
            break
    print(json.dumps({"done": done, "lost": lost}))


main()
