"""One request to an OpenAI-compatible endpoint, and what its failure means: try again, or never."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from eval_suites.judge_reply import Answer, read_refusal, read_reply
from eval_suites.judge_spec import JudgeSpec, key_of
from results.errors import UserError

if TYPE_CHECKING:
    import openai

# The HTTP errors that may pass: time-out, conflict, too early, too many requests. So may every 5xx.
PASSING = frozenset({408, 409, 425, 429})


class PassingError(Exception):
    """A request that brought nothing, and may bring something when it is made again.

    wait:    seconds that the server asked to wait, 0 where it did not say
    body:    what came in place of a chat completion, and was paid all the same; None where the server said no
    replied: whether anything came at all
    """

    def __init__(self, name: str, wait: float = 0.0, body: bytes | None = None, *, replied: bool = True) -> None:
        super().__init__(name)
        self.name = name
        self.wait = wait
        self.body = body
        self.replied = replied

    @property
    def is_page(self) -> bool:
        """Whether a web page came: what stands at a wrong address, or before one must log in."""
        return self.body is not None and self.body.lstrip().startswith(b"<")


class Endpoint:
    """A judge's endpoint. Close it after use. Raises UserError where the key's environment variable is not set."""

    def __init__(self, spec: JudgeSpec) -> None:
        self._spec = spec
        self._client = _client(spec)
        self.host = self._client.base_url.host

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def post(self, request: dict[str, Any]) -> tuple[Answer, bytes]:
        """Makes one request; gives the answer, and the body that it was read from.

        A no to this one question (see read_refusal) is an answer too. Raises PassingError for what may pass, UserError
        for what will not.
        """
        import openai

        try:
            # Raw, because the client takes whatever JSON comes for a completion, and raises its own for what is none.
            reply = self._client.chat.completions.with_raw_response.create(**request)
        except openai.APITimeoutError:
            raise PassingError("timed out", replied=False) from None
        except openai.APIConnectionError:
            raise PassingError("connection lost", replied=False) from None
        except openai.APIStatusError as error:
            if _passes(error):
                raise PassingError(f"HTTP {error.status_code}", _retry_after(error)) from None
            if error.status_code == 400 and (refused := read_refusal(error.response.content)):
                return refused, error.response.content
            raise self._permanent(error) from None
        try:
            return read_reply(reply.content), reply.content
        except ValueError:
            raise PassingError("no chat completion", body=reply.content) from None

    def _permanent(self, error: "openai.APIStatusError") -> UserError:
        body = error.body
        message = body.get("message") if isinstance(body, dict) else None
        text = " ".join((message if isinstance(message, str) else error.message).split())[:200]
        # What a server says about a key may repeat part of the key.
        said = "" if error.status_code in (401, 403) or not text else f" ({text.replace(self._client.api_key, '***')})"
        return UserError(
            f"judge {self._spec.model!r} at {self.host} refused with HTTP {error.status_code}{said}: "
            f"{_advice(error)}; every answer that came is kept"
        )


def _client(spec: JudgeSpec) -> "openai.OpenAI":
    import openai

    client = openai.OpenAI(api_key=key_of(spec), base_url=spec.base_url, timeout=spec.timeout_seconds, max_retries=0)
    if client.base_url.host in ("127.0.0.1", "localhost", "::1"):
        # A judge on this machine is never behind the proxy that the environment may name.
        return client.with_options(http_client=openai.DefaultHttpxClient(trust_env=False))
    return client


def _passes(error: "openai.APIStatusError") -> bool:
    """Whether asking again may help. An exhausted quota comes as 429 and does not pass."""
    return not _quota(error) and (error.status_code in PASSING or error.status_code >= 500)


def _quota(error: "openai.APIStatusError") -> bool:
    return "insufficient_quota" in (error.code, error.type)


def _advice(error: "openai.APIStatusError") -> str:
    if _quota(error) or error.status_code == 402:
        return "the account has no money left; add some"
    match error.status_code:
        case 401 | 403:
            return "put the key right (api_key_env), or ask for access to the model"
        case 404:
            return "put the model name or base_url right; a model that was retired does not come back"
        case _:
            return "put the model name, the key or the request right"


def _retry_after(error: "openai.APIStatusError") -> float:
    """Seconds that the server asked to wait, as a number or until a date (RFC 9110, 10.2.3); 0 where it did not say."""
    said = error.response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
