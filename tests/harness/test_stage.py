"""The identity of a stage: all that can change its output, and nothing else."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness.stage
from harness.kinds import BASE, BOARDS, TRAIN
from harness.stage import External, Produced, Stage, StageKind
from tests.harness.toys import WRITE, Write, written

DIGESTS = st.text("0123456789abcdef", min_size=1, max_size=2)
# kind, version, text, contents of the inputs by name: small, so that two draws are often equal
IDENTITIES = st.tuples(
    st.sampled_from(["one", "two"]),
    st.integers(1, 2),
    st.sampled_from(["", "a", "ab"]),
    st.dictionaries(st.sampled_from(["start", "data"]), DIGESTS, max_size=2),
)


def key_of(name: str, version: int, text: str, contents: dict[str, str]) -> str:
    return Stage(replace(WRITE, name=name, version=version), Write(text=text)).key(contents)


@given(IDENTITIES, IDENTITIES)
def test_keys_are_equal_exactly_where_kind_version_spec_and_contents_are(
    one: tuple[str, int, str, dict[str, str]], other: tuple[str, int, str, dict[str, str]]
) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(
    label=st.text(),
    work=st.floats(0, 1e9),
    cpus=st.integers(1, 64),
    devices=st.integers(1, 8),
)
def test_label_work_and_resources_are_no_identity(label: str, work: float, cpus: int, devices: int) -> None:
    plain = written("x")
    other = Stage(WRITE, Write(text="x"), label=label, work=work, cpus=cpus, devices=devices)
    assert other.id == plain.id
    assert other.key({}) == plain.key({})


@given(st.dictionaries(st.text(min_size=1, max_size=3), DIGESTS, min_size=2, max_size=4))
def test_the_order_of_inputs_is_no_identity(inputs: dict[str, str]) -> None:
    backwards = dict(reversed(inputs.items()))
    stages = [
        Stage(WRITE, Write(), {name: External(Path(name), digest) for name, digest in order.items()})
        for order in (inputs, backwards)
    ]
    assert stages[0].id == stages[1].id
    assert stages[0].key(inputs) == stages[1].key(backwards)


def test_where_an_input_lies_is_no_identity_and_what_it_holds_is() -> None:
    here, there, other = (
        Stage(WRITE, Write(), {"data": External(Path(path), digest)})
        for path, digest in (("/a/rows.jsonl", "11"), ("/b/other-name.jsonl", "11"), ("/a/rows.jsonl", "22"))
    )
    assert here.id == there.id != other.id


def test_the_version_of_a_library_is_identity_where_the_kind_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def keys() -> tuple[str, str]:
        knows = StageKind("toy", 1, WRITE.run, Write, libraries=("pydantic",))
        return Stage(knows, Write()).key({}), Stage(WRITE, Write()).key({})

    before = keys()
    monkeypatch.setattr(harness.stage, "version", lambda name: "99.0")
    after = keys()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_the_minor_version_of_python_is_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for found in ((3, 11, 0), (3, 11, 9), (3, 12, 0)):
        monkeypatch.setattr(sys, "version_info", found)
        keys.add(written("x").key({}))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("kind", "library"), [(TRAIN, "numpy"), (BASE, "numpy"), (BOARDS, "datasets"), (BOARDS, "lm-eval")]
)
def test_kinds_name_the_libraries_that_order_or_read_their_rows(kind: StageKind, library: str) -> None:
    assert library in kind.libraries


def test_a_change_anywhere_above_changes_the_id() -> None:
    def chain(first: str) -> Stage:
        return written("c", written("b", written(first)))

    assert chain("a").id == chain("a").id
    assert chain("a").id != chain("z").id


def test_another_part_of_the_same_artifact_is_another_input() -> None:
    parent = written("a")
    whole, part = (Stage(WRITE, Write(), {"in": Produced(parent, path)}) for path in ("", "text"))
    assert whole.id != part.id
    assert whole.parents == [parent]
