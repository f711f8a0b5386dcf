"""End to end on LocalStack: the real module, the real functions, S3 -> SQS -> function, and tables read by others through S3.

`cargo xtask e2e aws` builds the functions and starts this with the Python of LocalStack's environment, and with
  LITHIFY_BIN             `lithify`, built with the feature aws
  LITHIFY_PYTHON          the Python that has the readers
  LITHIFY_INGEST_ZIP, LITHIFY_COMPACTOR_ZIP   the functions
One LocalStack serves all tests, which go on side by side in time: what they wait for (claims that get old, schedules) is the same wait.
"""

import datetime
import gzip
import hashlib
import json
import pathlib
import random
import sys
import threading
import time
import unittest

from localstack_world import POISON, ROWS, World, lines, ulid, wait_until
from scripts import LocalStackScripts  # noqa: F401  (its tests run with these)

# Upkeep merges where a partition has so many small files.
SMALL_FILES = 50


def each_exactly_once(test, world, pipeline, drops, others={}, bucket="vendor-drops"):
    """Every row of these drops is in the table once, nothing else is, and the auditor agrees.

    Of `others` it is told how many rows they have, how many of these differ by their place in the file, and the sum of `row`."""
    rows = world.ask(pipeline, "SELECT _source_file, count(*), count(DISTINCT _source_row), sum(row) FROM rows GROUP BY _source_file")
    found = {file: (number, distinct, int(total)) for file, number, distinct, total in rows}
    wanted = {f"s3://{bucket}/{pipeline}/{drop}": (ROWS, ROWS, sum(range(ROWS))) for drop in drops}
    wanted |= {f"s3://{bucket}/{pipeline}/{drop}": counts for drop, counts in others.items()}
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
        redrive = time.time()
        world.sqs.start_message_move_task(SourceArn=world.arn("dead_letter_queue"), DestinationArn=world.arn("queue"))
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

    def test_a_what_is_left_out_comes_again_long_before_its_visibility_ends(self):
        world, body, left = self.world, lines("steady", "left.json"), []
        # As an invocation leaves it that died a minute ago: its claim is young for half a minute more.
        at = time.time() - 60
        held = {"batch": ulid(at), "holder": "dead", "at": int(at * 1_000_000), "etag": hashlib.md5(body).hexdigest()}
        world.plant("drop#steady#vendor-drops/steady/left.json", "drop", **held, aborted=0, aborted_alone=0)
        world.put("steady", "left.json", body)

        def left_out():
            found = [line for line in world.said("ingest", "left out, to come again") if line["drop"].endswith("/left.json")]
            left[:] = [datetime.datetime.fromisoformat(line["timestamp"]).timestamp() for line in found]
            return len(left) >= 3

        # Left to the queue it would come after 35 seconds each time, and be taken over then.
        wait_until("it was left out three times", 60, left_out)
        waits = [after - before for before, after in zip(left, left[1:])]
        for wait, asked in zip(waits, (5, 10)):
            self.assertTrue(asked - 1 < wait < asked + 15, f"{waits} and not 5, 10")
        query = "SELECT count(*) FROM rows WHERE _source_file LIKE '%/left.json'"
        # The schedule would commit them as well, up to a minute later.
        wait_until("its rows", 120, lambda: world.compact("steady") and world.ask("steady", query)[0][0] == ROWS, every=3)
        self.assertEqual(world.state(held["batch"]), "aborted")
        world.reconcile("steady")

    def test_b_what_eventbridge_and_topics_tell_of_is_in_the_table(self):
        world, names = self.world, [f"a b+c%d=é-{n}.json" for n in range(3)] + ["plain.json"]
        for pipeline, way in (("events", "EventBridgeConfiguration"), ("topics", "TopicConfigurations")):
            self.assertEqual(world.ways(f"vendor-{pipeline}"), {way})
            for name in names:
                world.put(pipeline, name, lines(pipeline, name), bucket=f"vendor-{pipeline}")
        for pipeline in ("events", "topics"):
            every = len(names) * ROWS
            wait_until(f"every row of {pipeline}", 120, lambda pipeline=pipeline: world.compact(pipeline) and world.count(pipeline) >= every, every=2)
            each_exactly_once(self, world, pipeline, names, bucket=f"vendor-{pipeline}")
        self.assertEqual(world.waiting("dead_letter_queue"), len(world.poison()), "one of them was not understood")

    def test_c_a_run_takes_a_lease_that_expired_and_asks_for_none_that_outlives_it_long(self):
        world, table = self.world, "table#s3://lake/tables/late"
        before = world.item(table, "lease")
        token = int(before["token"]["N"]) + 1 if before else 1
        # Its holder died, and nobody saw it.
        world.plant(table, "lease", owner="lithify-dead", token=token, expires=int((time.time() - 30) * 1_000_000), held=True)
        for n in range(3):
            world.put("late", f"late-{n}.json", lines("late", n))
        began = time.time()
        done = world.lithify("run", "s3://vendor-drops/late/", "s3://lake/tables/late", "--name", "late", timeout=120)
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        each_exactly_once(self, world, "late", [f"late-{n}.json" for n in range(3)])
        lease = world.item(table, "lease")
        self.assertNotEqual(lease["owner"]["S"], "lithify-dead")
        self.assertGreater(int(lease["token"]["N"]), token)
        asked = int(lease["expires"]["N"]) / 1_000_000 - began
        self.assertLess(asked, 5 * 60 + 120, "whoever comes after a run that died waits for as long")


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
