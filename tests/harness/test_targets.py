"""What a target is found to be, before anything is asked of it."""

import pytest

from harness.targets import Endpoint, find_target
from results.errors import UserError


def endpoint(text: str) -> Endpoint:
    found = find_target(text, api_key_env="ANY_KEY")
    assert isinstance(found, Endpoint)
    return found


def test_an_endpoint_is_known_by_the_address_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, stores and rows take it: a proxy's answers must not go by the public service's name."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    found = endpoint("openai:gpt-4")
    assert (found.address, found.spec.base_url) == ("127.0.0.1:9/v1", "http://127.0.0.1:9/v1")
    assert endpoint("openai:gpt-4@http://127.0.0.1:8000/v1/").address == "127.0.0.1:8000/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert found.address == "127.0.0.1:9/v1", "it was resolved once"
    assert endpoint("openai:gpt-4").address == "api.openai.com/v1"


def test_a_secret_in_the_environments_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:s3cret@127.0.0.1:9/v1")
    with pytest.raises(UserError, match="OPENAI_BASE_URL must not hold a user") as refused:
        endpoint("openai:gpt-4")
    assert "s3cret" not in str(refused.value)
