"""The page: one file that loads nothing, says what the leaderboard says, and runs only its own script."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.leaderboard import Leaderboard, leaderboard
from results.page import Behind, page
from results.page.gains import gains, matrix
from results.page.pairs import LIMIT, read_pairs
from results.page.summary import answers, lead
from results.store import Store
from results.text import lines
from tests.results.page_study import CHANCES, fill_page, read_page
from tests.results.study import PROFILE, arm, fill, fill_two_budgets, mean_score, record
from tests.results.test_tables import HOSTILE

VOID = {"meta", "rect", "path", "circle", "input", "line"}


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
        if tag not in VOID:
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leaderboard, Behind]:
    """A study with all that a page can show."""
    folder = tmp_path_factory.mktemp("whole")
    with Store.open(folder / "store.db") as store:
        fill_page(store, folder)
        return read_page(store, folder)


def hostile(tmp_path: Path) -> Leaderboard:
    """A study whose every text is hostile."""
    with Store.open(tmp_path / "hostile.db") as store:
        text = f"\"'{HOSTILE}"
        one = arm(text, 0, "failed", text).model_copy(
            update={"settings": {text: text, "comparisons": [text]}, "method": text}
        )
        record(store, one, *mean_score([100.0, 0.0], suite=text, metric=text, unit=text, detail={"judge": text}))
        step = {"objective": text, "learning_rate": 1.0}
        spec = {"title": text, "methods": {text: {"steps": [step]}}}
        store.record_profile(PROFILE.model_copy(update={"spec": spec}))
        return leaderboard(store, "small", baseline=text.replace("\0", "�"))


def test_the_page_says_what_the_leaderboard_says(board: Leaderboard) -> None:
    reader = Reader(page(board))
    assert reader.open == []
    assert "".join(reader.texts["title"]).startswith("A small study")
    values = [text for text in reader.texts["span"] if text.strip()]
    for shown in ("54.2 [12.1, 96.2]", "diverged 1/2 seeds", "incomplete 7/8"):
        assert shown in values
    assert any(value.startswith("+25.0 [") and "p = " in value for value in values)
    assert "seed 1: loss is NaN at step 17" in reader.texts["bdi"]
    assert "by seed 0: 50.0, 1: 62.5, 2: 50.0" in reader.texts["dd"]


def test_the_top_says_who_beats_the_baseline_and_what_cannot_be_told(whole: tuple[Leaderboard, Behind]) -> None:
    board, behind = whole
    assert lead(board) == "1 of 4 compared arms beats sft in alpaca_eval win_rate, and 1 does worse."
    found = {one.question: one.entries for one in answers(board, behind.verdicts)}
    (better,), (worse,) = found["Better than sft"], found["Worse than sft"]
    assert re.fullmatch(r"dft: \+4\d\.\d \[\d+\.\d, \d+\.\d\] points", better)
    assert re.fullmatch(r"sft-high: -\d+\.\d \[-\d+\.\d, -\d+\.\d\] points", worse)
    assert {entry.partition(":")[0] for entry in found["Not told apart from sft"]} == {"sft-low", "base"}
    assert "Not told apart does not mean equal." in found["What this study cannot tell"][0]
    assert found["What failed or is not complete"] == ("kto: failed, seed 0: train kto: no such file",)
    assert re.match(r"1 \w+, 26 not run, of 27\.", found["Claims of the papers"][0])


def test_nothing_told_apart_is_not_called_a_finding(board: Leaderboard) -> None:
    assert lead(board) == "None of 1 compared arm can be told apart from sft in quiz accuracy."
    assert [one.question for one in answers(board, None)] == [
        "Not told apart from sft",
        "What this study cannot tell",
        "What failed or is not complete",
    ]


def test_without_a_baseline_nothing_is_said_to_beat_anything(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        board = leaderboard(store, "small")
    assert lead(board) == "No baseline was named: 4 arms with intervals, and no arm is tested."
    assert answers(board, None)[0].entries == ("dpo, 54.2 [12.1, 96.2]; it is not tested.",)
    assert "Gains" not in page(board)


def test_where_less_is_better_a_lower_score_beats(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for name, level in (("sft", 5.0), ("dpo", 2.0), ("kto", 8.0)):
            for seed in range(3):
                losses = [level + (7 * i + seed) % 5 / 10 for i in range(40)]
                record(store, arm(name, seed), *mean_score(losses, metric="nll", unit="nats", higher_is_better=False))
        board = leaderboard(store, "small", baseline="sft")
        pairs = read_pairs(board, store.scores(PROFILE.digest))
    found = {one.question: one.entries[0] for one in answers(board, None)}
    assert found["Better than sft"].startswith("dpo: -3.000")
    assert found["Worse than sft"].startswith("kto: +3.000")
    assert [row.name for row in gains(board, pairs)[0].rows] == ["dpo", "kto"]
    cells = dict(matrix(board, pairs))
    assert [cell and cell.side for cell in cells["dpo"]] == [None, "better", "better"]


def test_every_other_baseline_shows_what_the_leaderboard_would(
    whole: tuple[Leaderboard, Behind], tmp_path: Path
) -> None:
    board, behind = whole
    with Store.open(tmp_path / "again.db") as store:
        fill_page(store, tmp_path)
        for baseline in CHANCES:
            other = leaderboard(store, PROFILE.digest, baseline=baseline)
            assert behind.pairs.by_baseline[baseline] == {row.name: row.compared for row in other.rows if row.compared}
    tables = gains(board, behind.pairs)
    assert tables[0].baseline == "sft" and tables[0].chosen
    assert {table.baseline for table in tables} == CHANCES.keys()


def test_arms_of_other_budgets_are_in_no_pair(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_two_budgets(store)
        board = leaderboard(store, "small", baseline="sft")
        pairs = read_pairs(board, store.scores(PROFILE.digest))
    assert "uft" not in pairs.by_baseline["sft"] and "sft" not in pairs.by_baseline["uft"]
    rows = dict(matrix(board, pairs))
    order = list(rows)
    assert rows["uft"][order.index("sft")] is None
    assert rows["base"][order.index("uft")] is not None


def test_an_arm_without_a_budget_is_compared_with_none_that_has_one(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_two_budgets(store)
        for seed in range(2):
            record(store, arm("dpo", seed, responses=2400, comparisons=[]), *mean_score([100.0, 0.0] * 4))
        pairs = read_pairs(leaderboard(store, "small", baseline="sft"), store.scores(PROFILE.digest))
    assert pairs.by_baseline["dpo"].keys() == {"base"}
    assert not [baseline for baseline, found in pairs.by_baseline.items() if "dpo" in found and baseline != "base"]


def test_the_matrix_says_the_same_from_both_sides(whole: tuple[Leaderboard, Behind]) -> None:
    board, behind = whole
    names = [name for name, _ in matrix(board, behind.pairs)]
    cells = {(a, b): cell for a, row in matrix(board, behind.pairs) for b, cell in zip(names, row, strict=True)}
    opposite = {"better": "worse", "worse": "better", "open": "open"}
    for (a, b), cell in cells.items():
        mirrored = cells[b, a]
        assert (cell is None) == (a == b)
        if cell is not None and mirrored is not None:
            assert mirrored.side == opposite[cell.side]
            assert float(mirrored.text) == -float(cell.text)
            low, high = map(float, re.findall(r"-?[\d.]+", cell.limits))
            assert low < float(cell.text) < high
            assert behind.pairs.wins[a, b] + behind.pairs.wins[b, a] == pytest.approx(1)
    one = cells["dft", "sft"]
    assert one is not None and one.side == "better"
    assert f"<small>{one.limits}</small>" in page(board, behind), "for all to read, not for a pointer alone"


def test_too_many_arms_are_not_all_compared_and_the_page_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for number in range(LIMIT + 1):
            record(store, arm(f"arm{number}"), *mean_score([100.0 * (i < number) for i in range(4)]))
        board = leaderboard(store, "small", baseline="arm0")
        behind = Behind(pairs=read_pairs(board, store.scores(PROFILE.digest)))
    text = page(board, behind)
    assert f"for {LIMIT} arms at most; here are {LIMIT + 1}" in text
    assert len(gains(board, behind.pairs)) == 1 and 'id="pairs"' not in text


def test_nothing_is_loaded_and_only_the_pages_own_code_may_run(whole: tuple[Leaderboard, Behind]) -> None:
    text = page(*whole)
    reader = Reader(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\b|XMLHttpRequest|innerHTML|\beval\b", text)
    for attribute in ("src", "action", "style", "srcset", "onclick", "xlink:href"):
        assert not [tag for tag, attributes in reader.elements if attribute in attributes]
    (policy,) = (value for value in reader.attributes("meta", "content") if "default-src" in value)
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256("".join(reader.texts[tag]).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_links_and_labels_lead_somewhere_and_names_are_used_once(whole: tuple[Leaderboard, Behind]) -> None:
    reader = Reader(page(*whole))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = reader.attributes("a", "href")
    assert {"#leaderboard", "#gains", "#pairs", "#claims", "#rates", "#forgetting", "#length", "#training"} <= set(
        links
    )
    assert {link.removeprefix("#") for link in links} <= set(ids)
    labelled = [attributes.get("aria-labelledby") for _, attributes in reader.elements]
    assert {name for name in labelled if name} <= set(ids)


def test_every_figure_has_its_numbers_beside_it(whole: tuple[Leaderboard, Behind]) -> None:
    text = page(*whole)
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) >= 6
    for figure in figures:
        assert figure.count("<svg") == 1 and figure.count("<table") == 1 and figure.count("<tbody>\n        <tr>") == 1


def test_provenance_names_command_commit_engine_judge_versions_and_digests(whole: tuple[Leaderboard, Behind]) -> None:
    facts = Reader(page(*whole)).texts
    for fact in ("command", "commit", "judge", "engine", "versions", "hosts", "profile"):
        assert fact in facts["dt"]
    shown = facts["bdi"]
    for value in ("bridgebench run small", "0123456789ab", "a judge", "huggingface", "numpy 2.3.5", "a" * 64):
        assert value in shown
    assert "c" * 64 in facts["code"]
    assert "score/score-dft-2-alpaca_eval-win_rate" in facts["code"]


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


def test_rows_can_be_filtered_by_what_tells_them_apart(whole: tuple[Leaderboard, Behind]) -> None:
    reader = Reader(page(*whole))
    assert reader.attributes("select", "data-filter") == ["comparison", "objective"]
    objectives = [json.loads(value) for value in reader.attributes("tbody", "data-objective")]
    assert sorted(map(tuple, objectives)) == [(), ("dft",), ("sft",), ("sft",), ("sft",), ("sft", "kto")]


def test_hostile_text_is_shown_and_never_runs(tmp_path: Path) -> None:
    board = hostile(tmp_path)
    text = page(board, Behind(pairs=read_pairs(board, ())))
    reader = Reader(text)
    assert reader.open == []
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert "alert(1)" not in "".join(reader.texts["script"])
    assert not set(text) & {"\0", "\u202e"}
    assert any("<script>alert(1)</script> a|b c�d �gnp.exe" in shown for shown in reader.texts["bdi"])
    (comparisons,) = reader.attributes("tbody", "data-comparison")
    assert json.loads(comparisons) == [value for value in reader.attributes("option", "value") if value][:1]


def test_a_very_long_text_is_cut_with_a_note(tmp_path: Path) -> None:
    with Store.open(tmp_path / "long.db") as store:
        record(store, arm("sft", 0, "failed", "x" * 1_000_000), *mean_score([100.0]))
        text = page(leaderboard(store, "small"))
    assert len(text) < 40_000
    assert "characters in all" in text


@given(st.text(), st.integers(1, 40))
@settings(max_examples=200)
def test_lines_keep_what_is_visible_and_nothing_that_is_hidden(text: str, limit: int) -> None:
    shown = lines(text, limit)
    assert not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", shown)
    assert "\n\n\n" not in shown
    assert len(shown) <= limit + len(" … (1,000,000 characters in all)")
    if text.isascii() and text.isalnum() and len(text) <= limit:
        assert shown == text


def test_equal_input_gives_equal_pages(whole: tuple[Leaderboard, Behind]) -> None:
    assert page(*whole) == page(*whole)


def test_a_study_without_scores_has_a_page(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([None]))
        board = leaderboard(store, "small", baseline="sft")
        behind = Behind(pairs=read_pairs(board, store.scores(PROFILE.digest)))
    text = page(board, behind)
    assert "incomplete 0/1" in text
    assert lead(board) == "No arm could be compared with sft in quiz accuracy."
