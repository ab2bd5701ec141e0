"""A local OpenAI-compatible endpoint for tests: real HTTP, answers and faults from a function of the request."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """A reply with headers of its own, or what is left of one: `fault` says what happens in place of a whole reply.

    hang:  nothing comes until the client has gone
    reset: the connection is torn down without a reply
    cut:   the body ends in its middle, and the connection with it
    """

    status: int = 200
    body: Json | str | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


Respond = Callable[[Json], tuple[int, Json | str | bytes] | Reply]


@dataclass
class JudgeServer:
    """`requests` holds the body of every request, in order; `replied` of those that got a whole reply 200."""

    url: str
    requests: list[Json] = field(default_factory=list)
    replied: list[Json] = field(default_factory=list)
    authorization: set[str] = field(default_factory=set)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # as many clients may call at once; beyond it they are turned away


@contextmanager
def judge_server(respond: Respond) -> Iterator[JudgeServer]:
    """Serves `respond` until the block ends: request body to status and response body, or a Reply.

    A text is sent as HTML, bytes as they are under the name of JSON.
    """
    state = JudgeServer(url="")
    lock, ended = threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                state.requests.append(request)
                state.authorization.add(self.headers["authorization"])
            found = respond(request)
            reply = found if isinstance(found, Reply) else Reply(*found)
            if reply.fault == "hang":
                _wait_until_gone(self.connection, ended)
            elif reply.fault == "reset":
                # no lingering: the kernel sends a reset in place of an orderly end
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            else:
                self._send(reply)
                with lock:
                    state.replied += [request] if (reply.status, reply.fault) == (200, "") else []

        def _send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body)
            payload = body if isinstance(body, bytes) else body.encode()
            self.send_response(reply.status)
            self.send_header("content-type", "text/html" if isinstance(reply.body, str) else "application/json")
            self.send_header("content-length", str(len(payload)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload[: len(payload) // 2] if reply.fault == "cut" else payload)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _wait_until_gone(connection: socket.socket, ended: threading.Event) -> None:
    """Returns when the client has closed its end, or the server ends."""
    connection.settimeout(0.05)
    while not ended.is_set():
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


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
