"""An HTTP proxy on loopback that fails on purpose, and a small endpoint to put behind it."""

import json
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON, PAGE = "application/json", "text/html"


def _choice(**changes) -> bytes:
    """Return a chat completion whose only choice is changed; None removes a key."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fault"}} | changes
    return json.dumps({"choices": [{key: value for key, value in choice.items() if value is not None}]}).encode()


ANSWERED_FAULTS = {
    "rate_limit": (429, b'{"error": {"message": "slower"}}', {"Retry-After": "0.3"}),
    "rate_limit_until_a_date": (429, b"{}", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "rate_limit_until_nonsense": (429, b"{}", {"Retry-After": "soon"}),
    "rate_limit_for_nan": (429, b"{}", {"Retry-After": "nan"}),
    "request_timeout": (408, b"", {}),
    "conflict": (409, b"[]", {}),
    "too_early": (425, b'"early"', {}),
    "server_error": (500, b"oops", {"Content-Type": "text/plain"}),
    "server_error_in_klingon": (500, b"\xff", {"Content-Type": "text/plain; charset=klingon"}),
    "bad_gateway": (502, b"<html>bad gateway</html>", {"Content-Type": PAGE}),
    "unavailable": (503, b'{"error": "overloaded"}', {}),
    "gateway_timeout": (504, b"", {}),
    "overloaded": (529, b'{"error": {"type": "overloaded_error", "message": null}}', {}),
    "page": (200, b"<html>busy</html>", {"Content-Type": PAGE}),
    "empty": (200, b"", {}),
    "blank_lines": (200, b"\n\n\n\n", {}),
    "not_text": (200, b"\xff\xfe\xfa{\x80", {}),
    "not_what_its_encoding_says": (200, b"plain", {"Content-Encoding": "gzip"}),
    "half": (200, b'{"choices": [{"mess', {}),
    "a_list": (200, b"[1, 2]", {}),
    "a_null": (200, b"null", {}),
    "deep": (200, b"[" * 200_000, {}),
    "a_stream": (200, b'data: {"choices": []}\n\ndata: [DONE]\n\n', {"Content-Type": "text/event-stream"}),
    "no_choices": (200, b'{"id": "1", "model": "m"}', {}),
    "choices_empty": (200, b'{"choices": []}', {}),
    "choices_an_object": (200, b'{"choices": {"message": {"content": "4"}}}', {}),
    "choice_a_text": (200, b'{"choices": ["4"]}', {}),
    "message_missing": (200, _choice(message=None), {}),
    "message_a_list": (200, _choice(message=["4"]), {}),
    "content_a_number": (200, _choice(message={"content": 4}), {}),
    "content_an_object": (200, _choice(message={"content": {"text": "4"}}), {}),
    "reasoning_an_object": (200, _choice(message={"content": "4", "reasoning": {"text": "4"}}), {}),
    "finish_reason_missing": (200, _choice(finish_reason=None), {}),
    "finish_reason_a_number": (200, _choice(finish_reason=3), {}),
    "insufficient_system_resource": (200, _choice(finish_reason="insufficient_system_resource"), {}),
    "finished_by_an_error": (200, _choice(finish_reason="error"), {}),
    "finished_by_abort": (200, _choice(finish_reason="abort"), {}),
    "error_as_an_answer": (200, b'{"error": {"code": 502, "message": "provider"}}', {}),
    "error_as_an_answer_in_words": (200, b'{"error": "overloaded"}', {}),
    "error_in_the_choice": (200, _choice(error={"code": 429, "message": "busy"}), {}),
}
"""Transient faults that are answers: (status, body, headers)."""
FAULTS = (*ANSWERED_FAULTS, "time_out", "dripping", "dropped", "torn")


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
                if fault in ANSWERED_FAULTS:
                    self.reply(*ANSWERED_FAULTS[fault])
                elif fault == "dripping":  # lines that keep a connection alive, faster than any silence is noticed
                    self.send_head(200, 1_000_000, {})
                    for _ in range(int(proxy.hang_seconds / 0.05)):
                        self.wfile.write(b"\n")
                        self.wfile.flush()
                        time.sleep(0.05)
                    self.close_connection = True
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
                headers = {"Content-Type": JSON, "Content-Length": str(length), **headers}
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
    """A chat endpoint whose answer is made of what it was asked. `answer` may change it: (request) -> (status, reply), with
    a reply of bytes sent as they are, and headers as a third value where they matter. GET requests get `listing` likewise."""

    def __init__(self, answer=None):
        self.requests: list[dict] = []
        self.keys: list[str | None] = []
        self.listing = (200, {"object": "list", "data": [{"id": "teacher"}]})
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
        text = f"{question} {request.get('seed')} {request.get('temperature')} \ud800</script>\x00\u202e"
        cut = request.get("seed", 1) % 5 == 0
        return 200, chat_reply(text, "length" if cut else "stop", len(question))

    def _handler(endpoint):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(request)
                self.reply(*endpoint.answer(request))

            def do_GET(self):
                self.reply(*endpoint.listing)

            def reply(self, status, reply, headers=None):
                endpoint.keys.append(self.headers["Authorization"])
                content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                for name, value in {"Content-Type": JSON, **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                try:
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler


def chat_reply(text, finish_reason: str | None, tokens: int | None, **message) -> dict:
    """Return a chat completion as an endpoint writes it; `message` are further keys of the message."""
    said = {"role": "assistant", "content": text, **message}
    choice = {"index": 0, "finish_reason": finish_reason, "message": said}
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
    handler.disable_nagle_algorithm = True  # else each answer waits 40 ms for the news that its head has arrived
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
