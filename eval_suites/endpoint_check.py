"""Whether an OpenAI-compatible endpoint is there and has a model, without asking it anything that costs."""

import json
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from pydantic import ValidationError

from eval_suites.judge_spec import JudgeSpec, key_of
from results.errors import UserError

PUBLIC = "https://api.openai.com/v1"
SECONDS = 20.0


def address_of(base_url: str | None) -> str:
    """The address that is asked: the given one, else OPENAI_BASE_URL of the environment, which the client takes, else

    the public service's. Raises UserError, which does not repeat it, where the environment's is none or could hold a
    secret.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL") or PUBLIC
    try:
        JudgeSpec(model="any", base_url=address)
    except ValidationError as error:
        raise UserError(str(error.errors()[0]["ctx"]["error"]).replace("base_url", "OPENAI_BASE_URL", 1)) from None
    return address


def check_endpoint(spec: JudgeSpec) -> list[str]:
    """The models that the endpoint lists; nothing where it keeps no list, as some do not.

    Raises UserError where it cannot be reached, refuses the key, or does not list the model.
    """
    address = address_of(spec.base_url).rstrip("/")
    host = urlsplit(address).netloc
    listed = _models(address, key_of(spec), host)
    if listed and spec.model not in listed:
        shown = ", ".join(sorted(listed)[:10]) + (", …" if len(listed) > 10 else "")
        raise UserError(f"{host} has no model {spec.model!r}; it has {shown}")
    return listed


def _models(address: str, key: str, host: str) -> list[str]:
    request = urllib.request.Request(f"{address}/models", headers={"Authorization": f"Bearer {key}"})
    # a server on this machine is never behind the proxy that the environment may name
    local = urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
    try:
        with opener.open(request, timeout=SECONDS) as reply:
            found = json.loads(reply.read(10_000_000))
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise UserError(
                f"{host} refused the key with HTTP {error.code}: name its variable by --api-key-env"
            ) from None
        return []
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{host} cannot be reached ({reason}): is it up, and is the address right?") from None
    except ValueError:
        return []
    data = found.get("data") if isinstance(found, dict) else None
    return (
        [str(each["id"]) for each in data if isinstance(each, dict) and "id" in each] if isinstance(data, list) else []
    )
