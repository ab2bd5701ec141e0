"""The judge behind OpenAI's chat completions: a request's JSON in, a response's JSON out."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.microworld.judge import MODEL, Judge, log_probability
from harness.microworld.judge_prompts import Comparison, Match, read_prompt
from results.digest import Json, digest

Object = dict[str, Json]


class ApiError(Exception):
    """A request that cannot be answered, as OpenAI's API would say it."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Object = {
            "error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        }


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class _ChatRequest(BaseModel):
    """The fields that matter here. Sampling parameters change nothing: the judge always gives its likeliest answer."""

    model_config = ConfigDict(frozen=True)

    model: str
    messages: Annotated[tuple[_Message, ...], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    n: Literal[1] | None = None
    stream: Literal[False] | None = None


# One position of an answer: its possible tokens with their log-probabilities, the likeliest first.
_Position = list[tuple[str, float]]


def complete(judge: Judge, body: Json) -> Object:
    """The chat.completion that answers a request. Raises ApiError."""
    try:
        request = _ChatRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise ApiError(400, f"{place}: {first['msg']}", "invalid_request") from error
    if request.model != MODEL:
        raise ApiError(404, f"The model `{request.model}` does not exist; this server has {MODEL}.", "model_not_found")
    answer = _answer(judge, request.messages[-1].content)
    limit = request.max_completion_tokens or request.max_tokens or len(answer) + 1
    said = answer[:limit]
    prompt_tokens = sum(len(message.content.split()) for message in request.messages)
    return {
        "id": f"chatcmpl-{digest([judge.identity, body])[:24]}",
        "object": "chat.completion",
        "created": 0,  # no clock: equal requests get equal bytes
        "model": MODEL,
        # What stands behind the name: another world or another judge's settings are another version.
        "system_fingerprint": f"fp_{judge.identity[:12]}",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "".join(position[0][0] for position in said),
                    "refusal": None,
                },
                # As upstream, a limit that leaves no room for the end token counts as reached.
                "finish_reason": "length" if len(answer) >= limit else "stop",
                "logprobs": _logprobs(said, request.top_logprobs or 0) if request.logprobs else None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,  # words stand for tokens
            "completion_tokens": len(said),
            "total_tokens": prompt_tokens + len(said),
        },
    }


def models() -> Object:
    """The list of models: one."""
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "bridgebench"}]}


def _answer(judge: Judge, prompt: str) -> list[_Position]:
    asked = read_prompt(prompt)
    if asked is None:
        raise ApiError(
            400,
            "the last message is neither AlpacaEval's comparison of two outputs nor MT-Bench's rating of one answer or "
            "match of two",
            "unknown_prompt",
        )
    if isinstance(asked, Comparison):
        odds = judge.log_odds(asked.instruction, *asked.outputs)
        both = [("m", log_probability(odds)), ("M", log_probability(-odds))]
        return [sorted(both, key=lambda token: -token[1])]
    if isinstance(asked, Match):
        return [[(token, 0.0)] for token in ("[[", judge.verdict(asked.requests, *asked.answers), "]]")]
    return [[(token, 0.0)] for token in ("Rating", ":", " [[", str(judge.rating(asked.requests, asked.answer)), "]]")]


def _logprobs(positions: list[_Position], top: int) -> Mapping[str, Json]:
    tokens = [[_token(token, logprob) for token, logprob in position] for position in positions]
    return {"content": [{**here[0], "top_logprobs": here[:top]} for here in tokens], "refusal": None}


def _token(token: str, logprob: float) -> Object:
    return {"token": token, "bytes": list(token.encode()), "logprob": logprob}
