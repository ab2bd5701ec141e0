"""Which address is asked, and that what it could hold of a secret is never repeated."""

import pytest

from eval_suites.endpoint_check import PUBLIC, address_of, check_endpoint
from eval_suites.judge_spec import JudgeSpec
from results.errors import UserError

GIVEN = "http://127.0.0.1:8000/v1"


def test_the_address_is_the_given_one_else_the_environments_else_the_public_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert (address_of(GIVEN), address_of(None)) == (GIVEN, PUBLIC)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert (address_of(GIVEN), address_of(None)) == (GIVEN, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize("secret", ["user:s3cret@127.0.0.1:9", "user:s3cret@127.0.0.1", "127.0.0.1:9/v1?key=s3cret&x"])
def test_a_secret_in_the_environments_address_is_refused_and_not_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{secret}")
    with pytest.raises(UserError, match="OPENAI_BASE_URL must not hold a user, a password or a query") as refused:
        check_endpoint(JudgeSpec(model="m"))
    assert "s3cret" not in str(refused.value)
