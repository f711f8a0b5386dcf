"""One process of a function: the zip's `bootstrap`, polling a Runtime API of its own.

As on Lambda: it is kept between invocations, it is killed when an invocation takes too long, and an end of its own fails the invocation.
Unlike on Lambda: it is not frozen between invocations, and its memory is told but not limited.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from lithify_localstack.runtime_api import Invocation, RuntimeApi

LOG_BYTES_MAX = 256 * 1024
"""How much of an invocation's log goes to CloudWatch; the file in the home folder has all."""


class FunctionProcess:
    """Starts with the constructor. `home` gets `logs/NAME.log` and, while it lives, `functions/NAME/PID`: the log of what it does now."""

    def __init__(self, name: str, code: Path, environment: dict[str, str], home: Path) -> None:
        self.api = RuntimeApi()
        self._log_path = home / "logs" / f"{name}.log"
        self._lines: list[bytes] = []
        self._lines_bytes = 0
        self._lock = threading.Lock()
        self._current: Invocation | None = None
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [str(code / "bootstrap")],
            cwd=code,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": self.api.address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pid_file = home / "functions" / name / str(self._process.pid)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.write_text("")
        self._reader = threading.Thread(target=self._read_log, daemon=True, name=f"log-{name}")
        self._reader.start()
        threading.Thread(target=self._watch, daemon=True, name=f"watch-{name}").start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def started(self, seconds: float) -> bool:
        """Waits until it asked for work; False if it ended, said that it cannot start, or took too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive:
            if self.api.ready.wait(0.05):
                return self.api.init_error is None
        return False

    def invoke(self, invocation: Invocation, seconds: float) -> tuple[bool, bytes]:
        """Runs one invocation. Raises TimeoutError after so many seconds, when the process has been killed."""
        self._current = invocation
        with self._lock, contextlib.suppress(FileNotFoundError):
            os.truncate(self._pid_file, 0)
        self.note(f"START RequestId: {invocation.request_id} Version: $LATEST")
        self.api.submit(invocation)
        if not self.alive:
            self._settle_as_dead()
        try:
            return invocation.outcome.result(timeout=seconds)
        except TimeoutError:
            # An answer in this very moment counts: nobody else would learn of it.
            if invocation.outcome.done():
                return invocation.outcome.result()
            self.kill()
            raise
        finally:
            self._current = None

    def note(self, line: str) -> None:
        """Writes a line of the platform into the log."""
        self._write(line.encode() + b"\n")

    def memory_max_mb(self) -> int:
        """The most memory that it ever held, where the system tells."""
        try:
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
        except (OSError, ValueError):
            pass
        return 0

    def take_log(self) -> str:
        """The lines since the last call."""
        with self._lock:
            lines, self._lines, self._lines_bytes = self._lines, [], 0
        return b"".join(lines).decode(errors="replace")

    def kill(self) -> None:
        """Ends it and all that it started, at once."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def close(self) -> None:
        """Kills it and stops serving it."""
        self.kill()
        self.api.close()

    def _watch(self) -> None:
        status = self._process.wait()
        # What it said last belongs into the invocation's log.
        self._reader.join(timeout=1)
        self.note(f"PROCESS {self._process.pid} ended: " + (f"signal {-status}" if status < 0 else f"exit status {status}"))
        self._pid_file.unlink(missing_ok=True)
        self._settle_as_dead()

    def _settle_as_dead(self) -> None:
        invocation = self._current
        if invocation is None:
            return
        status = self._process.poll() or 0
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        message = f"RequestId: {invocation.request_id} Error: Runtime exited with error: {how}"
        kind = "Runtime.ExitError"
        invocation.settle(True, f'{{"errorType":"{kind}","errorMessage":"{message}"}}'.encode())

    def _read_log(self) -> None:
        for line in self._process.stdout:
            self._write(line)

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._lines_bytes < LOG_BYTES_MAX:
                self._lines.append(line)
                self._lines_bytes += len(line)
            with open(self._log_path, "ab") as log:
                log.write(line)
            # It is gone with the process, and never made anew.
            with contextlib.suppress(FileNotFoundError), open(self._pid_file, "r+b") as current:
                current.seek(0, os.SEEK_END)
                current.write(line)
