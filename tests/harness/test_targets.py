"""What a target is found to be, before anything is asked of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.external import check_row_is_free, external_arm, row_name
from harness.plan import Arm as Row
from harness.plan import ProfilePlanner
from harness.profile import load_profile
from harness.recording import profile_digest
from harness.targets import Adapter, Answers, Endpoint, Target, Weights, find_target
from results.digest import Json
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


def in_store(folder: Path, row: Row, *without: str) -> Store:
    """A store that has this row of the tiny study, without some of its settings."""
    digest = profile_digest(load_profile(TINY))
    store = Store.open(folder / "store.sqlite")
    store.record_profile(Profile(digest=digest, name="tiny", spec={}, created=PROFILE.created))
    own = {"external": row.external, "external_digest": row.external_digest}
    settings: dict[str, Json] = {name: value for name, value in own.items() if name not in without}
    store.record_arm(Arm(profile=digest, name=row.name, method=row.name, seed=0, status="ok", settings=settings))
    return store


def planned(target: Target, name: str, *suites: str) -> Row:
    return external_arm(ProfilePlanner(load_profile(TINY)), target, name, suites or ("alpaca_eval",))


def test_a_model_from_elsewhere_takes_no_others_row(tmp_path: Path) -> None:
    study = load_profile(TINY)
    first, second = (
        answers(tmp_path / f"{name}.json", [*authors]) for name, authors in (("first", "a"), ("second", "aa"))
    )
    with in_store(tmp_path, planned(first, "someone")) as store:
        check_row_is_free(store, study, planned(first, "someone"))
        check_row_is_free(store, study, planned(second, "someone-else"))
        with pytest.raises(UserError) as refused:
            check_row_is_free(store, study, planned(second, "someone"))
    assert str(refused.value) == (
        "the answers in second.json: the answers in first.json has the row someone; give another name by --name, or "
        "this one to take its place"
    )


def checkpoint(folder: Path, weights: bytes) -> Weights:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    return Weights(folder)


def test_a_folder_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    study = load_profile(TINY)
    first, same, other = (
        planned(checkpoint(tmp_path / run / "checkpoint", weights), "checkpoint")
        for run, weights in (("a", b"1"), ("b", b"1"), ("c", b"2"))
    )
    with in_store(tmp_path, first) as store:
        check_row_is_free(store, study, first)
        check_row_is_free(store, study, same)
        with pytest.raises(UserError) as refused:
            check_row_is_free(store, study, other)
    assert str(refused.value) == (
        "the folder checkpoint: another one called so has the row checkpoint; give another name by --name, or this "
        "one to take its place"
    )


def test_a_row_of_an_earlier_version_is_known_by_its_words(tmp_path: Path) -> None:
    study = load_profile(TINY)
    row = planned(checkpoint(tmp_path / "a" / "checkpoint", b"1"), "mine")
    with in_store(tmp_path, row, "external_digest") as store:
        check_row_is_free(store, study, planned(checkpoint(tmp_path / "b" / "checkpoint", b"2"), "mine"))
        with pytest.raises(UserError, match="the folder other: the folder checkpoint has the row mine"):
            check_row_is_free(store, study, planned(checkpoint(tmp_path / "other", b"1"), "mine"))


def test_what_a_target_is_tells_it_from_any_other(tmp_path: Path) -> None:
    """Of a hub's commit, an adapter on one base or another, and an endpoint at one address or another."""
    base, adapter = checkpoint(tmp_path / "base", b"1"), tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"1")
    targets: list[Target] = [
        base,
        Weights(base.folder, "org/base", "a" * 40),
        Weights(base.folder, "org/base", "b" * 40),
        Adapter(adapter, None),
        Adapter(adapter, base),
        Adapter(adapter, Weights(base.folder, "org/base", "a" * 40)),
        endpoint("openai:m@http://127.0.0.1:8000/v1"),
        endpoint("openai:m@http://127.0.0.1:9000/v1"),
        endpoint("openai:n@http://127.0.0.1:9000/v1"),
    ]
    once, again = ([planned(target, "x").external_digest for target in targets] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(targets)
