"""Who judges, how it is reached, and what it costs."""

import os
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eval_suites.spending import Prices
from results.digest import Json
from results.errors import UserError

_Count = Annotated[int, Field(gt=0)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PUBLIC = "api.openai.com/v1"
_Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class JudgeIdentity(BaseModel):
    """Who judges and what is asked of it. The defaults ask as AlpacaEval 2's weighted judge is asked.

    Judgments of equal identities are comparable, and one stands for the other.

    version: what the endpoint has to report of itself: its model, or its model and fingerprint with a space between.
        An answer of another version is none of this judge's. None takes whatever the endpoint reports; what it
        reported is then counted, and stands beside every score
    address: host, port and path of its endpoint: two servers may call different models by one name. None is the public
        service, and whatever the name alone tells (the microworld's judge, which is served anew for every run)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str | None = None
    address: str | None = None
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
    """A judge, how it is reached, how patiently, and its prices.

    base_url:    what `address` is read from; None leaves it to the client (its environment variable, else the public
        service)
    api_key_env: the environment variable that holds the key; None where the endpoint wants no key
    ask_again:   whether answers that came without the log-probs that were asked for are asked, and paid, once more
    usd_per_million_input, usd_per_million_output: dollars for a million tokens read and written; 0 is a price too
    """

    base_url: str | None = None
    api_key_env: str | None = None
    concurrency: _Count = 8
    timeout_seconds: _Seconds = 120.0
    max_attempts: _Count = 6
    first_wait_seconds: _Seconds = 1.0
    longest_wait_seconds: _Seconds = 60.0
    ask_again: bool = False
    usd_per_million_input: _Price | None = None
    usd_per_million_output: _Price | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_address(cls, fields: Any) -> Any:
        url = fields.get("base_url") if isinstance(fields, dict) and "address" not in fields else None
        return {**fields, "address": address_of(url)} if isinstance(url, str) else fields

    # After the fields, not on base_url: the report of a field's fault would repeat what may be a secret.
    @model_validator(mode="after")
    def _address_without_secrets(self) -> Self:
        if self.base_url is not None:
            _check_address(self.base_url)
        if self.address != (None if self.base_url is None else address_of(self.base_url)):
            raise ValueError("address is what base_url says; leave it out")
        return self

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.usd_per_million_input is None) != (self.usd_per_million_output is None):
            raise ValueError("usd_per_million_input and usd_per_million_output belong together; 0 is a price too")
        return self

    @property
    def identity(self) -> JudgeIdentity:
        """What this judge's answers depend on."""
        return JudgeIdentity.model_validate(self.model_dump(include=set(JudgeIdentity.model_fields)))

    @property
    def prices(self) -> Prices | None:
        """What its tokens cost; None where nobody said."""
        if self.usd_per_million_input is None or self.usd_per_million_output is None:
            return None
        return Prices(self.usd_per_million_input, self.usd_per_million_output)


def key_of(spec: JudgeSpec) -> str:
    """The endpoint's key from the environment. Raises UserError where its variable is not set."""
    if spec.api_key_env is None:
        return "no-key"
    if not os.environ.get(spec.api_key_env):
        raise UserError(f"the environment variable {spec.api_key_env}, which holds the judge's key, is not set")
    return os.environ[spec.api_key_env]


def address_of(url: str) -> str | None:
    """Host, port and path of an address, without what could be a secret; None for the public service."""
    place = url.partition("://")[2].partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    found = f"{host.rpartition('@')[2].lower()}{slash}{path}".rstrip("/")
    return None if found == PUBLIC else found


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
