"""LocalStack's runtime executor: one environment, which is one process at a time.

LocalStack asks for as many environments as there are invocations under way, gives each one invocation at a time, and keeps them for later
invocations. An environment whose process has ended starts another one with the next invocation.
"""

import json
import os
import time
from pathlib import Path

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from lithify_localstack.process import FunctionProcess
from lithify_localstack.runtime_api import Invocation

HOME = "LITHIFY_LOCALSTACK_HOME"
"""The environment variable that names the folder for logs and process ids."""

START_SECONDS = 30.0
"""How long a function may take to ask for work. Lambda gives ten; a loaded machine needs more."""


class ProcessRuntimeExecutor(RuntimeExecutor):
    """One environment of one function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._environment: dict[str, str] = {}
        self._process: FunctionProcess | None = None
        self._stopped = False

    @property
    def _config(self):
        return self.function_version.config

    def start(self, env_vars: dict[str, str]) -> None:
        """Starts the process and waits until it asks for work."""
        self._environment = process_environment(env_vars, self._config.code.get_unzipped_code_location())
        self._launch()

    def _launch(self) -> None:
        # A change of the configuration alone gives a new version of the same code, and the end of the old one deletes what was unpacked.
        self._config.code.prepare_for_execution()
        code = self._config.code.get_unzipped_code_location()
        name = self.function_version.id.function_name
        self._process = FunctionProcess(name, code, self._environment, Path(os.environ[HOME]))
        if self._process.started(START_SECONDS):
            return
        process, self._process = self._process, None
        message = f"{name} did not start"
        process.close()
        payload = process.api.init_error or json.dumps({"errorType": "Runtime.InitError", "errorMessage": message}).encode()
        raise StatusErrorException(message, payload=payload)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Runs one invocation; an error, a time-out and a crash are results, too."""
        if self._process is None or not self._process.alive:
            self._replace()
        process, seconds = self._process, self._config.timeout
        begin = time.monotonic()
        invocation = Invocation(
            request_id=payload["invoke-id"],
            function_arn=payload["invoked-function-arn"],
            trace_id=payload["trace-id"],
            deadline_ms=int((time.time() + seconds) * 1000),
            payload=payload["payload"].encode(),
        )
        memory = 0
        try:
            is_error, answer = process.invoke(invocation, seconds)
            memory = process.memory_max_mb()
        except TimeoutError:
            message = f"RequestId: {invocation.request_id} Error: Task timed out after {seconds:.2f} seconds"
            is_error, answer = True, json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()
            process.note(message)
        took = (time.monotonic() - begin) * 1000
        process.note(f"REPORT RequestId: {invocation.request_id} Duration: {took:.2f} ms Memory Size: {self._config.memory_size} MB "
                     f"Max Memory Used: {memory} MB" + (" Status: error" if is_error else ""))
        return InvocationResult(invocation.request_id, answer, is_error=is_error, logs=process.take_log())

    def _replace(self) -> None:
        if self._process is not None:
            self._process.close()
        self._launch()
        if self._stopped:
            self._process.close()

    def stop(self) -> None:
        """Kills the process."""
        self._stopped = True
        if self._process is not None:
            self._process.close()

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return "http://127.0.0.1"

    def get_logs(self) -> str:
        return self._process.take_log() if self._process else ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpacks the zip."""
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Deletes what was unpacked."""
        function_version.config.code.destroy_cached()


def process_environment(given: dict, code: Path) -> dict[str, str]:
    """The environment of the process: LocalStack's values as text (some come as numbers), and nothing of LocalStack's own environment."""
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME") if name in os.environ}
    values = {**inherited, **{name: str(value) for name, value in given.items() if value is not None}}
    values.pop("AWS_SESSION_TOKEN", None)
    values.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", LAMBDA_TASK_ROOT=str(code))
    return values


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """`LAMBDA_RUNTIME_EXECUTOR=process`."""

    name = "process"

    def load(self, *_arguments, **_named):
        return ProcessRuntimeExecutor
