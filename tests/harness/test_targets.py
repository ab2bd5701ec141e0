"""What a target is found to be, before anything is asked of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.external import check_row_is_free, row_name
from harness.profile import load_profile
from harness.recording import profile_digest
from harness.targets import Answers, Endpoint, find_target
from results.errors import UserError
from results.records import Arm, Profile
from results.store import Store
from tests.harness.studies import TINY
from tests.results.study import PROFILE


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


def answers(file: Path, authors: list[Any], key: str = "generator") -> Answers:
    """A file with an answer of each author."""
    fields = {"instruction": "say", "output": "x"} if key == "generator" else {"question_id": 1, "choices": []}
    rows = [json.dumps(fields | ({} if author is None else {key: author})) for author in authors]
    file.write_text("\n".join(rows) if file.suffix == ".jsonl" else f"[{', '.join(rows)}]", encoding="utf-8")
    found = find_target(str(file))
    assert isinstance(found, Answers)
    return found


@pytest.mark.parametrize("key", ["generator", "model_id"])
@pytest.mark.parametrize("name", ["my-answers.json", "my-answers.jsonl"])
@pytest.mark.parametrize(
    ("authors", "row"),
    [
        (["gpt4_1106_preview"] * 3, "gpt4-1106-preview"),
        (["org/Small-7B"], "small-7b"),
        (["one", "two"], "my-answers"),
        (["one", None], "my-answers"),
        ([None, None], "my-answers"),
        ([["one"]], "my-answers"),
        (["model", "model"], "my-answers"),  # what our own stages write of every model
        (["模型"], "my-answers"),
        (["../.. \x1b[31m/"], "my-answers"),
        (["x" * 5000], "my-answers"),
    ],
)
def test_a_row_is_called_by_the_one_that_gave_all_answers(
    tmp_path: Path, key: str, name: str, authors: list[Any], row: str
) -> None:
    target = answers(tmp_path / name, authors, key)
    assert target.suite == ("alpaca_eval" if key == "generator" else "mt_bench")
    assert row_name(load_profile(TINY), target, None) == row
    assert target.origin == f"the answers in {name}"


def test_a_line_that_is_no_json_is_left_to_the_suite(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    answers(file, ["one", "one"])
    file.write_text(file.read_text()[:-5], encoding="utf-8")
    assert find_target(str(file)).name == "one"


def test_a_model_from_elsewhere_takes_no_others_row(tmp_path: Path) -> None:
    study = load_profile(TINY)
    digest = profile_digest(study)
    first, second = (answers(tmp_path / name, ["someone"]) for name in ("first.json", "second.json"))
    with Store.open(tmp_path / "store.sqlite") as store:
        check_row_is_free(store, study, first, "someone")
        store.record_profile(Profile(digest=digest, name="tiny", spec={}, created=PROFILE.created))
        settings = {"external": first.origin}
        store.record_arm(Arm(profile=digest, name="someone", method="someone", seed=0, status="ok", settings=settings))
        check_row_is_free(store, study, first, "someone")
        check_row_is_free(store, study, second, "someone-else")
        with pytest.raises(UserError) as refused:
            check_row_is_free(store, study, second, "someone")
    assert str(refused.value) == (
        "the answers in second.json: the answers in first.json has the row someone; give another name by --name, or "
        "this one to take its place"
    )
