"""`localstack/drop` and `localstack/watch`: a few lines of S3 and SQS for those who have no AWS command line."""

import json
import signal
import sys
import time
from pathlib import Path

# Ctrl-C ends it at once and without a word, while it imports as well.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError


def main(described: str, command: str, *arguments: str) -> None:
    """Runs one of the two."""
    made = json.loads(Path(described).read_text())

    def client(service: str):
        return boto3.client(
            service, endpoint_url=made["endpoint"], region_name=made["region"], aws_access_key_id=made["access_key_id"],
            aws_secret_access_key=made["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}, connect_timeout=5, retries={"total_max_attempts": 3}),
        )

    try:
        if command == "drop" and len(arguments) == 2:
            drop(client("s3"), Path(arguments[0]), arguments[1])
        elif command == "watch" and len(arguments) == 1:
            watch(client("s3"), client("sqs"), made["queues"], arguments[0])
        else:
            misused("usage: localstack/drop FILE-OR-FOLDER s3://bucket/prefix/  or  localstack/watch s3://bucket/path/to/table")
    except (ConnectionError, HTTPClientError):
        sys.exit(f"LocalStack does not answer on {made['endpoint']}: if it has ended, localstack/down clears up and localstack/up starts one")
    except (BotoCoreError, ClientError, OSError) as error:
        sys.exit(f"localstack/{command}: {error}")


def misused(text: str) -> None:
    """Ends with what was asked for wrongly."""
    print(text, file=sys.stderr)
    sys.exit(2)


def split(address: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket:
        misused(f"{address} is no address like s3://bucket/prefix/")
    return bucket, key


def drop(s3, path: Path, address: str) -> None:
    """Puts files under a prefix, by their names below the folder."""
    bucket, prefix = split(address)
    if not path.exists():
        misused(f"there is no {path}")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        key = file.relative_to(path).as_posix() if path.is_dir() else file.name
        key = prefix + key if prefix.endswith("/") or not prefix else prefix
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
        except s3.exceptions.NoSuchBucket:
            buckets = ", ".join(found["Name"] for found in s3.list_buckets()["Buckets"])
            sys.exit(f"there is no bucket {bucket}; there are: {buckets}")
        print(f"s3://{bucket}/{key}")


def watch(s3, sqs, queues: dict[str, str], address: str) -> None:
    """Prints a line whenever something changed."""
    last = None
    while True:
        line = f"{table(s3, *split(address.rstrip('/')))}; " + ", ".join(waiting(sqs, name, url) for name, url in queues.items())
        if line != last:
            print(time.strftime("%H:%M:%S"), line, flush=True)
        last = line
        time.sleep(2)


def waiting(sqs, name: str, url: str) -> str:
    """How many messages a queue holds."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return f"{name} {counts[names[0]]}+{counts[names[1]]}"


def table(s3, bucket: str, key: str) -> str:
    """Version, files and rows of a Delta table by the JSON of its log; rows are those that the log counts."""
    files, version = {}, None
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{key}/_delta_log/")
        for entry in sorted(entry["Key"] for page in pages for entry in page.get("Contents", []) if entry["Key"].endswith(".json")):
            version = int(entry.rsplit("/", 1)[1].removesuffix(".json"))
            for line in s3.get_object(Bucket=bucket, Key=entry)["Body"].read().splitlines():
                action = json.loads(line)
                if add := action.get("add"):
                    files[add["path"]] = json.loads(add.get("stats") or "{}").get("numRecords", 0)
                if remove := action.get("remove"):
                    files.pop(remove["path"], None)
    except ClientError as error:
        return f"the table cannot be read: {error}"
    if version is None:
        return "no table yet"
    return f"version {version}: {len(files)} files, {sum(files.values())} rows"


if __name__ == "__main__":
    main(*sys.argv[1:])
