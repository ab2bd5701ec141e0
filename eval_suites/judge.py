"""A judge: any OpenAI-compatible endpoint, asked many things at once, never twice the same thing."""

import os
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eval_suites.answer_store import Answer, AnswerStore
from eval_suites.judge_reply import lacks_logprobs, read_reply
from results.digest import Json, canonical_json, digest
from results.errors import UserError
from trainers.records import Message

if TYPE_CHECKING:
    import openai

# The HTTP errors that may pass: time-out, conflict, too early, too many requests. So may every 5xx.
PASSING = frozenset({408, 409, 425, 429})

Conversation = Sequence[Message]
_Count = Annotated[int, Field(gt=0)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class JudgeIdentity(BaseModel):
    """Who judges and what is asked of it. The defaults ask as AlpacaEval 2's weighted judge is asked.

    Judgments of equal identities are comparable, and one stands for the other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    max_tokens: _Count = 1
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = 5

    @property
    def parameters(self) -> dict[str, Json]:
        """What goes into a request beside the model and the messages."""
        logprobs: dict[str, Json] = (
            {} if self.top_logprobs is None else {"logprobs": True, "top_logprobs": self.top_logprobs}
        )
        return {"max_tokens": self.max_tokens, "temperature": self.temperature, **logprobs}


class JudgeSpec(JudgeIdentity):
    """A judge, how it is reached, and how patiently: nothing that this adds can change an answer.

    base_url:    None leaves it to the client (its environment variable, else the public service)
    api_key_env: the environment variable that holds the key; None where the endpoint wants no key
    """

    base_url: str | None = None
    api_key_env: str | None = None
    concurrency: _Count = 8
    timeout_seconds: _Seconds = 120.0
    max_attempts: _Count = 6
    first_wait_seconds: _Seconds = 1.0
    longest_wait_seconds: _Seconds = 60.0

    # After the fields, not on base_url: the report of a field's fault would repeat what may be a secret.
    @model_validator(mode="after")
    def _address_without_secrets(self) -> Self:
        if self.base_url is not None:
            _check_address(self.base_url)
        return self

    @property
    def identity(self) -> JudgeIdentity:
        """What this judge's answers depend on."""
        return JudgeIdentity.model_validate(self.model_dump(include=set(JudgeIdentity.model_fields)))


@dataclass(frozen=True)
class JudgeCounts:
    """What a Judge did so far. Tokens are those of this Judge's own requests; stored answers cost none.

    from_store: answers that were kept before, or that another process got while this one wanted to ask
    failures:   questions of which every attempt met a passing error
    """

    requests: int = 0
    answered: int = 0
    from_store: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Judge:
    """A client with a durable answer store. Close it, or use it in a `with` statement.

    Raises UserError where the environment variable of the key is not set.
    """

    def __init__(self, spec: JudgeSpec, store: Path) -> None:
        self.spec = spec
        self._client = _client(spec)
        self.host = self._client.base_url.host
        self._store = AnswerStore(store)
        self._counts = JudgeCounts()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and the store."""
        self._client.close()
        self._store.close()

    @property
    def counts(self) -> JudgeCounts:
        """What was done so far."""
        return self._counts

    def ask(self, conversations: Sequence[Conversation]) -> list[Answer | None]:
        """One answer a conversation, in order; None where every attempt met a passing error (counted as a failure).

        Raises UserError at once for an error that will not pass, and where the endpoint does not answer the very
        first conversation. Answers that have arrived by then are in the store.
        """
        requests = {digest(request): request for request in map(self._request, conversations)}
        answers: dict[str, Answer | None] = {**self._store.read(requests)}
        self._count(from_store=len(answers))
        waiting = [key for key in requests if key not in answers]
        while waiting and self._counts.answered == 0:
            # One before the rest: a wrong address, key or model name must not cost a thousand attempts.
            first = waiting.pop(0)
            answers[first] = self._answer(first, requests[first], threading.Event())
            if answers[first] is None:
                raise UserError(
                    f"judge {self.spec.model!r} at {self.host} did not answer in {self.spec.max_attempts} attempts: "
                    "is it up, and is base_url right?"
                )
        answers.update(self._answer_all({key: requests[key] for key in waiting}))
        return [answers[digest(self._request(conversation))] for conversation in conversations]

    def _request(self, conversation: Conversation) -> dict[str, Json]:
        messages: list[Json] = [message.model_dump() for message in conversation]
        return {"model": self.spec.model, "messages": messages, **self.spec.parameters}

    def _answer_all(self, requests: dict[str, dict[str, Json]]) -> dict[str, Answer | None]:
        stop = threading.Event()
        with ThreadPoolExecutor(self.spec.concurrency, thread_name_prefix="judge") as pool:
            waiting = {pool.submit(self._answer, key, request, stop): key for key, request in requests.items()}
            try:
                return {waiting[done]: done.result() for done in as_completed(waiting)}
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer(self, key: str, request: dict[str, Json], stop: threading.Event) -> Answer | None:
        """The answer to one request; None where every attempt failed, or `stop` was set before it came."""
        with self._store.claim(key, stop) as held:
            if not held:
                return None
            if kept := self._store.read([key]):  # another process got it since this one looked
                self._count(from_store=1)
                return kept[key]
            return self._attempt(key, request, stop)

    def _attempt(self, key: str, request: dict[str, Json], stop: threading.Event) -> Answer | None:
        import openai

        for attempt in range(self.spec.max_attempts):
            if stop.is_set():
                return None
            self._count(requests=1)
            try:
                answer = self._store.keep(key, canonical_json(request), self._post(request))
            except openai.APIConnectionError:
                hint = 0.0
            except openai.APIStatusError as error:
                hint = _retry_after(error)
            except UserError:
                stop.set()
                raise
            else:
                self._count(answered=1, prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens)
                return answer
            if attempt + 1 < self.spec.max_attempts:
                stop.wait(self._pause(attempt, hint))
        self._count(failures=1)
        return None

    def _post(self, request: dict[str, Any]) -> Answer:
        """One request. Raises the client's errors where they may pass, UserError for all others."""
        import openai

        try:
            # Raw, because the client takes whatever JSON comes for a completion, and raises its own for what is none.
            reply = self._client.chat.completions.with_raw_response.create(**request)
        except openai.APIStatusError as error:
            if _passes(error):
                raise
            raise self._permanent(error) from None
        try:
            answer = read_reply(reply.content)
        except ValueError:
            raise UserError(
                f"judge {self.spec.model!r} at {self.host} answered with something that is not a chat completion: "
                "is base_url right (it usually ends in /v1)?"
            ) from None
        if self.spec.top_logprobs is not None and lacks_logprobs(answer, self.spec.top_logprobs):
            raise UserError(
                f"judge {self.spec.model!r} at {self.host} gives no token log-probs, and top_logprobs asks "
                f"for {self.spec.top_logprobs}: choose a judge that does"
            )
        return answer

    def _permanent(self, error: "openai.APIStatusError") -> UserError:
        # What a server says about a key may repeat part of the key.
        said = "" if error.status_code in (401, 403) else f" ({' '.join(error.message.split())[:200]})"
        key = self._client.api_key
        return UserError(
            f"judge {self.spec.model!r} at {self.host} refused with HTTP {error.status_code}"
            f"{said.replace(key, '***')}: put the model name, the key or the request right"
        )

    def _pause(self, attempt: int, hint: float) -> float:
        """Seconds to the next attempt: doubling with jitter, no less than the server asked for, up to the limit."""
        doubling = self.spec.first_wait_seconds * float(2**attempt) * random.uniform(0.5, 1.0)
        return min(max(doubling, hint), self.spec.longest_wait_seconds)

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts = replace(
                self._counts, **{name: getattr(self._counts, name) + value for name, value in more.items()}
            )


def _check_address(url: str) -> None:
    """Raises ValueError, which does not repeat the address, where it is no HTTP address or could hold a secret."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a broken port or IPv6 address
        fits = False
    if not fits:
        raise ValueError("base_url must be an address such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "base_url must not hold a user, a password or a query; "
            "put the key into the environment, and the variable's name into api_key_env"
        )


def key_of(spec: JudgeSpec) -> str:
    """The endpoint's key from the environment. Raises UserError where its variable is not set."""
    if spec.api_key_env is None:
        return "no-key"
    if not os.environ.get(spec.api_key_env):
        raise UserError(f"the environment variable {spec.api_key_env}, which holds the judge's key, is not set")
    return os.environ[spec.api_key_env]


def _client(spec: JudgeSpec) -> "openai.OpenAI":
    import openai

    client = openai.OpenAI(api_key=key_of(spec), base_url=spec.base_url, timeout=spec.timeout_seconds, max_retries=0)
    if client.base_url.host in ("127.0.0.1", "localhost", "::1"):
        # A judge on this machine is never behind the proxy that the environment may name.
        return client.with_options(http_client=openai.DefaultHttpxClient(trust_env=False))
    return client


def _passes(error: "openai.APIStatusError") -> bool:
    """Whether asking again may help. An exhausted quota comes as 429 and does not pass."""
    return error.code != "insufficient_quota" and (error.status_code in PASSING or error.status_code >= 500)


def _retry_after(error: "openai.APIStatusError") -> float:
    """Seconds that the server asked to wait, 0 where it did not say so in seconds."""
    try:
        return float(error.response.headers.get("retry-after", 0))
    except ValueError:
        return 0.0
