"""A LocalStack with the module applied, for the tests in aws.py: what they put there, ask of it and wait for."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = 5
POISON = "this is no notification"

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
        for name in ("orders", "killed", "deadly", "steady", "small", "replaced", "late")
    },
    "event_delivery": "both",
}
VARIABLES["pipelines"]["replaced"]["overwrites"] = "ingest"
# Nothing of it is due while the tests go on.
VARIABLES["pipelines"]["late"]["longest_delay"] = "1h"
# Of buckets that tell of their objects in other ways.
for way in ("events", "topics"):
    VARIABLES["pipelines"][way] = {"source": f"s3://vendor-{way}/{way}/", "table": f"s3://lake/tables/{way}", "longest_delay": "1s"}


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


def ulid(at):
    """A new id of a batch that began then, in seconds."""
    number = int(at * 1000) << 80 | random.getrandbits(80)
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> 5 * place & 31] for place in reversed(range(26)))


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
        self.s3, self.sqs, self.sns, self.dynamodb, self.functions = (
            boto3.client(service, config=config, **keys) for service in ("s3", "sqs", "sns", "dynamodb", "lambda")
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
        self.tell_by_one_way_each()

    def tell_by_one_way_each(self):
        """The module has buckets tell both ways. Here each tells by one, so that what arrives tells of that way."""
        told = self.s3.get_bucket_notification_configuration(Bucket="vendor-drops")
        by_queue = {"QueueConfigurations": told["QueueConfigurations"]}
        topic = self.sns.create_topic(Name="e2e-arrivals")["TopicArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.arn("queue"), ReturnSubscriptionArn=True)
        by_topic = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
        for bucket, way in (("vendor-drops", by_queue), ("vendor-events", {"EventBridgeConfiguration": {}}), ("vendor-topics", by_topic)):
            self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=way)

    def ways(self, bucket):
        """By what a bucket tells of its objects."""
        told = self.s3.get_bucket_notification_configuration(Bucket=bucket)
        return {name for name in told if name.endswith(("Configuration", "Configurations"))}

    def arn(self, queue):
        return self.sqs.get_queue_attributes(QueueUrl=self.made["queues"][queue], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def down(self):
        subprocess.run([ROOT / "localstack" / "down"], env=self.environment, check=True)
        shutil.rmtree(self.home)

    def put(self, pipeline, name, body, bucket="vendor-drops"):
        return self.s3.put_object(Bucket=bucket, Key=f"{pipeline}/{name}", Body=body)["ETag"].strip('"')

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

    def plant(self, pk, sk, **fields):
        """Writes an item of the ledger: texts, numbers and truths."""
        kinds = {str: lambda value: {"S": value}, int: lambda value: {"N": str(value)}, bool: lambda value: {"BOOL": value}}
        item = {name: kinds[type(value)](value) for name, value in (fields | {"pk": pk, "sk": sk}).items()}
        self.dynamodb.put_item(TableName=self.made["ledger"], Item=item)

    def said(self, function, message):
        """The lines of a function's log with this message, oldest first."""
        log = pathlib.Path(self.made["logs"]) / f"{self.made['functions'][function]}.log"
        lines = (line for line in log.read_text(errors="replace").splitlines() if line.startswith("{") and '"level"' in line)
        return [found for line in lines if (found := json.loads(line)).get("message") == message]

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

    def lithify(self, *words, timeout=None):
        command = [os.environ["LITHIFY_BIN"], *words, "--ledger", f"dynamodb://{self.made['ledger']}"]
        return subprocess.run(command, env={**os.environ, **self.aws}, capture_output=True, text=True, check=False, timeout=timeout)

    def reconcile(self, pipeline):
        done = self.lithify("reconcile", f"s3://lake/tables/{pipeline}", "--json")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        verdict = json.loads(done.stdout)
        assert verdict["holds"], verdict
        return verdict
