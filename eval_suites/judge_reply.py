"""A chat completion as an endpoint sent it: checked in all that is read here, and in nothing else."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

REPLY_PARSER = 4  # rises when another answer is read out of the same reply

# What an endpoint calls its no to one question that does not fit it, or that its own filter holds back.
_TOO_LONG, _FILTERED = "context_length_exceeded", "content_filter"

_Tokens = Annotated[int, Field(ge=0)]


class Answer(BaseModel):
    """One answer as the endpoint gave it.

    logprobs:    the endpoint's own record ({"content": [{"token", "logprob", "top_logprobs"}]}), None without one
    model:       the name that the endpoint reports, which may be more exact than the one asked for; empty where it
        said no to the question
    fingerprint: what it reports of itself beside that (OpenAI's system_fingerprint), None where it does not
    refused:     whether the text is the endpoint's refusal, in place of an answer
    tokens:      None where the endpoint did not count them
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish_reason: str | None
    logprobs: dict[str, Any] | None
    model: str
    fingerprint: str | None = None
    refused: bool = False
    prompt_tokens: int | None
    completion_tokens: int | None

    @property
    def is_held_back(self) -> bool:
        """Whether the endpoint has nothing to say to this one question, which says nothing of the next."""
        return self.finish_reason in (_TOO_LONG, _FILTERED)

    @property
    def version(self) -> str:
        """All that the endpoint reports of who answered."""
        return f"{self.model} {self.fingerprint}" if self.fingerprint else self.model

    def is_of(self, version: str | None) -> bool:
        """Whether it is of this version: the reported model, alone or with its fingerprint; None is any."""
        return not self.model or version in (None, self.model, self.version)


class _Token(BaseModel):
    model_config = ConfigDict(extra="allow")  # what else an endpoint says of a token is kept with the answer

    token: str
    logprob: FiniteFloat


class _Position(_Token):
    top_logprobs: tuple[_Token, ...] = ()


class _Logprobs(BaseModel):
    model_config = ConfigDict(extra="allow")

    content: tuple[_Position, ...] | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None  # what some endpoints fill in place of the content


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None


class _Error(BaseModel):
    message: str = ""
    code: str | int | None = None


class _Refused(BaseModel):
    error: _Error


class _Completion(BaseModel):
    model: str
    system_fingerprint: str | None = None
    choices: Annotated[tuple[_Choice, ...], Field(min_length=1)]
    usage: _Usage | None = None


def read_reply(body: bytes) -> Answer:
    """The first choice of a chat completion, or a no to this one question.

    Raises ValueError where the body is neither (HTML, broken JSON, another error).
    """
    if refused := read_refusal(body):
        return refused
    reply = _Completion.model_validate_json(body)
    choice, usage = reply.choices[0], reply.usage or _Usage()
    return Answer(
        text=choice.message.content or choice.message.refusal or "",
        finish_reason=choice.finish_reason,
        logprobs=choice.logprobs.model_dump(mode="json") if choice.logprobs else None,
        model=reply.model,
        fingerprint=reply.system_fingerprint or None,
        refused=bool(choice.message.refusal and not choice.message.content),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


def read_refusal(body: bytes) -> Answer | None:
    """The answer that an error is which no other request meets: the question is too long, or the filter holds it back.

    It is empty and costs nothing. None for every other body. (vLLM has no code of its own for the former.)
    """
    try:
        error = _Refused.model_validate_json(body).error
    except ValidationError:
        return None
    code = _TOO_LONG if "maximum context length" in error.message else error.code
    if code not in (_TOO_LONG, _FILTERED):
        return None
    return Answer(
        text="",
        finish_reason=str(code),
        logprobs=None,
        model="",
        refused=True,
        prompt_tokens=0,
        completion_tokens=0,
    )


def lacks_logprobs(answer: Answer, top: int) -> bool:
    """Whether an answer came without log-probs, or without the `top` likeliest tokens of a position.

    An answer without text (empty, or held back by the endpoint's own filter) has no tokens, and so lacks nothing; nor
    does a refusal, whose tokens would stand elsewhere.
    """
    positions = (answer.logprobs or {}).get("content") or ()
    if not positions:
        return bool(answer.text) and answer.finish_reason != "content_filter" and not answer.refused
    return top > 0 and not all(position["top_logprobs"] for position in positions)
