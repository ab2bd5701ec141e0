"""Whatever a model or a user wrote, the store keeps it and every table shows it as text: on either database."""

import csv
import unicodedata
from io import StringIO
from pathlib import Path

import pytest

from results import tables
from results.checking import faults
from results.claims import tables as claim_tables
from results.claims.recording import csv as claims_csv
from results.claims.recording import record_table
from results.claims.table import claim_table
from results.digest import Json
from results.export import export
from results.latex import latex
from results.leaderboard import leaderboard
from results.query import query
from results.records import LONGEST_NAME
from results.store import Store
from results.trace import trace, written
from tests.results.study import PROFILE, arm, mean_score, record
from tests.results.test_latex import set_by_latex

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
LATEX = r"\input{/etc/passwd}\write18{id} $x_1^2$ % & # ~ {\end{table}"
MARKDOWN = "a|b [x](javascript:alert(1)) `c` **d** ![e](f)"
NAME = LONGEST_NAME
HOSTILE = {
    "script": SCRIPT,
    "bidi": "\u202egnp.exe\u2066\u200f",
    "one letter a million times": "a" * 1_000_000,
    "NUL": "be\0fore",
    "emoji": "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "lone surrogates": "\ud800 and \udfff",
    "formula": "=cmd|' /C calc'!A1",
    "another formula": "@sum(1+1)",
    "terminal": "\x1b[31m\x1b]0;title\x07[red]x[/red]\r\n\t\x85\u2028",
    "markdown": MARKDOWN,
    "latex": LATEX,
    "sql": "'; DROP TABLE items; --",
}


@pytest.fixture(params=list(HOSTILE.values()), ids=list(HOSTILE))
def filled(request: pytest.FixtureRequest, database: str) -> tuple[str, str]:
    """The text, and the URL of a store in which it names a study, a judge, an arm and an item, and is every answer.

    Names are cut to what the store takes.
    """
    text: str = request.param
    name_of_arm = text[:NAME]
    claims: dict[str, Json] = {"dft": name_of_arm, "sft": "plain", "accuracy": "quiz/accuracy"}
    spec: dict[str, Json] = {"title": text, "claims": claims, "leaderboard": {"baseline": "plain"}}
    with Store.open(database) as store:
        for name, right in ((name_of_arm, 5), ("plain", 3)):
            for seed in range(2):
                scores, items = mean_score([100.0 * (i < right + seed) for i in range(8)], detail={"judge": text})
                items = [one.model_copy(update={"detail": {"answer": text}}) for one in items]
                record(store, arm(name, seed), scores, items)
            record(store, arm(name, 2, status="failed", reason=text), scores, items)
        # Two items whose names differ in nothing but what is hidden may not fall into one.
        long_name = items[0].model_copy(update={"item": text[:NAME]})
        record(store, arm("named", 0), scores, [long_name, *items[1:]])
        store.record_profile(PROFILE.model_copy(update={"spec": spec, "name": "small"}))
    return text, database


def test_it_is_kept(filled: tuple[str, str]) -> None:
    text, database = filled
    with Store.open(database) as store:
        assert faults(store) == []
        own = next(one for one in store.arms(PROFILE.digest) if one.name not in ("plain", "named"))
        named = text[:NAME]
        kept = "".join("\N{REPLACEMENT CHARACTER}" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in named)
        assert own.name == kept
        assert {item.detail["answer"] for item in store.items(own, "quiz", "accuracy")} == {text}
        assert {one.score.detail["judge"] for one in store.scores(PROFILE.digest)} == {text}
        assert store.profile("small").spec["title"] == text


def test_every_table_shows_it_as_text(filled: tuple[str, str], tmp_path: Path) -> None:
    _, database = filled
    with Store.open(database) as store:
        board = leaderboard(store, "small")
        verdicts = claim_table(store, "small")
        record_table(store, verdicts)
        name = next(row.name for row in board.rows if row.name not in ("plain", "named"))
        traced = written(trace(store, "small", name, "quiz/accuracy"))
        exported = export(store, tmp_path, "csv", ["arms", "items_view", "verdicts"])
    texts = {
        "terminal": tables.terminal(board, 200),
        "markdown": tables.markdown(board),
        "csv": tables.csv(board),
        "latex": latex(board),
        "claims terminal": claim_tables.terminal(verdicts, 200),
        "claims markdown": claim_tables.markdown(verdicts),
        "claims csv": claims_csv(verdicts),
        "trace": traced,
    }
    for form, shown in texts.items():
        shown.encode("utf-8")
        assert len(shown) < 100_000, form
        hidden = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
        assert not hidden, (form, hidden)
    for form in ("markdown", "claims markdown"):
        assert "<" not in texts[form], form
        assert "](" not in texts[form].replace("\\]", ""), form
        assert "**d**" not in texts[form].replace("\\*", "")
    for form in ("csv", "claims csv"):
        lines = list(csv.reader(StringIO(texts[form])))
        assert len({len(line) for line in lines}) == 1
        _no_formulas([field for line in lines for field in line])
    for path in exported:
        with path.open(encoding="utf-8", newline="") as file:
            csv.field_size_limit(10_000_000)
            lines = list(csv.reader(file))
        assert len({len(line) for line in lines}) == 1
        _no_formulas([field for line in lines for field in line])
    assert "passwd" not in set_by_latex(texts["latex"], tmp_path)


def test_sql_finds_it(filled: tuple[str, str]) -> None:
    _, database = filled
    with query(database, "SELECT count(*), count(DISTINCT item) FROM items_view WHERE arm = 'named'") as answer:
        assert [tuple(row) for row in answer.rows] == [(8, 8)]


def _no_formulas(fields: list[str]) -> None:
    for field in fields:
        if field.startswith(("=", "+", "-", "@", "\t", "\r")):
            float(field)  # a number, or this fails
