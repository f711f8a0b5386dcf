"""End to end on LocalStack: the real module, the real functions, S3 -> SQS -> function, and tables read by others through S3.

`cargo xtask e2e aws` builds the functions and starts this with the Python of LocalStack's environment, and with
  LITHIFY_BIN             `lithify`, built with the feature aws
  LITHIFY_PYTHON          the Python that has the readers
  LITHIFY_INGEST_ZIP, LITHIFY_COMPACTOR_ZIP   the functions
One LocalStack serves all tests, which go on side by side in time: what they wait for (claims that get old, schedules) is the same wait.
"""

import contextlib
import gzip
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import boto3
from botocore.config import Config

from scripts import LocalStackScripts  # noqa: F401  (its tests run with these)

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = 5
POISON = "this is no notification"
# Upkeep merges where a partition has so many small files.
SMALL_FILES = 50

# Both functions time out after 30 s, so that a claim is old after 90 s.
VARIABLES = {
    "name": "e2e",
    "ingest": {"timeout": 30, "batch_window": 1, "batch_size": 1000, "memory": 512},
    "ingest_large": {"timeout": 30, "memory": 512, "drop_size": "8MiB"},
    "compactor": {"timeout": 120},
    "receive_count_max": 30,
    "log_filter": "info,ingest=debug,compactor=debug",
    "pipelines": {
        name: {"source": f"s3://vendor-drops/{name}/", "table": f"s3://lake/tables/{name}", "longest_delay": "1s"}
        for name in ("orders", "killed", "deadly", "steady", "small", "replaced")
    },
}
VARIABLES["pipelines"]["replaced"]["overwrites"] = "ingest"


def wait_until(what, seconds, check, every=0.5):
    """Waits until `check` gives something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


def lines(pipeline, drop, **more):
    """A drop's content: its rows say which drop and row they are."""
    return "".join(json.dumps({"pipeline": pipeline, "drop": drop, "row": row, **more}) + "\n" for row in range(ROWS)).encode()


class World:
    """LocalStack with the module applied."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="lithify-aws-"))
        variables = self.home / "variables.tfvars.json"
        variables.write_text(json.dumps(VARIABLES))
        described = self.home / "localstack.json"
        self.environment = {
            **os.environ,
            "LITHIFY_LOCALSTACK_HOME": str(self.home / "localstack"),
            "LITHIFY_LOCALSTACK_VARS": str(variables),
            "LITHIFY_LOCALSTACK_DOCKER": "0",
        }
        subprocess.run([ROOT / "localstack" / "up", "--json", described], env=self.environment, check=True)
        made = self.made = json.loads(described.read_text())
        keys = {
            "endpoint_url": made["endpoint"],
            "region_name": made["region"],
            "aws_access_key_id": made["access_key_id"],
            "aws_secret_access_key": made["secret_access_key"],
        }
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=32, read_timeout=180, retries={"total_max_attempts": 3})
        self.s3, self.sqs, self.dynamodb, self.functions = (
            boto3.client(service, config=config, **keys) for service in ("s3", "sqs", "dynamodb", "lambda")
        )
        self.aws = {
            "AWS_ENDPOINT_URL": made["endpoint"],
            "AWS_REGION": made["region"],
            "AWS_ACCESS_KEY_ID": made["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": made["secret_access_key"],
        }
        # So that a message whose invocation died comes back soon; what is too young to be taken over says by itself when to come again.
        for queue in ("queue", "large_queue"):
            self.sqs.set_queue_attributes(QueueUrl=made["queues"][queue], Attributes={"VisibilityTimeout": "35"})

    def down(self):
        subprocess.run([ROOT / "localstack" / "down"], env=self.environment, check=True)

    def put(self, pipeline, name, body):
        return self.s3.put_object(Bucket="vendor-drops", Key=f"{pipeline}/{name}", Body=body)["ETag"].strip('"')

    def notify_again(self, pipeline, named):
        """Sends a notification of each object once more, as S3 may."""
        records = [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventTime": "2026-11-22T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": "vendor-drops"},
                    "object": {"key": urllib.parse.quote_plus(f"{pipeline}/{name}", safe="/"), "size": size, "eTag": etag},
                },
            }
            for name, (etag, size) in named.items()
        ]
        for at in range(0, len(records), 10):
            entries = [{"Id": str(n), "MessageBody": json.dumps({"Records": [r]})} for n, r in enumerate(records[at : at + 10])]
            answer = self.sqs.send_message_batch(QueueUrl=self.made["queues"]["queue"], Entries=entries)
            assert not answer.get("Failed"), answer

    def compact(self, *pipelines, **more):
        """Invokes the compactor by hand."""
        answer = self.functions.invoke(
            FunctionName=self.made["functions"]["compactor"],
            Payload=json.dumps({"pipelines": list(pipelines), **more}),
        )
        body = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, body
        return json.loads(body)

    def kill_reader(self, pipeline, name):
        """SIGKILLs the process that reads the drop: "killed", or the state of its batch if that has one, or None if nobody reads it.

        The process stands still while the ledger is asked, so that what was seen holds when it dies."""
        claim = self.claim(pipeline, name)
        if not claim:
            return None
        batch = claim["batch"]["S"]
        if state := self.state(batch):
            return state
        for file in (pathlib.Path(self.made["home"]) / "functions" / self.made["functions"]["ingest"]).glob("*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if batch not in file.read_text(errors="replace"):
                    continue
                os.kill(int(file.name), signal.SIGSTOP)
                # What it has sent arrives.
                time.sleep(0.1)
                state = self.state(batch)
                os.kill(int(file.name), signal.SIGCONT if state else signal.SIGKILL)
                return state or "killed"
        return None

    def item(self, pk, sk):
        found = self.dynamodb.get_item(TableName=self.made["ledger"], Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)
        return found.get("Item")

    def claim(self, pipeline, name):
        return self.item(f"drop#{pipeline}#vendor-drops/{pipeline}/{name}", "drop")

    def state(self, batch):
        """The state of a batch that is sealed, committed or void."""
        record = self.item(f"batch#{batch}", "record")
        return record and record["state"]["S"]

    def waiting(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.made["queues"][queue], AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def poison(self):
        """When the poison among the dead letters was sent there, in seconds; of each that lies there now."""
        found = {}
        for _ in range(3):
            answer = self.sqs.receive_message(
                QueueUrl=self.made["queues"]["dead_letter_queue"], MaxNumberOfMessages=10, VisibilityTimeout=0, AttributeNames=["SentTimestamp"]
            )
            for message in answer.get("Messages", []):
                if message["Body"] == POISON:
                    found[message["MessageId"]] = int(message["Attributes"]["SentTimestamp"]) / 1000
        return list(found.values())

    def log(self, pipeline):
        """The actions of each commit in a table's Delta log, oldest first."""
        prefix = f"tables/{pipeline}/_delta_log/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix)
        keys = sorted(found["Key"] for page in pages for found in page.get("Contents", []) if found["Key"].endswith(".json"))
        bodies = (self.s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys)
        return [[json.loads(line) for line in body.splitlines() if line.strip()] for body in bodies]

    def ask(self, pipeline, query, audit=False):
        """Rows of a query over a pipeline's table, by the `deltalake` wheel through S3; nothing if there is no table."""
        table = f"s3://lake/tables/{pipeline}" + ("_drops" if audit else "")
        options = {"AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT_URL": self.made["endpoint"], **self.aws}
        request = {"engine": "delta", "tables": {"rows": table}, "queries": {"asked": query}, "storage_options": options}
        asked = subprocess.run(
            [os.environ["LITHIFY_PYTHON"], ROOT / "tests" / "reader.py"], input=json.dumps(request), capture_output=True, text=True, check=False
        )
        if asked.returncode != 0:
            raise AssertionError(f"the reader failed on {table}:\n{asked.stderr}")
        return json.loads(asked.stdout)["results"]["asked"]

    def count(self, pipeline):
        return self.ask(pipeline, "SELECT count(*) FROM rows")[0][0]

    def lithify(self, *words):
        command = [os.environ["LITHIFY_BIN"], *words, "--ledger", f"dynamodb://{self.made['ledger']}"]
        return subprocess.run(command, env={**os.environ, **self.aws}, capture_output=True, text=True, check=False)

    def reconcile(self, pipeline):
        done = self.lithify("reconcile", f"s3://lake/tables/{pipeline}", "--json")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        verdict = json.loads(done.stdout)
        assert verdict["holds"], verdict
        return verdict


def each_exactly_once(test, world, pipeline, drops, others={}):
    """Every row of these drops is in the table once, nothing else is, and the auditor agrees.

    Of `others` it is told how many rows they have, how many of these differ by their place in the file, and the sum of `row`."""
    rows = world.ask(pipeline, "SELECT _source_file, count(*), count(DISTINCT _source_row), sum(row) FROM rows GROUP BY _source_file")
    found = {file: (number, distinct, int(total)) for file, number, distinct, total in rows}
    wanted = {f"s3://vendor-drops/{pipeline}/{drop}": (ROWS, ROWS, sum(range(ROWS))) for drop in drops}
    wanted |= {f"s3://vendor-drops/{pipeline}/{drop}": counts for drop, counts in others.items()}
    differ = {file: (found.get(file), wanted.get(file)) for file in found.keys() | wanted.keys() if found.get(file) != wanted.get(file)}
    test.assertEqual(dict(list(differ.items())[:5]), {}, f"{len(differ)} files differ: (found, wanted)")
    return world.reconcile(pipeline)


class OnLocalStack(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.deadly = Deadly(cls.world)
        cls.deadly.start()
        cls.trickle = Trickle(cls.world)
        cls.trickle.start()

    @classmethod
    def tearDownClass(cls):
        cls.deadly.ended.set()
        cls.trickle.ended.set()
        cls.world.down()

    def test_1_a_thousand_drops_with_all_that_keys_can_hold_each_notified_twice(self):
        world = self.world
        odd = ["a b", "c+d", "e%f", "g=h", "ü/ö", "データ", "(i),{j};k", "l'm\"n", "o&p?q", "r%2Bs", "t#u"]
        named = {}
        for n in range(1000):
            key = f"topics/{odd[n % len(odd)]}/orders+{n % 7}+{n:010d}.json"
            body = lines("orders", n)
            if n % 10 == 3:
                key, body = key + ".gz", gzip.compress(body)
            named[key] = (world.put("orders", key, body), len(body))
        world.put("orders", "topics/_SUCCESS", b"")
        world.notify_again("orders", named)
        # The schedule commits; nobody is asked.
        wait_until("5,000 rows in the table", 300, lambda: world.count("orders") >= 1000 * ROWS, every=3)
        verdict = each_exactly_once(self, world, "orders", named)
        self.assertEqual(verdict["counts"]["drops"], 1000)
        audit = world.ask("orders", "SELECT count(*), count(DISTINCT source_file), sum(records), sum(rows) FROM rows", audit=True)
        self.assertEqual([int(value) for value in audit[0]], [1000, 1000, 1000 * ROWS, 1000 * ROWS])
        self.assertEqual(world.waiting("dead_letter_queue"), 0)

    def test_2_a_bad_file_among_good_ones_costs_only_itself(self):
        world = self.world

        def status():
            status = world.lithify("status", "s3://lake/tables/steady", "--json")
            self.assertEqual(status.returncode, 0, status.stderr)
            return json.loads(status.stdout)["pipelines"][0]

        world.put("steady", "bad.json.gz", gzip.compress(lines("steady", "bad"))[:-6] + b"broken")
        world.put("steady", "bad-line.json", b'{"pipeline":"steady","drop":"bad-line","row":0}\n{"row":\n{"pipeline":"steady","drop":"bad-line","row":1}\n')
        good = [spaced := "by another name.json", *(f"good-{n}.json" for n in range(19))]
        for name in good:
            world.put("steady", name, lines("steady", name))
        wait_until("the good rows", 240, lambda: world.count("steady") >= 20 * ROWS + 2, every=3)
        query = "SELECT source_file, fate, records, rows, quarantined_records FROM rows WHERE source_file LIKE '%bad%' ORDER BY source_file"
        # The audit rows follow the commit, and the two may be in two of those.
        fates = wait_until("both fates", 120, lambda: len(found := world.ask("steady", query, audit=True)) == 2 and found, every=3)
        self.assertEqual(
            [[file.rsplit("/", 1)[1], fate, *map(int, counts)] for file, fate, *counts in fates],
            [["bad-line.json", "ingested", 3, 2, 1], ["bad.json.gz", "quarantined", 0, 0, 0]],
        )
        # Told by its encoded key as well, as EventBridge may: that is claimed in vain, and is no drop that is gone.
        told = {"key": "steady/by%20another%20name.json", "size": len(lines("steady", spaced)), "etag": hashlib.md5(lines("steady", spaced)).hexdigest()}
        event = {"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "vendor-drops"}, "object": told}}
        world.sqs.send_message(QueueUrl=world.made["queues"]["queue"], MessageBody=json.dumps(event))
        wait_until("the claim on the encoded key", 120, lambda: world.claim("steady", "by%20another%20name.json"))
        # One that is gone before it is read: acknowledged, and told from what is at work.
        record = {"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "eventTime": "2026-11-22T00:00:00.000Z", "eventSource": "aws:s3"}
        record["s3"] = {"bucket": {"name": "vendor-drops"}, "object": {"key": "steady/gone.json", "size": 7, "eTag": "d41d8cd98f00b204e9800998ecf8427e"}}
        world.sqs.send_message(QueueUrl=world.made["queues"]["queue"], MessageBody=json.dumps({"Records": [record]}))
        wait_until("the word that a drop is gone", 120, lambda: status()["drops_gone"] == 1, every=3)
        world.reconcile("steady")
        found = [status()[what] for what in ("drops_quarantined", "drops_gone", "drops_unfinished", "drops_not_asked_for")]
        self.assertEqual(found, [1, 1, 0, 0])

    def test_3_what_cannot_be_understood_goes_to_the_dead_letters_and_back_by_redrive(self):
        world = self.world
        queues = world.made["queues"]
        world.sqs.send_message(QueueUrl=queues["queue"], MessageBody=POISON)
        # Twice, where the invocation that buried it was ended by the deadly drop beside it before it could acknowledge.
        wait_until("the poison in the dead letters", 120, world.poison)
        # A good one lies there too, as after an outage.
        body = lines("steady", "redriven")
        etag = world.put("steady", "redriven.json", body)
        record = {"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "eventTime": "2026-11-22T00:00:00.000Z", "eventSource": "aws:s3"}
        record["s3"] = {"bucket": {"name": "vendor-drops"}, "object": {"key": "steady/redriven.json", "size": len(body), "eTag": etag}}
        world.sqs.send_message(QueueUrl=queues["dead_letter_queue"], MessageBody=json.dumps({"Records": [record]}))
        arn = world.sqs.get_queue_attributes(QueueUrl=queues["dead_letter_queue"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        target = world.sqs.get_queue_attributes(QueueUrl=queues["queue"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = time.time()
        world.sqs.start_message_move_task(SourceArn=arn, DestinationArn=target)
        files = "SELECT count(*) FROM rows WHERE _source_file = 's3://vendor-drops/steady/redriven.json'"
        wait_until("the redriven drop", 240, lambda: world.ask("steady", files)[0][0] == ROWS, every=3)
        # What lies there was sent there anew: it had left, and came back.
        again = wait_until("the poison among the dead letters again", 120, world.poison)
        self.assertGreaterEqual(min(again), redrive, "the poison never left the dead letters")
        world.reconcile("steady")

    def test_4_a_large_drop_goes_through_its_own_queue(self):
        world = self.world
        row = json.dumps({"pipeline": "steady", "drop": "large", "row": 0, "filler": "x" * 2000}) + "\n"
        world.put("steady", "large.json", (row * 5000).encode())
        files = "SELECT count(*) FROM rows WHERE _source_file = 's3://vendor-drops/steady/large.json'"
        wait_until("the large drop", 240, lambda: world.ask("steady", files)[0][0] == 5000, every=3)
        log = (pathlib.Path(world.made["logs"]) / f"{world.made['functions']['ingest_large']}.log").read_text()
        self.assertIn("sealed", log, "the function for large drops did not do it")

    def test_5_invocations_killed_in_the_middle_lose_and_double_nothing(self):
        world, drops, kills = self.world, [], 0
        # Each turn has a drop that takes long to decode, whose reader is killed, and others that are read beside it.
        reals = [random.Random(5).random() for _ in range(75_000)]
        for turn in range(10):
            slow, *others = names = [f"killed-{turn}-{n:03d}.json" for n in range(130)]
            for name in others:
                world.put("killed", name, lines("killed", name))
            world.put("killed", slow, lines("killed", slow, reals=reals))
            drops += names
            kills += wait_until(f"{slow} is read", 120, lambda slow=slow: world.kill_reader("killed", slow), every=0.01) == "killed"
            if kills == 3:
                break
        self.assertEqual(kills, 3, "too few invocations were killed while they worked")
        # Two compactors by hand, at once with each other and with the schedule's.
        several = [threading.Thread(target=world.compact, args=("killed",)) for _ in range(2)]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join()
        wait_until("every row", 600, lambda: world.count("killed") >= len(drops) * ROWS, every=5)
        each_exactly_once(self, world, "killed", drops)

    def test_6_a_drop_that_kills_every_invocation_is_quarantined_and_its_neighbours_are_not(self):
        world = self.world
        fate = "SELECT source_file, fate, reason FROM rows WHERE fate <> 'ingested'"
        found = wait_until("the deadly drop in the audit table", 900, lambda: self.deadly.done and world.ask("deadly", fate, audit=True), every=5)
        self.assertGreaterEqual(self.deadly.kills, 2, "it was final before it had killed twice")
        self.assertEqual([file for file, _, _ in found], [f"s3://vendor-drops/deadly/{self.deadly.name}"])
        escaped = {name: (Deadly.ROWS, Deadly.ROWS, 0) for name in self.deadly.escaped}
        rows = len(self.deadly.neighbours) * ROWS + len(escaped) * Deadly.ROWS
        wait_until("its neighbours", 300, lambda: world.count("deadly") >= rows, every=5)
        each_exactly_once(self, world, "deadly", self.deadly.neighbours, escaped)

    def test_7_upkeep_merges_what_is_small_and_keeps_every_row(self):
        world, drops = self.world, self.trickle.drops
        self.trickle.join(600)
        self.assertFalse(self.trickle.is_alive(), "not every drop was committed")
        self.assertIsNone(self.trickle.failure)
        answer = world.compact("small", upkeep=True)
        commits = world.log("small")
        added = [action["add"]["path"] for actions in commits for action in actions if "add" in action and action["add"]["dataChange"]]
        self.assertGreaterEqual(len(added), SMALL_FILES, "too few small files to merge")
        # The whole upkeep may have come before, on schedule: the log tells of either.
        merges = [actions for actions in commits if any("remove" in action for action in actions)]
        merged = [action["remove"]["path"] for actions in merges for action in actions if "remove" in action]
        written = [action["add"]["path"] for actions in merges for action in actions if "add" in action]
        self.assertGreaterEqual(len(merged), SMALL_FILES, answer)
        self.assertLess(len(written), len(merged) // 10, answer)
        self.assertEqual(len(merged), len(set(merged)), "a file was removed twice")
        changes = [action[kind]["dataChange"] for actions in merges for action in actions for kind in ("add", "remove") if kind in action]
        self.assertFalse(any(changes), "a merge says that rows changed")
        self.assertLess(len(set(added + written) - set(merged)), SMALL_FILES)
        each_exactly_once(self, world, "small", drops)

    def test_8_a_run_on_one_machine_beside_the_functions_doubles_nothing(self):
        world, names = self.world, [f"beside-{n:03d}.json" for n in range(60)]
        # What is looked at again is asked for, and the answer names a version, which is no part of what the drop is known by.
        world.s3.put_bucket_versioning(Bucket="vendor-drops", VersioningConfiguration={"Status": "Enabled"})
        # What stands for a folder is empty; content under such a name is a drop, for the functions and for a run.
        world.put("steady", "beside-folder/", b"")
        names.append("beside-content/")
        for name in names:
            world.put("steady", name, lines("steady", name))
        done = world.lithify("run", "s3://vendor-drops/steady/", "s3://lake/tables/steady", "--name", "steady", "--json")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(json.loads(done.stdout)["pipelines"][0]["skipped_by_extension"].get("(folder)"), 1, done.stdout)
        query = "SELECT _source_file, count(*), count(DISTINCT _source_row) FROM rows WHERE _source_file LIKE '%beside-%' GROUP BY _source_file"
        rows = wait_until("every drop", 240, lambda: len(found := world.ask("steady", query)) == len(names) and found, every=3)
        self.assertEqual({(int(count), int(distinct)) for _, count, distinct in rows}, {(ROWS, ROWS)})
        world.reconcile("steady")

    def test_9_a_run_knows_drops_by_their_versions_where_the_functions_do(self):
        world, names = self.world, [f"replaced-{n:02d}.json" for n in range(40)]
        world.s3.put_bucket_versioning(Bucket="vendor-drops", VersioningConfiguration={"Status": "Enabled"})
        for turn in range(2):
            for name in names:
                world.put("replaced", name, lines("replaced", name, turn=turn))
        run = ("run", "s3://vendor-drops/replaced/", "s3://lake/tables/replaced", "--name", "replaced", "--json")
        refused = world.lithify(*run)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("--overwrites ingest", json.loads(refused.stdout)["pipelines"][0]["failure"]["error"])
        done = world.lithify(*run, "--overwrites", "ingest")
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        query = "SELECT _source_file, _source_version, count(*), count(DISTINCT _source_row) FROM rows GROUP BY _source_file, _source_version"
        rows = wait_until("every version", 240, lambda: len(found := world.ask("replaced", query)) >= 2 * len(names) and found, every=3)
        self.assertEqual(len(rows), 2 * len(names), "a version is there by two names")
        self.assertEqual({(int(count), int(distinct)) for _, _, count, distinct in rows}, {(ROWS, ROWS)})
        known = json.loads(world.lithify(*run, "--overwrites", "ingest").stdout)["pipelines"][0]["tally"]
        self.assertEqual((known["drops_known"], known["drops_ingested"]), (len(names), 0), "of each key one version is current")
        world.reconcile("replaced")


class Trickle(threading.Thread):
    """Drops one file at a time and has each committed alone, so that its table gets as many small files: what upkeep is for."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.failure, self.ended = world, None, threading.Event()
        self.drops = [f"small-{n}.json" for n in range(SMALL_FILES + 5)]

    def run(self):
        try:
            for name in self.drops:
                self.world.put("small", name, lines("small", name))
                wait_until(f"{name} in the table", 300, lambda name=name: self.ended.is_set() or self.commit(name), every=0.2)
        except Exception as failure:  # noqa: BLE001  (the test tells it)
            self.failure = failure

    def commit(self, name):
        """Whether the drop is committed; asks the compactor for it, where it is staged."""
        claim = self.world.claim("small", name)
        state = claim and self.world.state(claim["batch"]["S"])
        if state == "staged":
            self.world.compact("small")
        return state == "committed"


class Deadly(threading.Thread):
    """Drops one file that kills every invocation that reads it: this thread is the killer, and looks at the ledger for when.

    Where an invocation was done before the killer came, another file is the deadly one."""

    ROWS = 5_000

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.ended = world, threading.Event()
        # The deadly drop, how often it killed, and whether it is final; those before that were read in spite of the killer.
        self.name, self.kills, self.done, self.escaped = None, 0, False, []
        self.neighbours = [f"neighbour-{n}.json" for n in range(5)]

    def run(self):
        world = self.world
        # Long to decode and few bytes: below the size of large drops. Rows that repeat are what gzip shrinks, though not so well that it looks
        # like a bomb.
        numbers = random.Random(6)
        rows = (json.dumps({"pipeline": "deadly", "drop": "deadly", "row": 0, "list": [numbers.random() for _ in range(400)]}) + "\n" for _ in range(self.ROWS // 5))
        content = gzip.compress("".join(row * 5 for row in rows).encode(), compresslevel=1)
        for name in self.neighbours:
            world.put("deadly", name, lines("deadly", name))
        for turn in range(10):
            self.name, self.kills = f"deadly-{turn}.json.gz", 0
            world.put("deadly", self.name, content)
            while not self.is_final():
                if self.ended.wait(0.02):
                    return
            if self.kills >= 2:
                break
            self.escaped.append(self.name)
        self.done = True

    def is_final(self):
        fate = self.world.kill_reader("deadly", self.name)
        self.kills += fate == "killed"
        return fate not in (None, "killed", "aborted")


if __name__ == "__main__":
    done = unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]], exit=False).result
    failed = len(done.failures) + len(done.errors)
    word = "ok" if done.wasSuccessful() else "FAILED"
    print(f"test result: {word}. {done.testsRun - failed - len(done.skipped)} passed; {failed} failed; {len(done.skipped)} ignored", flush=True)
    sys.exit(not done.wasSuccessful())
