"""Damages a table, its audit table or its ledger in one way, as a bug or a careless hand would: `tamper.py HOW TABLE`.

What each way does is told by its function's first line; the end-to-end tests ask for the invariant that it breaks.
"""

import json
import pathlib
import re
import shutil
import sqlite3
import sys

import deltalake


def ask(table, columns, condition="true"):
    """Rows of a table, as Arrow. `columns` maps the names of columns to SQL that replaces them."""
    delta = deltalake.DeltaTable(table)
    names = [field.name for field in delta.schema().fields]
    chosen = ", ".join(f'{columns.get(name, chr(34) + name + chr(34))} AS "{name}"' for name in names)
    return deltalake.QueryBuilder().register("t", delta).execute(f"SELECT {chosen} FROM t WHERE {condition}").read_all()


OF_ONE_FILE = "_source_file = (SELECT min(_source_file) FROM t)"


def delete_a_row(table):
    """One row is gone."""
    deltalake.DeltaTable(table).delete("_source_row = 0")


def double_a_file(table):
    """All rows of one file are there twice."""
    deltalake.write_deltalake(table, ask(table, {}, OF_ONE_FILE), mode="append")


def invent_a_file(table):
    """Rows name a file that nobody has ingested."""
    invented = ask(table, {"_source_file": "'nobody/has/this.json'"}, OF_ONE_FILE)
    deltalake.write_deltalake(table, invented, mode="append")


def forget_an_account(table):
    """The audit table lacks a drop."""
    audit = table + "_drops"
    first = min(file.as_py() for file in ask(audit, {}).column("source_file"))
    deltalake.DeltaTable(audit).delete(f"source_file = '{first}'")


def double_the_accounts(table):
    """The audit table has everything twice."""
    audit = table + "_drops"
    deltalake.write_deltalake(audit, ask(audit, {}), mode="append")


def change_an_account(table):
    """The audit table counts a record more than there was."""
    deltalake.DeltaTable(table + "_drops").update(updates={"records": "records + 1"}, predicate="rows > 0")


def lose_a_manifest(table):
    """A manifest is gone."""
    min(pathlib.Path(table, "_lithify", "manifests").rglob("*.jsonl.zst")).unlink()


def ledger(table, *statements):
    """Carries out SQL on the ledger."""
    connection = sqlite3.connect(pathlib.Path(table, "_lithify", "ledger.db"))
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


FIRST = "id = (SELECT min(id) FROM batches WHERE sealed IS NOT NULL)"


def stage_again(table):
    """A batch that is in the table is called staged: the next commit would double it."""
    staged = f"INSERT INTO staged SELECT pipeline_no, id, 1, 1, 1, 1 FROM batches WHERE {FIRST}"
    ledger(table, staged, f"UPDATE batches SET version = NULL WHERE {FIRST}")


def misplace_a_batch(table):
    """A batch is said to be in another version than the one that carries it."""
    ledger(table, f"UPDATE batches SET version = version + 1 WHERE {FIRST}")


def hold_twice(table):
    """Two sealed batches hold the same drops."""
    twin = f"SELECT x'019A0000000000000000000000000000', pipeline_no, sealed, version FROM batches WHERE {FIRST}"
    ledger(table, f"INSERT INTO batches {twin}")


CLAIM = "drop_id = (SELECT min(drop_id) FROM claims)"


def forget_a_claim(table):
    """The ledger does not know a drop any more whose rows are in the table."""
    ledger(table, f"DELETE FROM claims WHERE {CLAIM}")


def misplace_a_claim(table):
    """A drop is claimed by another batch than the one that holds its rows."""
    ledger(table, f"UPDATE claims SET batch = (SELECT max(id) FROM batches) WHERE {CLAIM}")


def forget_an_intent(table):
    """The log carries an intent that the ledger does not know."""
    ledger(table, "DELETE FROM intents WHERE number = (SELECT max(number) FROM intents)")


def damage_a_commit_below_a_checkpoint(table):
    """A commit that no reader of the newest version needs is cut in the middle."""
    deltalake.DeltaTable(table).create_checkpoint()
    commit = pathlib.Path(table, "_delta_log", f"{1:020}.json")
    commit.write_bytes(commit.read_bytes()[:100])


def miscount_a_file(table):
    """The log counts a row more than a file has."""
    commit = max(pathlib.Path(table, "_delta_log").glob("*.json"))
    before = commit.read_text()
    after = re.sub(r'numRecords\\":(\d+)', lambda found: f'numRecords\\":{int(found[1]) + 1}', before)
    assert before != after, before
    commit.write_text(after)


def lose_a_quarantined_record(table):
    """One of the records that were kept in the quarantine is there no more."""
    kept = min(pathlib.Path(table, "_lithify", "quarantine").rglob("*.jsonl"))
    kept.write_text("".join(kept.read_text().splitlines(keepends=True)[1:]))


def exchange_a_quarantined_record(table):
    """The quarantine keeps a record that is a row in the place of one that is none."""
    for kept in sorted(pathlib.Path(table, "_lithify", "quarantine").rglob("*.jsonl")):
        entries = [json.loads(line) for line in kept.read_text().splitlines()]
        bad = {(entry["source_file"], entry["row"]) for entry in entries if "row" in entry}
        for entry in entries:
            rows = ask(table, {}, f"_source_file = '{entry['source_file']}'").column("_source_row")
            if "row" in entry and len(rows) > 0:
                entry["row"] = rows[0].as_py()
                assert (entry["source_file"], entry["row"]) not in bad, entry
                kept.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
                return
    raise AssertionError("no drop has rows and quarantined records")


def exchange_the_table(table):
    """Another table stands in its place, and another audit table: both empty."""
    for folder in [table, table + "_drops"]:
        schema = deltalake.DeltaTable(folder).schema()
        for path in pathlib.Path(folder).iterdir():
            if path.is_file():
                path.unlink()
        shutil.rmtree(pathlib.Path(folder, "_delta_log"))
        deltalake.DeltaTable.create(folder, schema)


def forget_a_pipeline(table):
    """The ledger does not know the pipeline any more that fed the table, which holds none of its rows by now."""
    ledger(table, "UPDATE pipelines SET settings = NULL")
    for folder in [table, table + "_drops"]:
        deltalake.DeltaTable(folder).delete()


def exchange_the_ledger(table):
    """The ledger is a copy that was restored elsewhere."""
    ledger(table, "UPDATE about SET value = 'x' || value WHERE key = 'identity'")


globals()[sys.argv[1]](sys.argv[2])
