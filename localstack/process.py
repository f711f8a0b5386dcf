"""What `up` and `down` do with processes: start LocalStack, wait for it, tell about it, stop it and all that it started.

Processes are known by their id and the time of their start: an id alone may belong to somebody else by now. `processes.json` names
LocalStack with what it started, and Terraform, which leads a process group of its own: its providers are found by that.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import psutil
from botocore.config import Config

READY_SECONDS = 180
STOP_SECONDS = 15


def start(port: str, libraries: str) -> None:
    """Starts LocalStack from PyPI, detached, in the folder that LITHIFY_LOCALSTACK_HOME names."""
    home = Path(os.environ["LITHIFY_LOCALSTACK_HOME"])
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALSTACK_", "TF_"))}
    environment = given | {
        "PYTHONPATH": str(home / "plugin"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        # Queue addresses as http://HOST:PORT/ACCOUNT/NAME: other forms have host names to resolve, or more parts than Terraform takes.
        "SQS_ENDPOINT_STRATEGY": "off",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        # A function of the test profile is larger than one that is released.
        "LAMBDA_LIMITS_CODE_SIZE_ZIPPED": str(1 << 30),
        "LAMBDA_LIMITS_CODE_SIZE_UNZIPPED": str(4 << 30),
        "LAMBDA_LIMITS_CREATE_FUNCTION_REQUEST_SIZE": str(2 << 30),
        "LITHIFY_DYNAMODB_LIB": libraries,
        "DYNAMODB_IN_MEMORY": "1",
        # Nothing is sent or fetched, and nothing is written outside the home folder.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "FILESYSTEM_ROOT": str(home / "filesystem"),
        "TMPDIR": str(home / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HOME": str(home),
    }
    with open(home / "logs" / "localstack.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lithify_localstack"],
            cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )
    write(home, "localstack", [psutil.Process(process.pid)])


def known(home: Path) -> dict[str, list[list[float]]]:
    """All that was noted."""
    file = home / "processes.json"
    return json.loads(file.read_text()) if file.exists() else {}


def write(home: Path, what: str, processes: list[psutil.Process]) -> None:
    """Notes processes under a name; the first of "localstack" is LocalStack."""
    found = []
    for process in processes:
        try:
            found.append([process.pid, process.create_time()])
        except psutil.NoSuchProcess:
            pass
    # Whole or not at all: whoever writes may be killed.
    (home / "processes.new").write_text(json.dumps(known(home) | {what: found}))
    (home / "processes.new").replace(home / "processes.json")


def noted(home: Path, what: str = "localstack") -> list[psutil.Process]:
    """Those of the noted processes that still run."""
    alive = []
    for pid, born in known(home).get(what, []):
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - born) < 1:
                alive.append(process)
        except psutil.NoSuchProcess:
            pass
    return alive


def terraform(home: Path) -> list[psutil.Process]:
    """What still runs of Terraform's process group. While one of a group lives, no other process gets the leader's id."""
    found = []
    for leader, born in known(home).get("terraform", []):
        if psutil.pid_exists(leader) and not [process for process in noted(home, "terraform") if process.pid == leader]:
            continue
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == leader and process.create_time() > born - 1 and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, ProcessLookupError):
                pass
    return found


def run(home: Path, *command: str) -> None:
    """Runs Terraform in a process group of its own that is noted, so that it is found even if `up` was killed. Exits as it does."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    write(home, "terraform", [psutil.Process(process.pid)])

    def hand_on(number: int, _frame) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    # Ctrl-C reaches this process's group only. Terraform then ends what it is at, and its state is whole.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)


def functions(home: Path) -> list[psutil.Process]:
    """Processes of functions: each has a file, which is as old as the process."""
    found = []
    for file in home.glob("functions/*/*"):
        try:
            process = psutil.Process(int(file.name))
            if abs(process.create_time() - file.stat().st_mtime) < 5:
                found.append(process)
        except (psutil.NoSuchProcess, ValueError, FileNotFoundError):
            pass
    return found


def wait(home: Path, endpoint: str) -> None:
    """Returns when LocalStack answers and DynamoDB, which it starts at its first use, has been started."""
    answers(home, endpoint)
    # Terraform would repeat a creation whose answer takes too long, and find the table there.
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1", "endpoint_url": endpoint}
    boto3.client("dynamodb", config=Config(read_timeout=READY_SECONDS, retries={"total_max_attempts": 1}), **keys).list_tables()


def answers(home: Path, endpoint: str) -> None:
    """Returns when LocalStack answers."""
    end = time.monotonic() + READY_SECONDS
    in_docker = (home / "docker").read_text() == "yes"
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if not in_docker and not [process for process in noted(home) if process.status() != psutil.STATUS_ZOMBIE]:
            sys.exit("LocalStack ended while it started")
        time.sleep(0.3)
    sys.exit(f"LocalStack did not answer within {READY_SECONDS} s")


def record(home: Path) -> None:
    """Notes what LocalStack has started since, so that it is found even if LocalStack dies."""
    processes = noted(home)
    if processes:
        write(home, "localstack", processes[:1] + processes[0].children(recursive=True))


def stop(home: Path) -> None:
    """Ends Terraform, which would go on making things, then LocalStack, which ends its own, then whatever is left."""
    end(terraform(home), 3)
    all_of_them = set(noted(home)) | set(functions(home))
    for process in list(all_of_them):
        try:
            all_of_them |= set(process.children(recursive=True))
        except psutil.NoSuchProcess:
            pass
    for process in noted(home)[:1]:
        process.terminate()
    _, left = psutil.wait_procs(all_of_them, timeout=STOP_SECONDS)
    kill(set(left) | set(functions(home)))


def end(processes: list[psutil.Process], seconds: float) -> None:
    """Asks processes to end, and kills those that have not after so long."""
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            pass
    kill(psutil.wait_procs(processes, timeout=seconds)[1])


def kill(processes) -> None:
    """Kills processes and waits for their end."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    _, left = psutil.wait_procs(processes, timeout=5)
    if left:
        sys.exit(f"these processes do not end: {', '.join(str(process.pid) for process in left)}")


def describe(home: Path, endpoint: str) -> None:
    """Prints what a program needs to know."""
    made = json.loads((home / "terraform" / "outputs.json").read_text())
    print(json.dumps({
        "endpoint": endpoint,
        "region": "us-east-1",
        "access_key_id": "test",
        "secret_access_key": "test",
        "home": str(home),
        "logs": str(home / "logs"),
        "python": sys.executable,
        "docker": (home / "docker").read_text() == "yes",
        **made,
    }, indent=2))


def tell(home: Path) -> None:
    """Prints what to try next."""
    made = json.loads((home / "localstack.json").read_text())
    # The examples hold both formats; orders are JSON.
    is_csv = lambda named: (named[1].get("format") or "json").strip().lower() == "csv"
    name, pipeline = min(made["pipelines"].items(), key=is_csv)
    examples = "examples/landing/customers" if is_csv((name, pipeline)) else "examples/landing/topics/orders"
    # As it was started: by its port, or by a folder.
    chosen = os.environ.get("LITHIFY_LOCALSTACK_HOME")
    which = f"LITHIFY_LOCALSTACK_HOME={chosen} " if chosen else f"LITHIFY_LOCALSTACK_PORT={made['endpoint'].rsplit(':', 1)[1]} "
    print(f"""
LocalStack is up on {made["endpoint"]}; the pipeline {name} takes {pipeline["source"]} to {pipeline["table"]}.

Drop some files:  {which}localstack/drop {examples} {pipeline["source"]}
Watch the table:  {which}localstack/watch {pipeline["table"]}
Read the logs:    tail -f {made["logs"]}/*.log
Stop:             {which}localstack/down""")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "start":
        start(*arguments)
    else:
        {"run": run, "wait": wait, "record": record, "stop": stop, "describe": describe, "tell": tell}[command](Path(arguments[0]), *arguments[1:])
