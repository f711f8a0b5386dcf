"""What the scripts in localstack/ say of what was asked for wrongly, and that nothing they start is left behind. No LocalStack is started.

Runs with tests/aws.py, or alone by the Python of LocalStack's environment: `python tests/scripts.py`.
"""

import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import psutil

LOCALSTACK = pathlib.Path(__file__).resolve().parent.parent / "localstack"


class NoBucket(http.server.BaseHTTPRequestHandler):
    """An S3 that has one bucket, `lake`, and nothing in it."""

    def do_PUT(self):
        self.answer(404, "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>")

    def do_GET(self):
        self.answer(200, "<ListAllMyBucketsResult><Buckets><Bucket><Name>lake</Name></Bucket></Buckets></ListAllMyBucketsResult>")

    def answer(self, code, body):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class LocalStackScripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lithify-scripts-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def refused(self, code, command, **environment):
        """What a command says when it ends with this code: one line, at once, with nothing made."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("LITHIFY_LOCALSTACK")}
        given |= {"XDG_CACHE_HOME": str(self.home / "cache"), "LITHIFY_LOCALSTACK_DOCKER": "0"} | environment
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120)
        said = done.stdout + done.stderr
        self.assertEqual((done.returncode, len(said.splitlines())), (code, 1), said)
        self.assertFalse((self.home / "cache").exists(), said)
        return said

    def test_what_is_asked_for_wrongly_is_told_before_anything_starts(self):
        up = LOCALSTACK / "up"
        for port in ("abc", "80000", "0", "-1", "4566 "):
            for script in ("up", "down", "watch"):
                said = self.refused(2, [LOCALSTACK / script], LITHIFY_LOCALSTACK_PORT=port)
                self.assertIn(f"LITHIFY_LOCALSTACK_PORT={port} is no port", said)
        self.assertIn("/nope: there is no such file", self.refused(2, [up], LITHIFY_LOCALSTACK_VARS="/nope"))
        self.assertIn("must end in", self.refused(2, [up], LITHIFY_LOCALSTACK_VARS=__file__))
        for words in (["--json"], ["--json", ""], ["--json", "--help"]):
            self.assertIn("--json needs a file", self.refused(2, [up, *words]))
        self.assertIn("there is no folder /nope", self.refused(2, [up, "--json", "/nope/x.json"]))
        self.assertIn("unknown argument --jsn", self.refused(2, [up, "--jsn"]))

    def test_down_has_nothing_to_do_where_nothing_runs(self):
        down, absent = LOCALSTACK / "down", self.home / "absent"
        self.assertIn("nothing runs", self.refused(0, [down]))
        self.assertIn(f"nothing runs in {absent}", self.refused(0, [down], LITHIFY_LOCALSTACK_HOME=str(absent)))
        self.assertIn("nothing runs in", self.refused(0, [down], LITHIFY_LOCALSTACK_PORT="4566"))
        # A folder that `up` did not make is left as it is.
        self.assertIn("is no folder of localstack/up", self.refused(1, [down], LITHIFY_LOCALSTACK_HOME=str(self.home)))
        self.assertTrue(self.home.exists())

    def client(self, endpoint, *words, code=1):
        made = {"endpoint": endpoint, "region": "us-east-1", "access_key_id": "a", "secret_access_key": "b", "queues": {"queue": f"{endpoint}/1/q"}}
        described = self.home / "localstack.json"
        described.write_text(json.dumps(made))
        return self.refused(code, [sys.executable, LOCALSTACK / "client.py", described, *words])

    def test_a_localstack_that_has_died_is_told_in_a_line(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
            for words in (["watch", "s3://lake/t"], ["drop", __file__, "s3://lake/"]):
                self.assertIn(f"LocalStack does not answer on {endpoint}", self.client(endpoint, *words))

    def test_a_bucket_that_is_absent_is_told_in_a_line(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoBucket)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        said = self.client(endpoint, "drop", __file__, "s3://other/in/")
        self.assertIn("there is no bucket other; there are: lake", said)
        self.assertIn("no address", self.client(endpoint, "drop", __file__, "other/in/", code=2))
        self.assertIn("there is no /nope", self.client(endpoint, "drop", "/nope", "s3://lake/", code=2))

    def started(self):
        """A stand-in for Terraform with a provider, run as `up` runs it; its runner, and both."""
        script = "sleep 600 & echo $! >child; echo $$ >leader; exec sleep 600"
        runner = subprocess.Popen([sys.executable, LOCALSTACK / "process.py", "run", self.home, "sh", "-c", script], cwd=self.home)
        self.addCleanup(runner.kill)
        end = time.monotonic() + 60
        while not ((self.home / "leader").exists() and (self.home / "processes.json").exists()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        time.sleep(0.2)
        found = [psutil.Process(int((self.home / name).read_text())) for name in ("leader", "child")]
        for process in found:
            self.addCleanup(lambda process=process: process.is_running() and process.kill())
        return runner, *found

    def stop(self):
        subprocess.run([sys.executable, LOCALSTACK / "process.py", "stop", self.home], check=True, timeout=60)

    def test_an_interrupt_ends_a_watch_without_a_word(self):
        described = self.home / "localstack.json"
        described.write_text(json.dumps({"endpoint": "http://127.0.0.1:9", "region": "us-east-1", "access_key_id": "a", "secret_access_key": "b", "queues": {}}))
        command = [sys.executable, LOCALSTACK / "client.py", described, "watch", "s3://lake/orders"]
        for seconds in (0.2, 0.5):
            watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            # While it imports what it needs, or asks.
            time.sleep(seconds)
            watch.send_signal(signal.SIGINT)
            said, _ = watch.communicate(timeout=60)
            self.assertNotIn("Traceback", said)

    def test_what_to_try_next_fits_the_pipeline(self):
        for formats, folder in [({"a": "csv", "orders": None}, "topics/orders s3://drops/orders/"), ({"a": "CSV"}, "customers s3://drops/a/")]:
            pipelines = {name: {"source": f"s3://drops/{name}/", "table": f"s3://lake/{name}", "format": format} for name, format in formats.items()}
            (self.home / "localstack.json").write_text(json.dumps({"endpoint": "http://127.0.0.1:9", "logs": "logs", "pipelines": pipelines}))
            said = subprocess.run([sys.executable, LOCALSTACK / "process.py", "tell", self.home], capture_output=True, text=True, check=True).stdout
            self.assertIn(f"localstack/drop examples/landing/{folder}\n", said)

    def test_terraform_ends_although_what_started_it_was_killed(self):
        runner, terraform, provider = self.started()
        runner.kill()
        runner.wait()
        self.assertTrue(terraform.is_running() and provider.is_running())
        self.stop()
        self.assertFalse(terraform.is_running() or provider.is_running())

    def test_a_provider_ends_although_terraform_was_killed(self):
        runner, terraform, provider = self.started()
        terraform.kill()
        self.assertEqual(runner.wait(), 128 + signal.SIGKILL)
        self.assertTrue(provider.is_running())
        self.stop()
        self.assertFalse(provider.is_running())

    def test_an_interrupt_reaches_terraform(self):
        runner, terraform, _ = self.started()
        runner.send_signal(signal.SIGTERM)
        self.assertEqual(runner.wait(60), 128 + signal.SIGTERM)
        self.assertFalse(terraform.is_running())


if __name__ == "__main__":
    unittest.main()
