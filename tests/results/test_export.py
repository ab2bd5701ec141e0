"""Tables and views as files: read back they hold what the store holds, and no text in them does anything."""

import csv
import json
from datetime import UTC
from pathlib import Path

import pytest

from results.errors import UserError
from results.export import Format, export, exportable
from results.store import Store
from tests.results.study import PROFILE, arm, fill, mean_score, record

FORMULAS = ["=cmd|' /C calc'!A1", "+1", "-1", "@sum(A1)", "\t=1", "\r=1"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_every_table_and_view_is_written_with_all_its_rows(database: str, tmp_path: Path, format_: Format) -> None:
    with Store.open(database) as store:
        fill(store)
        written = export(store, tmp_path / "out", format_)
    assert {path.name for path in written} == {f"{name}.{format_}" for name in exportable()}
    counts = {path.stem: rows for path, rows in written.items()}
    assert (counts["items"], counts["items_view"], counts["scores_view"], counts["arms"]) == (64, 64, 8, 9)
    assert counts["claims"] == 0
    assert all(path.is_file() for path in written)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {f".{format_}"}


def test_csv_holds_numbers_in_full_and_no_formulas(database: str, tmp_path: Path) -> None:
    with Store.open(database) as store:
        for name in FORMULAS:
            record(store, arm(name), *mean_score([0.1 + 0.2, -5.0, 1e-300]))
        export(store, tmp_path, "csv", ["arms", "items_view"])
    assert {line["name"] for line in read_csv(tmp_path / "arms.csv")} == {f"'{name}" for name in FORMULAS}
    values = {line["value"] for line in read_csv(tmp_path / "items_view.csv")}
    assert {float(value) for value in values} == {0.1 + 0.2, -5.0, 1e-300}


def test_parquet_reads_into_pandas_as_it_was_recorded(database: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    scores, items = mean_score([100.0, 0.0, None], detail={"judge": "=1 \U0001f600"})
    with Store.open(database) as store:
        record(store, arm("=sft\U0001f600"), scores, items)
        export(store, tmp_path, "parquet", ["items_view", "scores_view", "scores", "profiles", "stages"])
    read = {name: pandas.read_parquet(tmp_path / f"{name}.parquet") for name in ("items_view", "scores_view", "scores")}
    assert list(read["items_view"].value)[:2] == [100.0, 0.0]
    assert read["items_view"].value.isna().tolist() == [False, False, True]
    assert set(read["items_view"].arm) == {"=sft\U0001f600"}
    (line,) = read["scores_view"].to_dict("records")
    assert (line["value"], line["n_scored"], line["n_expected"], line["latest"]) == (50.0, 2, 3, True)
    assert json.loads(read["scores"].detail[0])["judge"] == "=1 \U0001f600"
    (created,) = pandas.read_parquet(tmp_path / "profiles.parquet").created
    assert created.to_pydatetime().astimezone(UTC) == PROFILE.created


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    with Store.open(":memory:") as store, pytest.raises(UserError, match=r"no table 'cats'; there are .*items_view"):
        export(store, tmp_path / "out", "csv", ["cats"])
    assert not (tmp_path / "out").exists()
