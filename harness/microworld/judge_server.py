"""The local judge as an OpenAI-compatible server: `python -m harness.microworld.judge_server --world DIR`.

Prints its base URL when ready, listens on 127.0.0.1 only, and ends when its standard input does, so that it never
outlives the process that started it. Answers POST /v1/chat/completions, GET /v1/models and GET /v1/usage (the number
of completions answered); with --log it appends {"request", "response"}, the digests of their contents, for each.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.microworld.judge import Judge, read_judge
from harness.microworld.judge_api import ApiError, Object, complete, models
from results.digest import Json, canonical_json, digest
from results.errors import UserError

LARGEST_REQUEST = 4 * 1024 * 1024  # bytes; a prompt with two long answers has a few ten thousand


class JudgeServer(ThreadingHTTPServer):
    """A judge, a count of what it answered, and its log."""

    daemon_threads = True
    request_queue_size = 128  # as many clients may call at once

    def __init__(self, judge: Judge, port: int, log: Path | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.judge = judge
        self.answered = 0
        self._lock = threading.Lock()
        self._log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, body: Json) -> Object:
        """Answers one chat completion and records it before it is sent. Raises ApiError."""
        completion = complete(self.judge, body)
        line = {"request": digest(body), "response": digest(completion)}
        with self._lock:
            self.answered += 1
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(canonical_json(line) + "\n")
        return completion


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # with it, each answer on a kept-alive connection waits for a delayed acknowledgement
    )
    wbufsize = -1  # header and body leave in one packet
    server: JudgeServer

    def do_GET(self) -> None:
        match self._path():
            case "/v1/models":
                self._send(200, models())
            case "/v1/usage":
                self._send(200, {"completions": self.server.answered})
            case _:
                self._send_error(_not_found(self.path))

    def do_POST(self) -> None:
        try:
            body = self._body()
            if self._path() != "/v1/chat/completions":
                raise _not_found(self.path)
            self._send(200, self.server.answer(body))
        except ApiError as error:
            self._send_error(error)

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _body(self) -> Json:
        """The request's JSON. Raises ApiError; where the body's end is not known, the connection is closed after it."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= LARGEST_REQUEST):
            self.close_connection = True
            raise ApiError(400, f"Content-Length must be a number of bytes up to {LARGEST_REQUEST}", "invalid_length")
        try:
            body: Json = json.loads(self.rfile.read(int(length)))
            return body
        except ValueError as error:
            raise ApiError(400, f"the body is not JSON: {error}", "invalid_json") from error

    def _send_error(self, error: ApiError) -> None:
        self._send(error.status, error.body)

    def _send(self, status: int, value: Object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what was answered stands in the log."""


@contextmanager
def serve_judge(world: Path, log: Path | None) -> Iterator[str]:
    """Runs the judge of a world in a process of its own; gives its base URL.

    Raises UserError where the folder holds no world, RuntimeError where the server does not start.
    """
    read_judge(world)  # a wrong folder is said here, in the caller's words, not by a process that dies
    command = [sys.executable, "-m", __name__, "--world", str(world.resolve())]
    if log is not None:
        command += ["--log", str(log.resolve())]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    # In a session of its own, Ctrl-C reaches the caller alone, which then closes the pipe.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True, text=True
    ) as process:
        assert process.stdin and process.stdout
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the judge's server ended with exit code {process.wait()} before it was ready")
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


def _not_found(path: str) -> ApiError:
    return ApiError(404, f"there is no {path} here", "not_found")


def _end_with_stdin(server: JudgeServer) -> None:
    sys.stdin.buffer.read()
    server.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Serves the microworld's judge on 127.0.0.1 until standard input ends."
    )
    parser.add_argument("--world", type=Path, required=True, help="folder that build_world wrote")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="file that gets one JSON line for every completion")
    arguments = parser.parse_args()
    try:
        judge = read_judge(arguments.world)
    except UserError as error:
        sys.exit(_complain(error))
    with JudgeServer(judge, arguments.port, arguments.log) as server:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
        print(server.url, flush=True)
        server.serve_forever(poll_interval=0.1)


def _complain(error: UserError) -> int:
    print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
