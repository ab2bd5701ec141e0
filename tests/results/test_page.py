"""The page: one file that loads nothing, says what the leaderboard says, and runs only its own script."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from results.leaderboard import Leaderboard, leaderboard
from results.page import page, summary
from results.store import Store
from tests.results.study import arm, fill, mean_score, record
from tests.results.test_tables import HOSTILE

VOID = {"meta", "rect", "path", "circle"}


class Reader(HTMLParser):
    """Elements with their attributes, the text of each kind of element, and whether tags are nested well."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [
            value for kind, attributes in self.elements if kind == tag and (value := attributes.get(name)) is not None
        ]


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        return leaderboard(store, "small", baseline="sft")


def hostile(tmp_path: Path) -> Leaderboard:
    """A study whose every text is hostile."""
    with Store.open(tmp_path / "hostile.db") as store:
        text = f"\"'{HOSTILE}"
        one = arm(text, 0, "failed", text).model_copy(update={"settings": {text: text}, "method": text})
        record(store, one, *mean_score([100.0, 0.0], suite=text, metric=text, unit=text, detail={"judge": text}))
        return leaderboard(store, "small", baseline=text.replace("\0", "�"))


def test_the_page_says_what_the_leaderboard_says(board: Leaderboard) -> None:
    reader = Reader(page(board))
    assert reader.open == []
    assert "".join(reader.texts["title"]).startswith("A small study")
    values = [text for text in reader.texts["span"] if text.strip()]
    for shown in ("54.2 [12.1, 96.2]", "+25.0 [-7.6, 57.6], p = 0.112", "diverged 1/2 seeds", "incomplete 7/8"):
        assert shown in values
    assert "seed 1: loss is NaN at step 17" in reader.texts["bdi"]
    assert "by seed 0: 50.0, 1: 62.5, 2: 50.0" in reader.texts["dd"]
    assert "score-dpo-2-quiz-accuracy" in reader.texts["code"]


def test_the_summary_counts_what_can_be_told_apart(board: Leaderboard) -> None:
    assert summary(board) == [
        "4 arms, 2 of them complete.",
        "Best in quiz accuracy: dpo, 54.2 [12.1, 96.2].",
        "Against sft, 0 of 1 compared arm are better, 0 worse, and 1 cannot be told apart (Holm-corrected, 95%).",
    ]


def test_nothing_is_loaded_and_only_the_pages_own_code_may_run(board: Leaderboard) -> None:
    text = page(board)
    reader = Reader(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\b|XMLHttpRequest|innerHTML", text)
    for attribute in ("src", "href", "action", "style", "srcset", "onclick"):
        assert not [tag for tag, attributes in reader.elements if attribute in attributes]
    (policy,) = (value for value in reader.attributes("meta", "content") if "default-src" in value)
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256("".join(reader.texts[tag]).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_bars_are_drawn_to_one_scale_from_zero(board: Leaderboard) -> None:
    reader = Reader(page(board))
    bars = [float(width) for width in reader.attributes("rect", "width")[1:]]
    starts = [float(x) for x in reader.attributes("rect", "x")[1:]]
    # In the order of the page: dpo's mean, its difference, sft's mean.
    assert bars[0] / bars[2] == pytest.approx(54.1667 / 29.1667, rel=0.01)
    assert starts[0] == starts[2]


def test_rows_can_be_sorted_by_buttons_and_missing_values_have_no_place(board: Leaderboard) -> None:
    reader = Reader(page(board))
    assert len(reader.attributes("button", "data-first")) == 3
    assert [float(value) for value in reader.attributes("td", "data-sort") if value] == pytest.approx(
        [54.1667, 25.0, 29.1667], abs=1e-3
    )
    assert reader.attributes("th", "aria-sort") == ["descending"]


def test_hostile_text_is_shown_and_never_runs(tmp_path: Path) -> None:
    text = page(hostile(tmp_path))
    reader = Reader(text)
    assert reader.open == []
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert "alert(1)" not in "".join(reader.texts["script"])
    assert not set(text) & {"\0", "\u202e"}
    assert any("<script>alert(1)</script> a|b c�d �gnp.exe" in shown for shown in reader.texts["bdi"])


def test_a_very_long_text_is_cut_with_a_note(tmp_path: Path) -> None:
    with Store.open(tmp_path / "long.db") as store:
        record(store, arm("sft", 0, "failed", "x" * 1_000_000), *mean_score([100.0]))
        text = page(leaderboard(store, "small"))
    assert len(text) < 30_000
    assert "characters in all" in text


def test_equal_leaderboards_give_equal_pages(board: Leaderboard) -> None:
    assert page(board) == page(board)


def test_a_study_without_scores_has_a_page(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([None]))
        assert "incomplete 0/1" in page(leaderboard(store, "small", baseline="sft"))
