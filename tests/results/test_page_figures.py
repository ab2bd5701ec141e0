"""The page's figures: which methods differ in a rate only, where labels stand, and what is drawn of a known study."""

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from results.digest import Json
from results.leaderboard import Leaderboard, leaderboard
from results.page.curves import Curve, curve_figures, read_curves
from results.page.figure import Figure
from results.page.figures import score_figures
from results.page.rates import Rated, RateGroup, objectives, rate_groups
from results.page.vega import axis, domain, drawn, spread
from results.store import Store
from tests.results.page_study import CHANCES, RATES, SPEC, fill_page
from tests.results.study import PROFILE, arm
from tests.results.test_tables import HOSTILE


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leaderboard, list[Curve]]:
    folder = tmp_path_factory.mktemp("figures")
    with Store.open(folder / "store.db") as store:
        fill_page(store, folder)
        board = leaderboard(store, PROFILE.digest)
        return board, read_curves(store, board, store.stages(PROFILE.digest))


def step(objective: str, rate: Json, data: str = "d", **settings: Json) -> dict[str, Json]:
    return {"objective": objective, "data": data, "learning_rate": rate, "settings": settings}


def methods(**steps: list[Json]) -> dict[str, Json]:
    return {"methods": {name: {"steps": own} for name, own in steps.items()}}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (methods(a=[step("sft", 1e-3)], b=[step("sft", 3e-3)]), [["a", "b"]]),
        (methods(b=[step("sft", 3e-3)], a=[step("sft", 1e-3)]), [["a", "b"]]),
        # another objective, other data, another setting, one rate: nothing that differs in the rate only
        (methods(a=[step("sft", 1e-3)], b=[step("dft", 3e-3)]), []),
        (methods(a=[step("sft", 1e-3)], b=[step("sft", 3e-3, "other")]), []),
        (methods(a=[step("uft", 1e-3, beta=0.1)], b=[step("uft", 3e-3, beta=0.2)]), []),
        (methods(a=[step("sft", 1e-3)], b=[step("sft", 1e-3)]), []),
        # a method that begins with another one's steps; two rates that differ are no learning-rate curve
        (
            methods(a=[step("sft", 1e-3)], b=["a", step("dpo", 1e-4)], c=[step("sft", 3e-3), step("dpo", 1e-4)]),
            [["b", "c"]],
        ),
        (methods(a=[step("sft", 1e-3), step("dpo", 1e-4)], b=[step("sft", 3e-3), step("dpo", 1e-5)]), []),
        # a sweep has no rate of its own, and a method that names itself ends
        (methods(a=[step("sft", [1e-3, 3e-3])], b=[step("sft", 1e-3)]), []),
        (methods(a=["a"], b=[step("sft", 1e-3)]), []),
        ({}, []),
        ({"methods": "none"}, []),
    ],
)
def test_methods_that_differ_in_one_rate_only(spec: dict[str, Json], names: list[list[str]]) -> None:
    assert [[one.arm for one in group.members] for group in rate_groups(spec)] == names


def test_groups_are_named_by_their_objectives_and_told_apart() -> None:
    first = methods(
        a=[step("sft", 1e-3)], b=[step("sft", 3e-3)], c=[step("sft", 1e-3, "p")], d=[step("sft", 3e-3, "p")]
    )
    assert [group.name for group in rate_groups(first)] == ["sft (a …)", "sft (c …)"]
    assert rate_groups(SPEC) == [
        RateGroup("sft", (Rated(1e-4, "sft-low"), Rated(1e-3, "sft"), Rated(1e-2, "sft-high")))
    ]
    assert objectives(SPEC, "kto") == ("sft", "kto")


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.floats(0.1, 10))
def test_labels_keep_their_order_and_their_distance(places: list[float], gap: float) -> None:
    low, high = min(places), max(places)
    found = spread(places, low, high, gap)
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    ordered = [found[index] for index in order]
    assert all(later - earlier >= gap * (1 - 1e-9) - 1e-9 for earlier, later in pairwise(ordered))
    assert min(found) >= low - 1e-9
    if gap * (len(places) - 1) <= high - low:
        assert max(found) <= high + 1e-9
    if all(later - earlier >= gap for earlier, later in pairwise(sorted(places))):
        assert found == pytest.approx(places, abs=1e-9)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_a_range_holds_its_values(values: list[float]) -> None:
    low, high = domain(values)
    assert low < min(values) <= max(values) < high


def test_scores_are_drawn_over_the_rate(study: tuple[Leaderboard, list[Curve]]) -> None:
    figures = score_figures(study[0])["rates"]
    assert [figure.title for figure in figures] == [
        "alpaca_eval win_rate over the learning rate",
        "board average over the learning rate",
    ]
    assert [row[:3] for row in figures[0].rows] == [("sft", f"{rate:g}", name) for name, rate in RATES.items()]
    assert "1e-4" in figures[0].svg and "1e-2" in figures[0].svg
    assert _marks(figures[0]) == len(RATES)


def test_every_arm_is_a_point_of_forgetting_and_of_length(study: tuple[Leaderboard, list[Curve]]) -> None:
    found = score_figures(study[0])
    (forgetting,), (length,) = found["forgetting"], found["length"]
    for figure in (forgetting, length):
        assert {row[0] for row in figure.rows} == CHANCES.keys()
        assert _marks(figure) == len(CHANCES)
        assert all(f">{name}</text>" in figure.svg for name in CHANCES)
    assert forgetting.head == ("arm", "alpaca_eval win_rate", "board average")
    assert length.head == ("arm", "alpaca_eval average_length", "alpaca_eval win_rate")
    assert "stroke-dasharray" in forgetting.svg


def test_a_study_without_boards_or_lengths_has_no_such_figure(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_page(store, tmp_path)
        spec: dict[str, Json] = {"leaderboard": {"main": "board/average", "columns": ["alpaca_eval/average_length"]}}
        store.record_profile(PROFILE.model_copy(update={"spec": spec}))
        found = score_figures(leaderboard(store, PROFILE.digest))
    assert found == {"rates": [], "forgetting": [], "length": []}


def test_a_figure_for_the_loss_of_every_objective(study: tuple[Leaderboard, list[Curve]]) -> None:
    figures = {figure.title: figure for figure in curve_figures(study[1])}
    assert figures.keys() == {"Loss of sft", "Loss of dft"}
    assert {(row[0], row[1]) for row in figures["Loss of sft"].rows} == {
        (name, str(seed)) for name in RATES for seed in range(3)
    }
    assert figures["Loss of dft"].rows[0][2] == "9"


def test_a_loss_that_runs_away_is_cut_and_one_that_is_not_finite_is_said() -> None:
    calm = Curve("sft", "calm", 0, tuple((step, 2.0 - step / 100) for step in range(50)))
    wild = Curve("sft", "wild", 0, (*((step, 1e6 if step > 40 else 1.5) for step in range(45)), (45, None)))
    (figure,) = curve_figures([calm, wild])
    assert "Losses above the frame are cut." in figure.caption
    assert not re.search(r">[\d,]{5,}</text>", figure.svg)
    assert figure.rows[1] == ("wild", "0", "45", "1.5", "not finite")


def test_a_line_stops_where_its_loss_is_cut() -> None:
    steady = Curve("sft", "steady", 0, tuple((step, 1.0 + step / 100) for step in range(60)))
    losses = [1.0] * 10 + [500.0] * 4 + [1.0] * 10
    svg = curve_figures([steady, Curve("sft", "wild", 0, tuple(enumerate(losses)))])[0].svg
    lines: list[str] = re.findall(r' d="([^"]*)"[^>]*stroke-width="1.6"', svg)
    assert sorted(line.count("M") for line in lines) == [1, 2]


def test_arms_without_any_finite_loss_take_no_place_from_others() -> None:
    never = [Curve("sft", f"a{number:02}", 0, ((0, None), (1, None))) for number in range(14)]
    (figure,) = curve_figures([*never, Curve("sft", "z", 0, ((0, 1.0), (1, 0.5)))])
    assert [row[0] for row in figure.rows] == ["z"]


def test_a_model_from_elsewhere_is_not_the_untrained_base(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_page(store, tmp_path)
        elsewhere = arm("base", 0, comparisons=[], responses=0, external="a model of the hub")
        drawn_with = {}
        for name in ("base", "elsewhere"):
            if name == "elsewhere":
                store.record_arm(elsewhere)
            (drawn_with[name],) = score_figures(leaderboard(store, PROFILE.digest))["forgetting"]
    assert "stroke-dasharray" in drawn_with["base"].svg and "stroke-dasharray" not in drawn_with["elsewhere"].svg


def test_a_training_that_was_never_finite_has_no_figure() -> None:
    assert curve_figures([Curve("sft", "a", 0, ((0, None), (1, None)))]) == []


def test_drawings_hold_no_code_no_address_and_no_colour_of_their_own(study: tuple[Leaderboard, list[Curve]]) -> None:
    figures = [one for own in score_figures(study[0]).values() for one in own] + curve_figures(study[1])
    for figure in figures:
        assert not re.search(r"<script|style=|https?:|href|url\(|\son\w+=", figure.svg)
        colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', figure.svg))
        assert all(colour in {"none", "transparent"} or colour.startswith("var(--") for colour in colours), colours


def test_a_drawing_shows_hostile_names_as_text() -> None:
    name = HOSTILE + "]]>&amp;" + "\ufffe"
    data: Json = [{"x": 1, "y": 2, "name": name}]
    encoding: dict[str, Json] = {"x": {"field": "x", **axis(name)}, "y": {"field": "y", **axis("y")}}
    svg = drawn([{"data": {"values": data}, "mark": "text", "encoding": {**encoding, "text": {"field": "name"}}}])
    assert "<script" not in svg and "&lt;script&gt;" in svg
    assert svg.startswith("<svg ") and svg.endswith("</svg>")


def test_equal_figures_give_equal_bytes(study: tuple[Leaderboard, list[Curve]]) -> None:
    assert score_figures(study[0]) == score_figures(study[0])
    assert curve_figures(study[1]) == curve_figures(study[1])


def _marks(figure: Figure) -> int:
    """Symbols that are drawn."""
    return len(re.findall(r'<path transform="translate\([^"]+\)" d="M[^"]+" fill="var', figure.svg))


@given(st.text())
@example("\0\x1b\ud800\ufffe\uffff")
@settings(max_examples=60)
def test_no_text_ends_the_drawing(name: str) -> None:
    point: dict[str, Json] = {"x": 1, "y": 2, "name": name}
    encoding: dict[str, Json] = {"x": {"field": "x", **axis(name)}, "y": {"field": "y", **axis("y")}}
    svg = drawn([{"data": {"values": [point]}, "mark": "text", "encoding": {**encoding, "text": {"field": "name"}}}])
    assert ElementTree.fromstring(svg).tag == "svg"
