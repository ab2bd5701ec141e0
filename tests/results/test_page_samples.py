"""Sample answers: chosen by the stated rule, read from the artifacts, and safe whatever a model wrote."""

from dataclasses import replace
from pathlib import Path

import pytest

from results.leaderboard import leaderboard
from results.page import page, read_behind
from results.page.samples import CHARACTERS, Samples, read_samples
from results.store import Store
from tests.results.page_study import CHANCES, PROMPTS, fill_page, read_page
from tests.results.study import PROFILE, arm
from tests.results.test_page import Reader


def samples(folder: Path, answers: dict[str, str] | None = None) -> tuple[Samples, dict[int, float]]:
    """The study's samples, and by prompt how far dft scored above sft at seed 0."""
    with Store.open(folder / "store.db") as store:
        fill_page(store, folder, answers)
        board = leaderboard(store, PROFILE.digest)
        dft, sft = (
            {item.detail["index"]: item.value for item in store.items(arm(name), "alpaca_eval", "win_rate")}
            for name in ("dft", "sft")
        )
        gains = {i: (dft[i] or 0) - (sft[i] or 0) for i in range(PROMPTS)}
        stored, stages = store.scores(PROFILE.digest), store.stages(PROFILE.digest)
        return read_samples(store, board, stored, stages, folder), gains


def test_the_prompts_are_those_that_the_rule_names(tmp_path: Path) -> None:
    found, gains = samples(tmp_path)
    assert found.by_arm.keys() == CHANCES.keys() - {"sft"}
    shown = found.by_arm["dft"]
    assert [one.why for one in shown[:2]] == ["prompt 1, first of the suite", "prompt 2, first of the suite"]
    best = sorted(range(PROMPTS), key=lambda i: -gains[i])[:2]
    expected = [f"prompt {i + 1}, scored most above" for i in best if i > 1]
    assert [one.why for one in shown[2:]] == expected
    for one in shown:
        place = int(one.prompt.removeprefix("instruction "))
        assert one.own[0] == f"dft says {place}" and one.other[0] == f"sft says {place}"
        assert float(one.own[1].removesuffix(" percent")) - float(
            one.other[1].removesuffix(" percent")
        ) == pytest.approx(gains[place], abs=0.11)
    assert "at training seed 0" in found.rule and "sft" in found.rule


def test_every_prompt_is_shown_once(tmp_path: Path) -> None:
    found, _ = samples(tmp_path)
    for own in found.by_arm.values():
        assert len({one.prompt for one in own}) == len(own) >= 3


@pytest.mark.parametrize(
    "broken", ["", "[]", "[1]", '{"instruction": "x"}', "[{]", '[{"instruction": 1, "output": "x"}]']
)
def test_answers_that_cannot_be_read_are_left_out_with_the_reason(tmp_path: Path, broken: str) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_page(store, tmp_path)
        for file in tmp_path.glob("generate/*/outputs.json"):
            file.write_text(broken, encoding="utf-8")
        board, behind = read_page(store, tmp_path)
    assert not behind.samples.by_arm
    reason = "No arm has answers to the prompts of sft." if broken == "[]" else "are no longer among the artifacts."
    assert reason in page(board, behind)


def test_without_artifacts_or_a_baseline_the_page_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_page(store, tmp_path)
        board = leaderboard(store, PROFILE.digest)
        assert "without the artifacts" in page(board, read_behind(store, board))
        assert "no longer among the artifacts" in page(board, read_behind(store, board, None, tmp_path / "elsewhere"))
        alone = replace(board, baseline=None)
        assert "no baseline" in page(alone, read_behind(store, alone, None, tmp_path))


HOSTILE_ANSWERS = {
    "script": "</p></article><script>alert(1)</script><img src=x onerror=alert(1)>",
    "bidi": "\u202e\u2066right\u2069 to left \u200f\u061c",
    "long": "a" * 1_000_000,
    "nul": "before\0after\x1b[31m\x07",
    "emoji": "👩‍🚀 🏳️‍🌈 e\u0301" + "\u0300" * 400,
    "lines": "one\n\n\ntwo\r\n\tthree\u2028\u2029end",
    "template": "{{ 7 * 7 }} {% raw %} ${x} &lt;b&gt; &amp;",
    "nothing": "  \n ",
}


@pytest.mark.parametrize("text", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS.keys())
def test_whatever_a_model_wrote_is_shown_and_never_runs(tmp_path: Path, text: str) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_page(store, tmp_path, {"dft": text})
        board, behind = read_page(store, tmp_path)
    shown = behind.samples.by_arm["dft"][0].own[0]
    assert 0 < len(shown) <= CHARACTERS + 40
    assert not set(shown) & {"\0", "\x1b", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\r", "\t"}
    html = page(board, behind)
    reader = Reader(html)
    assert reader.open == []
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert not [tag for tag, attributes in reader.elements if tag == "img" or "onerror" in attributes]
    # A parser drops the line break that begins a text, no more.
    assert shown in "".join(reader.texts["p"])
    assert len(html) < 600_000


def test_what_is_cut_says_how_long_it_was(tmp_path: Path) -> None:
    found, _ = samples(tmp_path, {"dft": HOSTILE_ANSWERS["long"], "base": HOSTILE_ANSWERS["nothing"]})
    assert found.by_arm["dft"][0].own[0].endswith("a … (1,000,000 characters in all)")
    assert found.by_arm["base"][0].own[0] == "(an empty answer)"
