"""The functions under the stopwatch: their real `bootstrap`s, with a Lambda Runtime API of our own, a real S3 server and DynamoDB Local.

`lambda.py --ingest BOOTSTRAP --compactor BOOTSTRAP --s3 ENDPOINT --s3-log FILE --dynamodb ENDPOINT [--quick]`

Prints one line for each figure, `name=value`, and on standard error what was wrong; figures beyond `AT_MOST` end it with 1. Requests to S3
are counted in the server's own log, those to DynamoDB by a proxy that only counts. `cargo xtask bench lambda` starts what is needed.
"""

import argparse
import concurrent.futures
import gzip
import http.client
import http.server
import json
import os
import pathlib
import queue
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile

import boto3
import botocore.config

SOURCE, LAKE, TABLE, LEDGER = "drops", "lake", "tables/orders", "lithify-bench"
SETTINGS = "settings/lithify.json"
PREFIX = "orders/"

# What the functions are built to keep to.
AT_MOST = {
    "ingest_zipped_bytes": 8_000_000,
    "ingest_first_poll_ms_median": 15.0,
    "first_batch_of_a_table_20_s3_GetObject": 20,
    "batch_1000_s3_GetObject": 1_000,
    "batch_1000_dynamodb_PutItem": 1_000,
    "batch_1000_other_requests": 10,
    "batch_1000_peak_bytes": 128_000_000,
    "idle_compactor_requests": 5,
    "idle_compactor_requests_cold": 5,
    "gigabyte_peak_bytes": 512_000_000,
}


class Server(http.server.ThreadingHTTPServer):
    """Of the loopback interface. A function that is stopped breaks its connections off: that is no error."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Runtime:
    """A Lambda Runtime API for one process of one function: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    def __init__(self, bootstrap, environment, memory, timeout):
        self.events, self.answers = queue.Queue(), {}
        self.first_poll, self.timeout, self.count = None, timeout, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                if outer.first_poll is None:
                    outer.first_poll = time.monotonic()
                identity, body = outer.events.get()
                deadline = int((time.time() + outer.timeout) * 1000)
                self.send_response(200)
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": identity,
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = chunks(self.rfile)
                parts = self.path.split("/")
                identity = parts[-2] if parts[-1] in ("response", "error") else "init"
                outer.answers.setdefault(identity, queue.Queue()).put((parts[-1], body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        own = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        }
        self.log = open(os.environ.get("LITHIFY_BENCH_LOG", os.devnull), "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen([bootstrap], env={**environment, **own}, stdout=self.log, stderr=self.log)

    def invoke(self, event):
        """Sends an event and gives the function's answer; raises what the function says it failed with."""
        self.count += 1
        identity = f"00000000-0000-0000-0000-{self.count:012d}"
        answer = self.answers.setdefault(identity, queue.Queue())
        self.events.put((identity, json.dumps(event).encode()))
        while True:
            try:
                kind, body = answer.get(timeout=1)
                break
            except queue.Empty:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the function ended with {self.process.returncode}") from None
        if kind == "error":
            raise RuntimeError(f"the function failed: {body.decode()}")
        return json.loads(body or b"null")

    def polled_after(self):
        """Seconds from the start to the first poll."""
        while self.first_poll is None:
            if self.process.poll() is not None:
                raise RuntimeError(f"the function ended with {self.process.returncode} before it polled")
            time.sleep(0.001)
        return self.first_poll - self.started

    def peak(self):
        """The most resident memory so far, in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the system does not tell the function's memory")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
        self.log.close()


def chunks(stream):
    body = b""
    while size := int(stream.readline().strip() or b"0", 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


class Counter:
    """Passes requests on to DynamoDB Local and counts them by operation."""

    def __init__(self, endpoint):
        self.counts, self.lock = {}, threading.Lock()
        host = urllib.parse.urlparse(endpoint).netloc
        outer, local = self, threading.local()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers["X-Amz-Target"].split(".")[-1]
                with outer.lock:
                    outer.counts[operation] = outer.counts.get(operation, 0) + 1
                if not hasattr(local, "connection"):
                    local.connection = http.client.HTTPConnection(host)
                local.connection.request("POST", self.path, body, dict(self.headers))
                answer = local.connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self):
        with self.lock:
            counts, self.counts = self.counts, {}
        return counts


class S3Log:
    """The S3 server's own access log, by operation, from where it was last looked at."""

    def __init__(self, path):
        self.path, self.at = pathlib.Path(path), 0
        self.take()

    def take(self):
        time.sleep(1)
        with self.path.open("rb") as log:
            log.seek(self.at)
            text = log.read().decode(errors="replace")
            self.at = log.tell()
        counts = {}
        for line in text.splitlines():
            # A line names its operation: `... s3_GetObject orders/a.json /drops/orders/a.json 200 ...`.
            operation = next((word[3:] for word in line.split() if word.startswith("s3_")), None)
            if operation is not None:
                counts[operation] = counts.get(operation, 0) + 1
        return counts


def orders(file, rows=10):
    """A micro-file of nested orders."""
    draw = random.Random(file)
    lines = []
    for row in range(rows):
        lines.append(
            json.dumps(
                {
                    "order_id": file * rows + row,
                    "customer": {"name": f"customer {draw.randrange(100_000)}", "address": {"city": f"city {draw.randrange(500)}", "zip": f"{draw.randrange(100_000):05d}"}},
                    "items": [{"sku": f"sku-{draw.randrange(10_000)}", "quantity": draw.randrange(1, 9), "price": round(draw.random() * 100, 2)} for _ in range(3)],
                    "placed": f"2026-11-{draw.randrange(1, 29):02d}T{draw.randrange(24):02d}:00:00Z",
                    "express": draw.random() < 0.3,
                }
            )
        )
    return ("\n".join(lines) + "\n").encode()


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.keys = dict(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        wide = botocore.config.Config(max_pool_connections=64, s3={"addressing_style": "path"})
        self.s3 = boto3.client("s3", endpoint_url=arguments.s3, config=wide, **self.keys)
        self.dynamodb = boto3.client("dynamodb", endpoint_url=arguments.dynamodb, **self.keys)
        self.counter = Counter(arguments.dynamodb)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LITHIFY_SETTINGS": f"s3://{LAKE}/{SETTINGS}",
            "AWS_ENDPOINT_URL_S3": arguments.s3,
            # Nothing listens there: the measured flows ask no queue.
            "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "LITHIFY_CLAIM_TIME": "16m",
        }

    def prepare(self):
        for bucket in (SOURCE, LAKE):
            self.s3.create_bucket(Bucket=bucket)
        self.dynamodb.create_table(
            TableName=LEDGER,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        settings = {
            "ledger": f"dynamodb://{LEDGER}",
            "queue": "http://127.0.0.1:9/000000000000/drops",
            "large_queue": "http://127.0.0.1:9/000000000000/large",
            "dead_letter_queue": "http://127.0.0.1:9/000000000000/dead",
            "large_drop_size": "8GiB",
            "longest_delay": "0s",
            "pipelines": [{"name": "orders", "source": f"s3://{SOURCE}/{PREFIX}", "table": f"s3://{LAKE}/{TABLE}", "format": "json"}],
        }
        self.s3.put_object(Bucket=LAKE, Key=SETTINGS, Body=json.dumps(settings).encode())

    def function(self, name, memory, timeout=120, counted=False):
        endpoint = self.counter.endpoint if counted else self.arguments.dynamodb
        environment = {**self.environment, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        return Runtime(getattr(self.arguments, name), environment, memory, timeout)

    def put(self, key, body):
        """Puts a drop; gives the record of its notification."""
        etag = self.s3.put_object(Bucket=SOURCE, Key=key, Body=body)["ETag"].strip('"')
        moment = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
        thing = {"key": urllib.parse.quote_plus(key, safe="/"), "size": len(body), "eTag": etag, "sequencer": f"{time.time_ns():x}"}
        s3 = {"s3SchemaVersion": "1.0", "bucket": {"name": SOURCE, "arn": f"arn:aws:s3:::{SOURCE}"}, "object": thing}
        return {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": at, "eventName": "ObjectCreated:Put", "s3": s3}

    def drops(self, numbers):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            names = ((f"{PREFIX}partition={n % 8}/orders+{n % 8}+{n:010d}.json", n) for n in numbers)
            return list(pool.map(lambda named: self.put(named[0], orders(named[1])), names))


def messages(records):
    """An SQS event, one notification in a message, as S3 sends them."""
    return {
        "Records": [
            {
                "messageId": f"message-{at}",
                "receiptHandle": f"receipt-{at}",
                "body": json.dumps({"Records": [record]}),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:drops",
                "awsRegion": "us-east-1",
            }
            for at, record in enumerate(records)
        ]
    }


def acknowledged(answer):
    failed = (answer or {}).get("batchItemFailures", [])
    if failed:
        raise RuntimeError(f"{len(failed)} messages were not acknowledged: {failed[:3]}")


SAID = {}


def say(name, value):
    SAID[name] = value
    print(f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}", flush=True)


def sizes(arguments):
    for name in ("ingest", "compactor"):
        path = pathlib.Path(getattr(arguments, name))
        zipped = path.with_suffix(".bench.zip")
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.write(path, "bootstrap")
        say(f"{name}_zipped_bytes", zipped.stat().st_size)
        say(f"{name}_bytes", path.stat().st_size)
        zipped.unlink()


def first_polls(bench):
    for name in ("ingest", "compactor"):
        polls = []
        for _ in range(15):
            function = bench.function(name, 512)
            polls.append(function.polled_after() * 1000)
            function.stop()
        say(f"{name}_first_poll_ms_median", statistics.median(polls))
        say(f"{name}_first_poll_ms_worst", max(polls))


def compact(bench, counted=False):
    function = bench.function("compactor", 1024, 900, counted)
    answer = function.invoke({"pipelines": ["orders"]})
    return function, answer


def one_batch(bench, log):
    """Requests of one batch of 1,000 drops, on a function that is warm and knows the schema; and its memory."""
    function = bench.function("ingest", 128, counted=True)
    first = bench.drops(range(0, 20))
    log.take()
    acknowledged(function.invoke(messages(first)))
    # The first drops of a table tell its columns, and are read once all the same.
    say("first_batch_of_a_table_20_s3_GetObject", log.take().get("GetObject", 0))
    records = bench.drops(range(1_000, 2_000))
    log.take(), bench.counter.take()
    began = time.monotonic()
    acknowledged(function.invoke(messages(records)))
    say("batch_1000_seconds_with_proxy", time.monotonic() - began)
    s3, ledger = log.take(), bench.counter.take()
    for operation, count in sorted(s3.items()):
        say(f"batch_1000_s3_{operation}", count)
    for operation, count in sorted(ledger.items()):
        say(f"batch_1000_dynamodb_{operation}", count)
    gets, writes = s3.get("GetObject", 0), ledger.get("PutItem", 0)
    if gets == 0:
        raise RuntimeError("the S3 server's log shows no request: is it written in another way?")
    say("batch_1000_other_requests", sum(s3.values()) + sum(ledger.values()) - gets - writes)
    function.stop()
    # Once more without the proxy, in a process of its own: cold, with the least memory.
    cold = bench.function("ingest", 128)
    acknowledged(cold.invoke(messages(bench.drops(range(2_000, 3_000)))))
    say("batch_1000_peak_bytes", cold.peak())
    cold.stop()


def sustained(bench, batches):
    function = bench.function("ingest", 1_769)
    acknowledged(function.invoke(messages(bench.drops(range(3_000, 3_020)))))
    made = [messages(bench.drops(range(10_000 + 1_000 * at, 11_000 + 1_000 * at))) for at in range(batches)]
    began = time.monotonic()
    for event in made:
        acknowledged(function.invoke(event))
    seconds = time.monotonic() - began
    say("sustained_drops_per_second", 1_000 * batches / seconds)
    say("sustained_peak_bytes", function.peak())
    function.stop()


def idle(bench, log):
    function, _ = compact(bench, counted=True)
    log.take(), bench.counter.take()
    function.invoke({"pipelines": ["orders"]})
    say("idle_compactor_requests", sum(log.take().values()) + sum(bench.counter.take().values()))
    function.stop()
    cold = bench.function("compactor", 1024, 900, counted=True)
    log.take(), bench.counter.take()
    cold.invoke({"pipelines": ["orders"]})
    say("idle_compactor_requests_cold", sum(log.take().values()) + sum(bench.counter.take().values()))
    cold.stop()


def put_to_commit(bench, seconds, rate):
    """Drops arrive at a steady rate; one ingest and one compactor work as the event source mapping and the schedule would have them."""
    arrived, staged, stop = queue.Queue(), [], threading.Event()

    def arrive():
        began, at = time.monotonic(), 0
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            while not stop.is_set():
                due = int((time.monotonic() - began) * rate)
                for n in range(at, due):
                    key = f"{PREFIX}load/orders+0+{n:010d}.json"
                    pool.submit(lambda key=key, n=n: arrived.put((time.monotonic(), bench.put(key, orders(5_000_000 + n)))))
                at = due
                time.sleep(0.02)

    ingest, compactor = bench.function("ingest", 1_769), bench.function("compactor", 1_769, 900)
    threading.Thread(target=arrive, daemon=True).start()
    delays, end = [], time.monotonic() + seconds

    def commits():
        while not stop.is_set() or staged:
            taken = list(staged)
            compactor.invoke({"pipelines": ["orders"]})
            done = time.monotonic()
            delays.extend(done - moment for moment in taken)
            del staged[: len(taken)]
            time.sleep(0.2)

    committing = threading.Thread(target=commits)
    committing.start()
    while time.monotonic() < end or not arrived.empty():
        # The mapping's window: a second, or what has come.
        time.sleep(1)
        batch = [arrived.get() for _ in range(min(arrived.qsize(), 10_000))]
        if batch:
            acknowledged(ingest.invoke(messages([record for _, record in batch])))
            staged.extend(moment for moment, _ in batch)
        if time.monotonic() >= end:
            stop.set()
    stop.set()
    committing.join()
    delays.sort()
    say("load_drops_per_second", rate)
    say("put_to_commit_drops", len(delays))
    say("put_to_commit_seconds_p50", delays[len(delays) // 2])
    say("put_to_commit_seconds_p99", delays[len(delays) * 99 // 100])
    ingest.stop(), compactor.stop()


def one_gigabyte(bench):
    """A gzip file of a gigabyte of JSON through 512 MB."""
    made, size = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"lithify-bench-{os.getpid()}.gz", 1 << 30
    with gzip.open(made, "wb", compresslevel=1) as out:
        written = file = 0
        while written < size:
            part = b"".join(orders(9_000_000 + file + n) for n in range(200))
            written, file = written + out.write(part), file + 200
    key = f"{PREFIX}large.json.gz"
    bench.s3.upload_file(str(made), SOURCE, key)
    made.unlink()
    head = bench.s3.head_object(Bucket=SOURCE, Key=key)
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-11-22T00:00:00.000Z", "eventName": "ObjectCreated:CompleteMultipartUpload"}
    record["s3"] = {"bucket": {"name": SOURCE}, "object": {"key": key, "size": head["ContentLength"], "eTag": head["ETag"].strip('"')}}
    function = bench.function("ingest", 512, 900)
    began = time.monotonic()
    acknowledged(function.invoke(messages([record])))
    say("gigabyte_seconds", time.monotonic() - began)
    say("gigabyte_peak_bytes", function.peak())
    function.stop()


def main():
    parser = argparse.ArgumentParser()
    for name in ("ingest", "compactor", "s3", "s3-log", "dynamodb"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    socket.setdefaulttimeout(900)
    bench = Bench(arguments)
    bench.prepare()
    sizes(arguments)
    first_polls(bench)
    compact(bench)[0].stop()
    log = S3Log(arguments.s3_log)
    one_batch(bench, log)
    sustained(bench, 3 if arguments.quick else 20)
    function, _ = compact(bench)
    function.stop()
    idle(bench, log)
    put_to_commit(bench, 10 if arguments.quick else 60, 200)
    if not arguments.quick:
        one_gigabyte(bench)
    return judge(quick=arguments.quick)


def judge(quick):
    """1 where a figure is beyond what it may be, or was not measured."""
    missing = [name for name in AT_MOST if name not in SAID and not (quick and name.startswith("gigabyte"))]
    beyond = [name for name, most in AT_MOST.items() if SAID.get(name, 0) > most]
    for name in missing:
        print(f"{name} was not measured", file=sys.stderr)
    for name in beyond:
        print(f"{name} is {SAID[name]:.6g}, and may be {AT_MOST[name]:.6g} at most", file=sys.stderr)
    return 1 if missing or beyond else 0


if __name__ == "__main__":
    sys.exit(main())
