"""The Lambda Runtime API for one process: it asks for the next invocation, and answers it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Each process has a server of its own on a loopback port, so a stray answer of
a killed process can reach nobody else.
"""

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/2018-06-01/runtime/"
CLOSED = object()


@dataclass
class Invocation:
    """One invocation and, once it was answered, its outcome: (is it an error, payload)."""

    request_id: str
    function_arn: str
    trace_id: str
    deadline_ms: int
    payload: bytes
    outcome: Future = field(default_factory=Future)

    def settle(self, is_error: bool, payload: bytes) -> bool:
        """Takes the first outcome and refuses all later ones."""
        try:
            self.outcome.set_result((is_error, payload))
            return True
        except Exception:  # InvalidStateError: it has one
            return False


class RuntimeApi:
    """The server. `ready` is set when the process first asks for work: then it has started."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.init_error: bytes | None = None
        self._waiting: queue.Queue = queue.Queue()
        self._open: dict[str, Invocation] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"api": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True, name="runtime-api").start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API has to say."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def submit(self, invocation: Invocation) -> None:
        """Hands an invocation to whoever asks next."""
        self._open[invocation.request_id] = invocation
        self._waiting.put(invocation)

    def next(self):
        """Blocks until there is an invocation, or gives `CLOSED`."""
        self.ready.set()
        return self._waiting.get()

    def answer(self, request_id: str, is_error: bool, payload: bytes) -> bool:
        """Settles an invocation; False if it is unknown or has been settled."""
        invocation = self._open.pop(request_id, None)
        return invocation is not None and invocation.settle(is_error, payload)

    def close(self) -> None:
        """Stops serving."""
        self._waiting.put(CLOSED)
        threading.Thread(target=self._shut_down, daemon=True).start()

    def _shut_down(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Reads the four requests of the API."""

    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    # Without it each small answer waits for the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != PREFIX + "invocation/next":
            return self._reply(404, b"{}")
        invocation = self.api.next()
        if invocation is CLOSED:
            self.close_connection = True
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        return self._reply(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body = self._body()
        if self.path == PREFIX + "init/error":
            self.api.init_error = body
            self.api.ready.set()
            return self._reply(202, b'{"status":"OK"}')
        parts = self.path.removeprefix(PREFIX).split("/")
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            taken = self.api.answer(parts[1], parts[2] == "error", body)
            return self._reply(202 if taken else 400, b'{"status":"OK"}' if taken else b'{"errorType":"InvalidRequestID"}')
        return self._reply(404, b"{}")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return body

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments) -> None:
        """Says nothing: LocalStack's log is not the place."""
