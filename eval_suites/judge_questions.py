"""A question to a judge: what is sent, what its answer is kept under, and which kept answers serve."""

from collections.abc import Mapping, Sequence

from eval_suites.answer_store import AnswerStore
from eval_suites.judge_reply import Answer, lacks_logprobs
from eval_suites.judge_spec import JudgeIdentity, JudgeSpec
from results.digest import Json, digest
from trainers.records import Message

Conversation = Sequence[Message]
Request = dict[str, Json]
Requests = Mapping[str, Request]


def question_of(spec: JudgeIdentity, conversation: Conversation) -> tuple[str, Request]:
    """What the answer is kept under, and the request: the digest of the request, of the endpoint's address, and of the
    version where one is wanted, so that answers of two servers or versions never stand for each other."""
    messages: list[Json] = [message.model_dump() for message in conversation]
    request: Request = {"model": spec.model, "messages": messages, **spec.parameters}
    return _key(spec, request, spec.version), request


def any_version(spec: JudgeIdentity, request: Request) -> str:
    """What an answer of whatever version is kept under."""
    return _key(spec, request, None)


def _key(spec: JudgeIdentity, request: Request, version: str | None) -> str:
    wanted = {"version": version, "address": spec.address}
    beside: Request = {name: value for name, value in wanted.items() if value is not None}
    return digest({"request": request, **beside} if beside else request)


def lacks(spec: JudgeIdentity, answer: Answer) -> bool:
    """Whether an answer came without the log-probs that were asked for."""
    return spec.top_logprobs is not None and lacks_logprobs(answer, spec.top_logprobs)


def stored_answers(store: AnswerStore, spec: JudgeSpec, requests: Requests) -> dict[str, Answer]:
    """The answers that need not be asked for. Where a version is wanted, one of it that came unasked serves as well."""
    found = store.read(requests)
    if spec.version is not None:
        others = {key: any_version(spec, request) for key, request in requests.items() if key not in found}
        plain = store.read(others.values())
        found |= {key: plain[other] for key, other in others.items() if other in plain}
    return {
        key: answer
        for key, answer in found.items()
        if answer.is_of(spec.version) and not (spec.ask_again and lacks(spec, answer))
    }
