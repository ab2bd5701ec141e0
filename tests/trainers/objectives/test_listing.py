"""The texts about objectives, and the documentation page made of them."""

from pathlib import Path

from trainers.objectives import find_objective, objectives
from trainers.objectives.listing import describe, divergence_table, docs_page, summary, table

PAGE = Path(__file__).parents[3] / "docs" / "objectives.md"


def test_the_documentation_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs_page(), (
        "run python -m trainers.objectives.listing docs/objectives.md"
    )


def test_every_objective_states_its_gradient_and_source() -> None:
    for each in objectives().values():
        assert each.gradient and each.source and each.formula and each.summary.endswith("."), each.name


def test_a_page_says_all_that_a_plan_must_know() -> None:
    page = describe(find_objective("kto"))
    for part in ("kto: ", "max(0, sg(", "mismatched answers", "2402.01306", "undesirable_weight = 1.0", "(read)"):
        assert part in page
    assert max(map(len, page.splitlines())) <= 120
    assert "no settings" in describe(find_objective("sft"))


def test_tables_have_a_row_for_each() -> None:
    known = objectives().values()
    assert len(table(known).splitlines()) == len(known) + 2
    assert [line.split()[0] for line in summary(known).splitlines()] == list(objectives())
    cells = {line.count(" | ") for line in table(known).splitlines()}
    assert cells == {5}


def test_slopes_at_the_reference_come_from_the_code() -> None:
    rows = {line.split("`")[1]: line.split(" | ")[-2:] for line in divergence_table().splitlines()[2:]}
    assert rows["squared_hellinger"] == ["1", "−2 |"]
    assert rows["kl"] == ["0.3679", "−0.3679 |"]
    assert rows["total_variation"] == ["1", "0 |"]
