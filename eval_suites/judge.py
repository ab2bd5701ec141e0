"""A judge: any OpenAI-compatible endpoint, asked many things at once, never twice the same thing."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from eval_suites.answer_store import Answer, AnswerStore
from eval_suites.judge_endpoint import Endpoint, PassingError
from eval_suites.judge_reply import lacks_logprobs
from eval_suites.judge_spec import JudgeIdentity, JudgeSpec, key_of
from eval_suites.spending import Cap, Meter, Payment
from results.digest import Json, canonical_json, digest
from results.errors import UserError
from trainers.records import Message

__all__ = ["Conversation", "Judge", "JudgeCounts", "JudgeIdentity", "JudgeSpec", "key_of"]

Conversation = Sequence[Message]
EMPTY_AT_FIRST = 3  # answers without text, before any with text, after which a judge is not asked on


@dataclass(frozen=True)
class JudgeCounts:
    """What a Judge did so far. Tokens are those of this Judge's own answers; stored ones cost none.

    from_store: answers that were kept before, or that another process got while this one wanted to ask
    failures:   questions of which every attempt met a passing error
    passing:    the passing errors that were met, by name (HTTP 429, timed out ...)
    uncounted:  own answers of which the endpoint did not count the tokens
    """

    requests: int = 0
    answered: int = 0
    from_store: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    passing: Mapping[str, int] = field(default_factory=dict)


class Judge:
    """A client with a durable answer store. Close it, or use it in a `with` statement.

    cap:    the most that may be paid; questions beyond it are a UserError
    report: is told how many of how many different questions of an `ask` are answered

    Raises UserError where the environment variable of the key is not set, or a cap is given and no price.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        store: Path,
        cap: Cap | None = None,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.spec = spec
        self._report = report
        self._endpoint = Endpoint(spec)
        self.host = self._endpoint.host
        self._store = AnswerStore(store)
        self._meter = Meter(self._store.spent, spec.prices, cap, self._store.token_rates(spec.model) if cap else None)
        self._counts = JudgeCounts()
        self._proved = False
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and the store."""
        self._endpoint.close()
        self._store.close()

    @property
    def counts(self) -> JudgeCounts:
        """What was done so far."""
        return self._counts

    @property
    def models(self) -> list[str]:
        """The names under which the endpoint gave the answers that this Judge returned."""
        return sorted(set(self._given.values()))

    @property
    def period(self) -> tuple[str, str] | None:
        """When the first and the last of the answers came that this Judge returned (ISO 8601, UTC)."""
        return self._store.period(self._given)

    def ask(self, conversations: Sequence[Conversation]) -> list[Answer | None]:
        """One answer a conversation, in order; None where every attempt met a passing error (counted as a failure).

        Raises UserError at once for an error that will not pass, where the endpoint does not answer the very first
        conversation, and where the cap is reached. Answers that have arrived by then are in the store.
        """
        requests = {digest(request): request for request in (request_of(self.spec, each) for each in conversations)}
        answers: dict[str, Answer | None] = {**self._store.read(requests)}
        self._count(from_store=len(answers))
        waiting = [key for key in requests if key not in answers]
        empty = 0
        while waiting and not self._proved:
            # One before the rest: a wrong address, key or model name must not cost a thousand attempts.
            first = waiting.pop(0)
            found = answers[first] = self._answer(first, requests[first], threading.Event())
            if found is None:
                raise UserError(
                    f"judge {self.spec.model!r} at {self.host} did not answer in {self.spec.max_attempts} attempts "
                    f"({self._met()}): is it up, and is base_url right?"
                )
            empty += not found.text
            if empty == EMPTY_AT_FIRST:
                raise UserError(
                    f"judge {self.spec.model!r} at {self.host} gave {empty} empty answers and no other: a model that "
                    f"thinks before it answers needs more than max_tokens={self.spec.max_tokens}"
                )
        for key, answer in self._answer_all({key: requests[key] for key in waiting}):
            answers[key] = answer
            self._report(len(answers), len(requests))
        self._given |= {key: answer.model for key, answer in answers.items() if answer is not None}
        return [answers[digest(request_of(self.spec, conversation))] for conversation in conversations]

    def _answer_all(self, requests: dict[str, dict[str, Json]]) -> Iterable[tuple[str, Answer | None]]:
        stop = threading.Event()
        with ThreadPoolExecutor(self.spec.concurrency, thread_name_prefix="judge") as pool:
            waiting = {pool.submit(self._answer, key, request, stop): key for key, request in requests.items()}
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
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
            try:
                with self._meter.admit(len(canonical_json(request)), self.spec.max_tokens):
                    return self._attempt(key, request, stop)
            except UserError:
                stop.set()
                raise

    def _attempt(self, key: str, request: dict[str, Json], stop: threading.Event) -> Answer | None:
        for attempt in range(self.spec.max_attempts):
            if stop.is_set():
                return None
            self._count(requests=1)
            try:
                return self._keep(key, request, self._endpoint.post(request))
            except PassingError as error:
                self._count_passing(error.name)
                if error.paid:
                    self._store.pay(key, self._payment(request, None))
                    self._prove_not(error)
                if attempt + 1 < self.spec.max_attempts:
                    stop.wait(self._pause(attempt, error.wait))
        self._count(failures=1)
        return None

    def _keep(self, key: str, request: dict[str, Json], answer: Answer) -> Answer:
        payment = self._payment(request, answer)
        if self.spec.top_logprobs is not None and lacks_logprobs(answer, self.spec.top_logprobs):
            self._store.pay(key, payment)
            raise UserError(
                f"judge {self.spec.model!r} at {self.host} gives no token log-probs, and top_logprobs asks "
                f"for {self.spec.top_logprobs}: choose a judge that does"
            )
        kept = self._store.keep(key, canonical_json(request), answer, payment)
        self._count(
            answered=1,
            prompt_tokens=answer.prompt_tokens or 0,
            completion_tokens=answer.completion_tokens or 0,
            uncounted=int(None in (answer.prompt_tokens, answer.completion_tokens)),
        )
        self._proved = self._proved or bool(answer.text)
        return kept

    def _payment(self, request: dict[str, Json], answer: Answer | None) -> Payment:
        """What a reply cost; of one that could not be read (None), as far as can be told."""
        read, written = (answer.prompt_tokens, answer.completion_tokens) if answer else (None, None)
        usd = self._meter.usd(len(canonical_json(request)), read, written, self.spec.max_tokens)
        return Payment(self.spec.model, read, written, usd)

    def _prove_not(self, error: PassingError) -> None:
        """Raises UserError for a reply that is no completion from an endpoint that has never sent one."""
        if not self._proved:
            raise UserError(
                f"judge {self.spec.model!r} at {self.host} answered with something that is not a chat completion: "
                "is base_url right (it usually ends in /v1)?"
            ) from None

    def _pause(self, attempt: int, hint: float) -> float:
        """Seconds to the next attempt: doubling with jitter, no less than the server asked for, up to the limit."""
        doubling = self.spec.first_wait_seconds * float(2**attempt) * random.uniform(0.5, 1.0)
        return min(max(doubling, hint), self.spec.longest_wait_seconds)

    def _met(self) -> str:
        return ", ".join(f"{name} {count} times" for name, count in self._counts.passing.items()) or "no reply"

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts = replace(
                self._counts, **{name: getattr(self._counts, name) + value for name, value in more.items()}
            )

    def _count_passing(self, name: str) -> None:
        with self._lock:
            self._counts = replace(self._counts, passing=Counter(self._counts.passing) + Counter([name]))


def request_of(spec: JudgeIdentity, conversation: Conversation) -> dict[str, Json]:
    """What is sent to a judge for a conversation; its digest is what the answer is kept under."""
    messages: list[Json] = [message.model_dump() for message in conversation]
    return {"model": spec.model, "messages": messages, **spec.parameters}
