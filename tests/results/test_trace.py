"""Every number of a table is traced to its items by the documented query."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from results.errors import UserError
from results.leaderboard import leaderboard
from results.query import query
from results.ratio import pooled_products, ratio_of_means
from results.schema_listing import page
from results.statistics import holm, mean_interval, minimum_detectable_differences
from results.store import Store
from results.tables import markdown
from results.trace import ITEMS, SCORES, trace, written
from results.variance import seed_spread
from results.wording import difference_text, interval, relative_text
from tests.results.study import PROFILE, arm, count_score, fill, mean_score, record, stored_score

ROOT = Path(__file__).resolve().parents[2]


def test_every_number_of_a_table_is_made_of_its_traced_items(database: str) -> None:
    numbers = 0
    with Store.open(database) as store:
        fill(store)
        for name in ("sft", "dpo"):
            for seed in range(3):
                record(store, arm(name, seed), *mean_score([0.1 * seed, 0.7, 1.3], metric="nll", unit="nats"))
        board = leaderboard(store, "small", baseline="sft")
        rows = {row.name: row for row in board.rows}
        for row in board.rows:
            for column, cell in zip(board.columns, row.cells, strict=True):
                if cell.interval is None:
                    continue
                found = trace(store, "small", row.name, column.name)
                by_seed = {one.seed: [i.value for i in found.items if i.seed == one.seed] for one in found.scores}
                assert np.mean(list(by_seed.values())) == pytest.approx(cell.interval.mean, rel=1e-12)
                assert found.value == pytest.approx(cell.interval.mean, rel=1e-12)
                with query(database, found.query) as answer:
                    assert [tuple(line) for line in answer.rows] == [tuple(item) for item in found.items]
                numbers += 1
        difference = rows["dpo"].difference
        assert difference is not None
        values = [trace(store, "small", name, "quiz/accuracy").value for name in ("dpo", "sft")]
        assert values[0] is not None and values[1] is not None
        assert values[0] - values[1] == pytest.approx(difference.mean)
    assert numbers == 4


def test_every_printed_number_of_a_table_follows_from_the_documented_query(database: str) -> None:
    """Means, differences, gains, their intervals, p-values and what could be seen, from the rows of ITEMS alone."""
    generator = random.Random(4)
    with Store.open(database) as store:
        for name, share in (("sft", 0.5), ("dpo", 0.7), ("kto", 0.5)):
            for seed in range(3):
                values = [100.0 * (generator.random() < share + 0.05 * seed) for _ in range(60)]
                record(store, arm(name, seed), *mean_score(values))
        shown = markdown(leaderboard(store, "small", baseline="sft"))
    column = {"profile": PROFILE.digest, "suite": "quiz", "metric": "accuracy"}
    rows = {name: outcomes_by_seed(database, column | {"arm": name}) for name in ("sft", "dpo", "kto")}
    of_all = seed_spread([own.mean(axis=1) for own in rows.values()])
    square = of_all.square((1.0, -1.0), 60)
    products = pooled_products(of_all, (1.0, -1.0), (0.0, 1.0), 60)
    differences = {
        name: mean_interval(rows[name] - rows["sft"], bounds=(-100.0, 100.0), of_all=square) for name in ("dpo", "kto")
    }
    p_values = dict(zip(differences, holm([one.p_value for one in differences.values()]), strict=True))
    for name, own in rows.items():
        cells = [interval(mean_interval(own, bounds=(0.0, 100.0)), "percent"), "–", "–"]
        if name in differences:
            gain = ratio_of_means(own - rows["sft"], rows["sft"], of_all=products)
            cells[1:] = [difference_text(differences[name], p_values[name], "percent"), relative_text(gain)]
        assert f"| {name} | {' | '.join(cells)} | 3 |" in shown
    stacked = np.stack([rows[name] - rows["sft"] for name in differences])
    least = minimum_detectable_differences(stacked, 0.975, 0.8, square)
    assert f"Minimum detectable difference: {min(least):.1f} to {max(least):.1f} percent." in shown


def test_the_documented_views_follow_a_changed_and_a_deleted_item(database: str) -> None:
    """As the table does: the mean is that of the items as they are, and what was scored is counted."""
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0, 100.0, 0.0]))
    values = {"profile": PROFILE.digest, "arm": "sft", "suite": "quiz", "metric": "accuracy"}
    steps = (
        (None, 50.0, 4, [100.0, 0.0, 100.0, 0.0], "50.0 ["),
        ("UPDATE items SET value = 100 WHERE item = 'q001'", 75.0, 4, [100.0, 100.0, 100.0, 0.0], "75.0 ["),
        ("DELETE FROM items WHERE item = 'q001'", 200 / 3, 3, [100.0, 100.0, 0.0], "incomplete 3/4"),
    )
    for statement, mean, scored, items, cell in steps:
        with Store.open(database) as store:
            if statement is not None:
                with store.engine.execution_options(writes=True).begin() as connection:
                    assert connection.execute(text(statement)).rowcount == 1
            assert f"| sft | {cell}" in markdown(leaderboard(store, "small"))
            with store.engine.connect() as connection:
                assert [row.value for row in connection.execute(text(ITEMS), values)] == items
                (found,) = connection.execute(text(SCORES), values)
        assert (found.value, found.n_scored, found.n_expected) == (pytest.approx(mean), scored, 4)


def outcomes_by_seed(database: str, values: dict[str, str]) -> NDArray[np.float64]:
    """[seeds, items] of the documented query."""
    with Store.open(database) as store, store.engine.connect() as connection:
        found: dict[int, list[float]] = {}
        for row in connection.execute(text(ITEMS), values):
            found.setdefault(row.seed, []).append(row.value)
    return np.array([found[seed] for seed in sorted(found)])


def test_a_trace_says_what_made_the_number(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("it's \u202e"), *mean_score([100.0, 0.0, None]))
        record(store, arm("it's \u202e"), [stored_score(61.0), count_score(3)])
        lines = written(trace(store, "small", "it's \u202e", "quiz/accuracy")).splitlines()
        fitted = written(trace(store, "small", "it's \u202e", "quiz/fitted"))
    assert lines[0] == "it's �, quiz/accuracy (percent): 50.0"
    assert lines[2] == "seed 0: 50.0, the mean of 2 of 3 items"
    assert "score/score-it's �-0-quiz-accuracy: bridgebench run small, commit 0123456789abcdef" in lines[3]
    assert "arm = 'it''s �'" in lines[5]
    assert lines[-3:] == ["0  q000  100.0", "0  q001  0.0", "0  q002  –"]
    assert "61.0, by its suite, from 5 of 5 items" in fitted


def test_what_is_not_there_is_a_users_mistake() -> None:
    with Store.open(":memory:") as store:
        record(store, arm("sft"), *mean_score([100.0]))
        for arguments, message in (
            (("large", "sft", "quiz/accuracy"), "no profile 'large'"),
            (("small", "dpo", "quiz/accuracy"), "its arms are sft"),
            (("small", "sft", "quiz/speed"), "it has quiz/accuracy"),
        ):
            with pytest.raises(UserError, match=message):
                trace(store, *arguments)


def test_values_in_a_query_cannot_end_their_quotes(tmp_path: Path) -> None:
    name = "x' OR ':arm' = ':metric"
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm(name), *mean_score([100.0]))
        record(store, arm("other"), *mean_score([0.0]))
        found = trace(store, "small", name, "quiz/accuracy")
    with query(tmp_path / "store.db", found.query) as answer:
        assert [row[2] for row in answer.rows] == [100.0]


def test_the_page_of_the_documentation_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "store.md").read_text(encoding="utf-8") == page()
    assert all(line.strip() in page() for line in ITEMS.splitlines())


def test_every_column_is_described(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store, store.engine.connect() as connection:
        for name in connection.execute(
            text("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        ).scalars():
            if name == "alembic_version":
                continue
            section = re.search(rf"### `{name}`\n\n(.+?)\n\n\|(.+?)(?=\n#|\Z)", page(), re.DOTALL)
            assert section is not None, name
            columns = connection.execute(text(f"SELECT * FROM {name}")).keys()
            described = re.findall(r"^\| `(\w+)` \| \S", section[2], re.MULTILINE)
            assert described == list(columns)
