"""Tables as text: what they say of a known study, and that no text from a store can break them."""

import csv
import html
import random
import re
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scipy import stats

from results import tables
from results.latex import latex
from results.leaderboard import Leaderboard, leaderboard
from results.page import page
from results.store import Store
from results.text import plain
from results.wording import difference_text
from tests.results.study import arm, count_score, fill, fill_two_budgets, mean_score, record, stating

HOSTILE = "<script>alert(1)</script> a|b\nc\0d \u202egnp.exe [x](javascript:y) *e* `f` \\"


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        return leaderboard(store, "small", baseline="sft")


def named(name: str, tmp_path: Path, reason: str = "") -> Leaderboard:
    """The leaderboard of two arms of which one has this name."""
    with Store.open(tmp_path / "named.db") as store:
        record(store, arm(name, reason=reason, status="failed" if reason else "ok"), *mean_score([100.0, 0.0, 100.0]))
        record(store, arm("plain"), *mean_score([100.0, 0.0, 0.0]))
        return leaderboard(store, "small")


def test_markdown_of_a_known_study(board: Leaderboard) -> None:
    assert tables.markdown(board).splitlines()[:8] == [
        "## small",
        "",
        "| arm | quiz accuracy (percent) ↑ | against sft | relative gain % | seeds | responses seen | status |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| dpo | 54.2 [12.1, 96.2] | +25.0 [-7.6, 57.6], p = 0.112 | +85.7 [-∞, ∞] | 3 | 24 | ok |",
        "| sft | 29.2 [0.0, 67.1] | – | – | 3 | 24 | ok |",
        "| kto | diverged 1/2 seeds | – | – | 2 | – | diverged |",
        "| uft | incomplete 7/8 | – | – | 1 | – | incomplete |",
    ]
    assert "- kto: seed 1: loss is NaN at step 17" in tables.markdown(board)


def test_what_could_have_been_seen_stands_beside_the_table(tmp_path: Path) -> None:
    generator = random.Random(3)
    with Store.open(tmp_path / "store.db") as store:
        for name, share in (("sft", 0.5), ("dpo", 0.6), ("kto", 0.5)):
            for seed in range(3):
                record(store, arm(name, seed), *mean_score([100.0 * (generator.random() < share) for _ in range(300)]))
        board = leaderboard(store, "small", baseline="sft")
    compared = {row.name: row.compared for row in board.rows}
    assert compared["sft"] is None
    for name in ("dpo", "kto"):
        one = compared[name]
        assert one is not None and one.relative is not None and one.detectable is not None
        baseline = next(row.cells[0].interval for row in board.rows if row.name == "sft")
        assert baseline is not None
        assert one.relative.value == pytest.approx(one.difference.mean / baseline.mean)
        assert one.relative.low < one.relative.value < one.relative.high
        # Two arms are compared: a difference has to pass at 2.5%, and with a probability of 80%.
        quantiles = stats.t(one.difference.degrees_of_freedom).ppf([0.9875, 0.8])
        assert one.detectable / one.difference.standard_error == pytest.approx(quantiles.sum(), rel=0.1)
    shown = tables.markdown(board)
    assert re.search(r"- Minimum detectable difference: [0-9.]+ to [0-9.]+ percent\. A true difference to sft", shown)
    for text in (tables.terminal(board, 200), shown, latex(board)):
        assert "relative gain" in text
        assert "Minimum detectable difference: " in text
        assert difference_text(compared["dpo"].difference, compared["dpo"].p_holm, "percent")[:4] in text  # type: ignore[union-attr]
    lines = {line["arm"]: line for line in csv.DictReader(StringIO(tables.csv(board)))}
    assert float(lines["dpo"]["minimum_detectable_difference"]) == compared["dpo"].detectable  # type: ignore[union-attr]
    assert float(lines["dpo"]["relative_gain"]) == compared["dpo"].relative.value  # type: ignore[union-attr]
    assert lines["sft"]["relative_gain"] == ""


@pytest.mark.parametrize(("seeds", "items"), [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("differ", [True, False])
def test_the_smallest_studies_have_a_table(tmp_path: Path, seeds: int, items: int, differ: bool) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for level, name in enumerate(("sft", "dpo", "kto")):
            for seed in range(seeds):
                values = [40.0 + differ * (7 * level * (seed + 2) + 5 * i * (level + seed)) for i in range(items)]
                record(store, arm(name, seed), *mean_score(values))
        board = leaderboard(store, "small", baseline="sft")
    assert all((row.compared is None) == (row.name == "sft") for row in board.rows)
    assert all(0 <= row.compared.p_value <= row.compared.p_holm <= 1 for row in board.rows if row.compared)
    assert len(tables.markdown(board).splitlines()) > 8
    assert tables.csv(board).count("\n") == 4


def test_a_metric_that_falls_below_zero_has_no_relative_gain(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for name in ("sft", "dpo"):
            record(store, arm(name), *mean_score([1.0, -2.0, 4.0, 3.0, 2.0], unit="nats"))
        board = leaderboard(store, "small", baseline="sft")
    assert [row.compared and row.compared.relative for row in board.rows] == [None, None]
    assert "relative gain" not in tables.markdown(board)


def test_every_form_says_who_is_compared_and_who_is_not(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_two_budgets(store)
        board = leaderboard(store, "small", baseline="sft")
    notes = (
        "corrected after Holm over the arms that are compared.",
        "Compared with sft: una, dft, base. Not compared, because they were trained under another budget "
        "(no comparison of the profile holds both): uft.",
    )
    for text in (tables.markdown(board), tables.terminal(board, 400), page(board)):
        assert all(note in text for note in notes)
    assert re.search(r"\| uft \| 56\.2 \[[0-9., ]+\] \| – \|", tables.markdown(board))
    lines = {line["arm"]: line for line in csv.DictReader(StringIO(tables.csv(board)))}
    assert {arm: line["matched"] for arm, line in lines.items()} == {
        "base": "true",
        "sft": "true",
        "dft": "true",
        "una": "true",
        "uft": "false",
    }
    assert {arm for arm, line in lines.items() if line["difference_mean"]} == {"base", "dft", "una"}


def test_marks_are_explained_where_the_table_shows_them(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for seed in range(2):
            record(store, arm("sft", seed), *mean_score([100.0, 0.0, 100.0 * seed]))
            record(store, arm("sft", seed), [count_score(seed)])
        plain_table = tables.markdown(leaderboard(store, "small", columns=["quiz/accuracy"], main="quiz/accuracy"))
        with_count = tables.markdown(leaderboard(store, "small"))
        record(store, arm("sft", 1), [count_score(0)])
        with_zero = tables.markdown(leaderboard(store, "small"))
    assert "‡" not in plain_table
    assert "‡ The interval" in with_count
    assert "‡" not in with_zero
    assert "- A number without brackets is the same in every seed" in with_zero


def test_equal_stores_give_equal_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        with Store.open(tmp_path / name) as store:
            fill(store)
            board = leaderboard(store, "small", baseline="sft")
        texts.append((tables.markdown(board), tables.csv(board), tables.terminal(board)))
    assert texts[0] == texts[1]


def test_one_seed_is_marked_and_explained(tmp_path: Path) -> None:
    text = tables.markdown(named("sft", tmp_path))
    assert "| sft | 66.7 [0.0, 100.0]† | 1 |" in text
    assert "† One seed" in text


def test_a_difference_to_an_arm_of_one_seed_is_marked_and_explained(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for seed in range(3):
            record(store, arm("sft", seed), *mean_score([100.0, 0.0, 100.0 * (seed == 1), 0.0]))
        record(store, arm("base"), *mean_score([100.0, 0.0, 0.0, 0.0]))
        shown = leaderboard(store, "small", baseline="sft")
    assert "]§" in tables.markdown(shown)
    assert "§ An arm of one seed beside one of several" in tables.markdown(shown)
    assert r"\S{}" in latex(shown)


def test_what_the_profile_does_not_state_is_said(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        store.record_profile(stating(main="quiz/accuracy", baseline="sft"))
        own = leaderboard(store, "small", main="quiz/accuracy", baseline="sft")
        other = leaderboard(store, "small", baseline="dpo")
    assert own.asked == () and "Asked for" not in tables.markdown(own)
    for shown, said in ((own, ""), (other, "the baseline dpo")):
        lines = csv.DictReader(StringIO(tables.csv(shown)))
        assert {line["not_stated_by_profile"] for line in lines} == {said}
    for text in (tables.markdown(other), tables.terminal(other, 400), latex(other)):
        assert "Asked for, and not stated by the profile: the baseline dpo." in text


def test_the_terminal_shows_the_same_cells(board: Leaderboard) -> None:
    text = tables.terminal(board, width=160)
    for cell in ("54.2 [12.1, 96.2]", "+25.0 [-7.6, 57.6], p = 0.112", "diverged 1/2 seeds", "incomplete 7/8"):
        assert cell in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 160


def test_csv_is_exact_and_has_a_line_for_each_arm_and_metric(board: Leaderboard) -> None:
    lines = list(csv.DictReader(StringIO(tables.csv(board))))
    assert [line["arm"] for line in lines] == ["dpo", "sft", "kto", "uft"]
    shown = board.rows[0].cells[0].interval
    assert shown is not None
    assert (float(lines[0]["mean"]), float(lines[0]["low"])) == (shown.mean, shown.low)
    assert lines[0]["per_seed"] == "0=50.0 1=62.5 2=50.0"
    assert (lines[3]["status"], lines[3]["mean"], lines[3]["n_scored"], lines[3]["n_expected"]) == (
        "incomplete",
        "",
        "7",
        "8",
    )


def test_hostile_text_stays_text_in_markdown(tmp_path: Path) -> None:
    board = named(HOSTILE, tmp_path, reason=HOSTILE)
    text = tables.markdown(board)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace("\\|", "").count("|") for line in table} == {table[0].count("|")}
    assert "<script" not in text
    assert "](javascript" not in text.replace("\\]", "")
    assert not set(text) & {"\0", "\u202e", "\r"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt; a\\|b c�d �gnp.exe" in text


def test_hostile_text_stays_text_in_the_terminal(tmp_path: Path) -> None:
    text = tables.terminal(named("[red]x[/red]\x1b[31m\u202e" + HOSTILE, tmp_path), width=300)
    assert "[red]x[/red]�[31m�" in text
    assert not set(text) & {"\0", "\x1b", "\u202e"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum"])
def test_names_are_no_formulas_in_csv(tmp_path: Path, name: str) -> None:
    lines = list(csv.DictReader(StringIO(tables.csv(named(name, tmp_path)))))
    assert lines[0]["arm"] == f"'{name}"


def test_a_very_long_text_is_cut_with_a_note(tmp_path: Path) -> None:
    board = named("sft", tmp_path, reason="x" * 1_000_000)
    for text in (tables.markdown(board), tables.csv(board), tables.terminal(board, 100).replace("\n", " ")):
        assert len(text) < 10_000
        assert "in all" in text
    assert plain("x" * 1_000_000) == "x" * 300 + " … (1,000,000 characters in all)"


ADDRESSES = (
    "https://example.org/a?b=1&c=*d*",
    "HTTP://x.y",
    "ftp://a.b/c",
    "www.x.y",
    "a@b.c",
    "mailto:a_b@c-d.e",
    "mailto:@x.y",
)
SOME_TEXT = st.lists(st.sampled_from((*ADDRESSES, "://", "www.", "@", ".")) | st.text(max_size=9)).map("".join)


def without_addresses(shown: str) -> str:
    """Escaped text without what stands in it as code."""
    return re.sub(r"(?<!\\)((?:\\\\)*)`[^`]*`", r"\1", shown)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("around", ["{}", "see {} there", "({}), *{}*", "`{}`", "_{}_\\", "$`{}`$"])
def test_addresses_stay_dead_and_readable(address: str, around: str) -> None:
    text = around.format(address, address)
    shown = tables.escape(text)
    left = without_addresses(shown)
    assert "://" not in left and "www." not in left and "@" not in left
    assert read(shown) == text


def read(markdown: str) -> str:
    """What a reader sees of a line of Markdown."""
    return html.unescape(re.sub("<[^>]*>", "", MarkdownIt("commonmark").renderInline(markdown)))


@settings(max_examples=300)
@given(SOME_TEXT)
def test_escaped_text_reads_as_it_was_written(text: str) -> None:
    assert read(tables.escape(text)) == plain(text)


@settings(max_examples=300)
@given(SOME_TEXT)
def test_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    shown = tables.escape(text)
    assert len(shown.splitlines()) <= 1
    unescaped = without_addresses(shown).replace("\\\\", "")
    for mark in "|`*[]~":
        assert unescaped.count(mark) == unescaped.count(f"\\{mark}")
    assert "<" not in shown and ">" not in shown


def test_names_with_underscores_read_as_they_are_written() -> None:
    assert tables.escape("alpaca_eval win_rate") == "alpaca_eval win_rate"
    assert tables.escape("_emphasis_") == "\\_emphasis\\_"
