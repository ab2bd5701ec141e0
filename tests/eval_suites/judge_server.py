"""A local OpenAI-compatible endpoint for tests: real HTTP, answers from a function of the request."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Respond = Callable[[Json], tuple[int, Json | str | bytes]]


@dataclass
class JudgeServer:
    """`requests` holds the body of every request, in the order of arrival."""

    url: str
    requests: list[Json] = field(default_factory=list)
    authorization: set[str] = field(default_factory=set)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # as many clients may call at once; beyond it they are turned away


@contextmanager
def judge_server(respond: Respond) -> Iterator[JudgeServer]:
    """Serves `respond` until the block ends: request body to status and response body.

    A text is sent as HTML, bytes as they are under the name of JSON.
    """
    state = JudgeServer(url="")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                state.requests.append(request)
                state.authorization.add(self.headers["authorization"])
            status, body = respond(request)
            payload = (
                body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
            )
            self.send_response(status)
            self.send_header("content-type", "text/html" if isinstance(body, str) else "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text: str, top_logprobs: dict[str, float] | None = None) -> Json:
    """A chat completion body; `top_logprobs` are those of its one token."""
    logprobs = None
    if top_logprobs is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in top_logprobs.items()]
        logprobs = {"content": [{"token": text, "logprob": top[0]["logprob"], "bytes": None, "top_logprobs": top}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "judge-2026-01-01",
        "choices": [
            {
                "index": 0,
                "finish_reason": "length",
                "message": {"role": "assistant", "content": text},
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101},
    }


def error(message: str, code: str | None = None) -> Json:
    """An error body."""
    return {"error": {"message": message, "type": "error", "code": code}}
