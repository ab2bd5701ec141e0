"""A judge: any OpenAI-compatible endpoint, asked many things at once, never twice the same thing."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from eval_suites.answer_store import AnswerStore
from eval_suites.judge_endpoint import Endpoint, PassingError
from eval_suites.judge_questions import Conversation, Request, Requests, any_version, lacks, question_of, stored_answers
from eval_suites.judge_reply import Answer
from eval_suites.judge_spec import JudgeIdentity, JudgeSpec, key_of
from eval_suites.spending import Cap, Meter, Payment
from results.digest import canonical_json
from results.errors import UserError

__all__ = ["Conversation", "Judge", "JudgeCounts", "JudgeIdentity", "JudgeSpec", "key_of"]

USELESS_AT_FIRST = 3  # replies to different questions, before any that can be used, after which none is asked more


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


@dataclass(frozen=True)
class Tally:
    """What the answers are that a Judge returned, whoever got them and when.

    reported:         how many there are of each model and fingerprint that the endpoint reported, where it did
    without_logprobs: those that came without the log-probs that were asked for
    refusals:         those in which the endpoint refused to answer
    """

    reported: Mapping[tuple[str, str | None], int]
    without_logprobs: int
    refusals: int


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
        rates = self._store.token_rates(spec.model, spec.address, spec.max_tokens) if cap else None
        self._meter = Meter(self._store.spent, spec.prices, cap, rates)
        self._counts = JudgeCounts()
        self._proved = False
        self._given: dict[str, Answer] = {}
        self._failed: dict[str, PassingError] = {}
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
    def tally(self) -> Tally:
        """What the answers are that were returned so far."""
        given = self._given.values()
        reported = Counter((answer.model, answer.fingerprint) for answer in given if answer.model)
        return Tally(
            dict(sorted(reported.items(), key=str)),
            sum(lacks(self.spec, answer) for answer in given),
            sum(answer.refused for answer in given),
        )

    @property
    def period(self) -> tuple[str, str] | None:
        """When the first and the last of the answers came that this Judge returned (ISO 8601, UTC)."""
        return self._store.period(self._given)

    def ask(self, conversations: Sequence[Conversation]) -> list[Answer | None]:
        """One answer a conversation, in order; None where every attempt met a passing error (counted as a failure).

        Raises UserError at once for an error that will not pass, where nothing replies to the very first conversation
        or nothing that can be used to the first USELESS_AT_FIRST, where the endpoint reports another version than the
        one that is wanted, and where the cap is reached. Answers that have arrived by then are in the store.
        """
        asked = [question_of(self.spec, conversation) for conversation in conversations]
        requests = dict(asked)
        answers: dict[str, Answer | None] = {**stored_answers(self._store, self.spec, requests)}
        if self.spec.version is not None:
            self._store.share({key: any_version(self.spec, requests[key]) for key in answers})
        self._count(from_store=len(answers))
        waiting = [key for key in requests if key not in answers]
        for key, answer in self._prove(waiting, requests):
            answers[key] = answer
        for key, answer in self._answer_all({key: requests[key] for key in waiting if key not in answers}):
            answers[key] = answer
            self._report(len(answers), len(requests))
        self._given |= {key: answer for key, answer in answers.items() if answer is not None}
        return [answers[key] for key, _ in asked]

    def _prove(self, waiting: Sequence[str], requests: Requests) -> Iterable[tuple[str, Answer | None]]:
        """Asks one question after the other until an answer can be used.

        A wrong address, key or model name must not cost a thousand attempts. But where something replies, a fault may
        be one question's own.
        """
        useless, last = 0, None
        for key in waiting:
            if self._proved:
                return
            if useless == USELESS_AT_FIRST:
                raise self._useless(useless, last)
            answer = self._answer(key, requests[key], threading.Event())
            if answer is None and not self._failed[key].replied:
                raise UserError(
                    f"judge {self.spec.model!r} at {self.host} did not answer in {self.spec.max_attempts} attempts "
                    f"({self._met()}): is it up, and is base_url right?"
                )
            if answer is None or not (self._is_useful(answer) or answer.is_held_back):
                last, useless = answer, useless + 1
            yield key, answer

    def _useless(self, n: int, last: Answer | None) -> UserError:
        """Why a judge is asked no more after its first replies, of which `last` is the last."""
        who = f"judge {self.spec.model!r} at {self.host}"
        if last is None:
            return UserError(
                f"{who} did not answer {n} questions in {self.spec.max_attempts} attempts each ({self._met()}): is it "
                "up, and is base_url right (it usually ends in /v1)?"
            )
        if not last.text:
            return UserError(
                f"{who} gave {n} answers that cannot be used and no other, the last of them empty: a model that thinks "
                f"before it answers needs more than max_tokens={self.spec.max_tokens}; every answer that came is kept"
            )
        return UserError(
            f"{who} gives no token log-probs, and top_logprobs asks for {self.spec.top_logprobs}: choose a judge that "
            "does; every answer that came is kept, and where this judge has been put right ask_again: true has those "
            "that lack them asked, and paid, once more"
        )

    def _answer_all(self, requests: Requests) -> Iterable[tuple[str, Answer | None]]:
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

    def _answer(self, key: str, request: Request, stop: threading.Event) -> Answer | None:
        """The answer to one request; None where every attempt failed, or `stop` was set before it came."""
        with self._store.claim(key, stop) as held:
            if not held:
                return None
            if kept := stored_answers(self._store, self.spec, {key: request}):
                self._count(from_store=1)  # another process got it since this one looked
                return kept[key]
            try:
                with self._meter.admit(len(canonical_json(request)), self.spec.max_tokens):
                    return self._attempt(key, request, stop)
            except UserError:
                stop.set()
                raise

    def _attempt(self, key: str, request: Request, stop: threading.Event) -> Answer | None:
        for attempt in range(self.spec.max_attempts):
            if stop.is_set():
                return None
            self._count(requests=1)
            try:
                answer, body = self._endpoint.post(request)
            except PassingError as error:
                self._count_passing(error.name)
                self._failed[key] = error
                if error.body is not None:
                    self._store.pay(key, self._payment(request, None), error.body)
                if error.is_page and not self._proved:
                    raise UserError(
                        f"judge {self.spec.model!r} at {self.host} answered with a web page, which is not a chat "
                        "completion: is base_url right (it usually ends in /v1)?"
                    ) from None
                if attempt + 1 < self.spec.max_attempts:
                    stop.wait(self._pause(attempt, error.wait))
            else:
                return self._keep(key, request, answer, body)
        self._count(failures=1)
        return None

    def _keep(self, key: str, request: Request, answer: Answer, body: bytes) -> Answer:
        payment, text = self._payment(request, answer), canonical_json(request)
        if not answer.is_of(self.spec.version):
            self._store.keep(any_version(self.spec, request), text, answer, payment, body=body)
            raise UserError(
                f"judge {self.spec.model!r} at {self.host} answers as {answer.version!r}, and version asks for "
                f"{self.spec.version!r}: ask an endpoint that has it, or write the other version, which is another "
                "judge, into the profile; every answer that came is kept"
            )
        kept = self._store.keep(key, text, answer, payment, body=body, instead=self.spec.ask_again)
        self._count(
            answered=1,
            prompt_tokens=answer.prompt_tokens or 0,
            completion_tokens=answer.completion_tokens or 0,
            uncounted=int(None in (answer.prompt_tokens, answer.completion_tokens)),
        )
        self._proved = self._proved or self._is_useful(answer)
        return kept

    def _is_useful(self, answer: Answer) -> bool:
        return bool(answer.text) and not lacks(self.spec, answer)

    def _payment(self, request: Request, answer: Answer | None) -> Payment:
        """What a reply cost; of one that could not be read (None), as far as can be told."""
        read, written = (answer.prompt_tokens, answer.completion_tokens) if answer else (None, None)
        usd = self._meter.usd(len(canonical_json(request)), read, written, self.spec.max_tokens)
        return Payment(self.spec.model, read, written, usd, self.spec.address)

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
