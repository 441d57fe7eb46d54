"""An HTTP proxy on loopback that fails on purpose, and a small endpoint to put behind it."""

import json
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = ("rate_limit", "server_error", "time_out", "dropped", "torn", "page")


class FaultProxy:
    """Forwards POST requests to `upstream`, but lets some fail first.

    Every third message (told apart by its body) meets one of FAULTS at its first attempt and, every other time, another one at
    its second. `seen` counts the attempts per message, `forwarded` the answers that arrived whole; `slots` is the largest
    number of requests that waited for an answer together. `hang_seconds` is how long a time-out hangs.
    """

    def __init__(self, upstream: tuple[str, int], hang_seconds: float, faults: tuple[str, ...] = FAULTS):
        self.upstream, self.hang_seconds, self.faults = upstream, hang_seconds, faults
        self.seen, self.forwarded, self.injected = Counter(), Counter(), Counter()
        self.keys: list[str] = []
        self.pauses: list[float] = []
        self.in_flight = self.slots = 0
        self._failed_at: dict[bytes, float] = {}
        self._order: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._server = serve(self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault_of(self, body: bytes) -> str | None:
        """Count an attempt and return the fault that it meets."""
        with self._lock:
            number = self._order.setdefault(body, len(self._order))
            attempt = self.seen[body]
            self.seen[body] += 1
            if body in self._failed_at:
                self.pauses.append(time.monotonic() - self._failed_at.pop(body))
            if number % 3 or attempt > number % 2:
                return None
            fault = self.faults[(number // 3 + attempt) % len(self.faults)]
            self.injected[fault] += 1
            if fault == "rate_limit":
                self._failed_at[body] = time.monotonic()
            return fault

    def _handler(proxy):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy.keys.append(self.headers["Authorization"])
                try:
                    self.answer(body, proxy.fault_of(body))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def answer(self, body, fault):
                if fault == "rate_limit":
                    self.reply(429, b'{"error": {"message": "slower"}}', {"Retry-After": "0.3"})
                elif fault == "server_error":
                    self.reply(500, b"oops", {"Content-Type": "text/plain"})
                elif fault == "page":
                    self.reply(200, b"<html>busy</html>", {"Content-Type": "text/html"})
                elif fault == "dropped":
                    self.close_connection = True
                    self.connection.close()
                elif fault == "time_out":
                    time.sleep(proxy.hang_seconds)
                    self.close_connection = True
                else:
                    status, content = self.forward(body)
                    if fault == "torn":
                        self.send_head(status, len(content), {})
                        self.wfile.write(content[: len(content) // 2])
                        self.close_connection = True
                    else:
                        self.reply(status, content, {})
                        with proxy._lock:
                            proxy.forwarded[body] += 1

            def forward(self, body):
                with proxy._lock:
                    proxy.in_flight += 1
                    proxy.slots = max(proxy.slots, proxy.in_flight)
                upstream = HTTPConnection(*proxy.upstream, timeout=120)
                headers = {name: self.headers[name] for name in ("Content-Type", "Authorization")}
                upstream.request("POST", self.path, body, headers)
                response = upstream.getresponse()
                content = response.read()
                upstream.close()
                with proxy._lock:
                    proxy.in_flight -= 1
                return response.status, content

            def send_head(self, status, length, headers):
                self.send_response(status)
                headers = {"Content-Type": "application/json", "Content-Length": str(length), **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def reply(self, status, content, headers):
                self.send_head(status, len(content), headers)
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler


class Endpoint:
    """A chat endpoint whose answer is made of what it was asked. `answer` may change it: (request) -> (status, reply)."""

    def __init__(self, answer=None):
        self.requests: list[dict] = []
        self.answer = answer or self.chat
        self._server = serve(self._handler())

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def chat(self, request: dict) -> tuple[int, dict]:
        """Answer with the question, the seed and the temperature."""
        question = request["messages"][0]["content"]
        text = f"{question} {request['seed']} {request['temperature']} \ud800</script>\x00\u202e"
        cut = request["seed"] % 5 == 0
        return 200, chat_reply(text, "length" if cut else "stop", len(question))

    def _handler(endpoint):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(request)
                status, reply = endpoint.answer(request)
                content = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                try:
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler


def chat_reply(text: str | None, finish_reason: str, tokens: int | None) -> dict:
    """Return a chat completion as an endpoint writes it."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    if tokens is not None:
        reply["usage"] = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": 1 + tokens}
    return reply


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients that hang up are what is tested; other errors are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(handler) -> ThreadingHTTPServer:
    """Start a server on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
