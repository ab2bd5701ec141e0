"""The papers' numbers: every row is read and checked, and what is known to be wrong with one is written on it."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from results.errors import UserError
from results.reported import DATA, PAPERS, ReportedNumber, read_reported, reported

NUMBERS, NOTES = DATA / "reported_numbers.csv", DATA / "reported_notes.yaml"
INCONSISTENCIES = {
    "headline-figures",
    "gain-ratios",
    "lora-averages",
    "lora-gain",
    "two-values-of-dft",
    "iw-sft-on-amc23",
    "first-rows",
    "dft-reduction",
    "printed-average",
    "captions",
    "one-value-two-methods",
    "best-in-nine-tasks",
    "kto-not-below-sft",
    "score-scale",
    "printed-minus",
    "online-reference",
    "online-script",
    "mc2-in-code",
}


def value(**fields: str) -> float:
    return reported().one(**fields).value


def noted(note: str) -> list[ReportedNumber]:
    return [number for number in reported().numbers.values() if note in number.notes]


def test_all_rows_are_there() -> None:
    counts = Counter(number.paper for number in reported().numbers.values())
    assert counts == {"implicit-reward": 2, "dft": 408, "uft": 571, "una": 146}
    assert set(PAPERS) == set(counts)


def test_every_note_is_on_a_row_and_every_inconsistency_is_known() -> None:
    used = Counter(note for number in reported().numbers.values() for note in number.notes)
    assert set(used) == set(reported().notes)
    assert {note.id for note in reported().notes.values() if note.kind == "inconsistency"} == INCONSISTENCIES


def test_an_average_that_is_not_that_of_its_row_has_a_note() -> None:
    rows: dict[tuple[str, ...], list[ReportedNumber]] = defaultdict(list)
    for number in reported().numbers.values():
        rows[number.paper, number.table, number.model, number.method, number.training_data].append(number)
    wrong, checked = set(), 0
    for row in rows.values():
        for average in (number for number in row if "Average" in number.benchmark):
            own = [n.value for n in row if "Average" not in n.benchmark]
            if average.benchmark.startswith("MultiPL-E"):
                own = [n.value for n in row if n.benchmark.startswith("MultiPL-E") and n is not average]
            complete = {"Average (5)": 5, "MultiPL-E Average": 8}.get(average.benchmark, 6)
            if len(own) == complete:
                checked += 1
                if abs(fmean(own) - average.value) > 0.0101:
                    wrong.add(average.id)
    assert checked > 100
    assert wrong == {number.id for note in ("lora-averages", "printed-average") for number in noted(note)}


def test_the_printed_gain_ratios_are_not_those_of_the_averages() -> None:
    printed = {"Qwen2.5-Math-1.5B": 5.9, "Qwen2.5-Math-7B": 3.8, "LLaMA-3.2-3B": 1.4, "DeepSeekMath-7B": 1.58}
    where = {"paper": "dft", "table": "Table 1", "benchmark": "Average (5)"}
    for model, ratio in {**printed, "LLaMA-3.1-8B": 1.88}.items():
        base, sft, dft = (value(**where, model=model, method=method) for method in ("base", "SFT", "DFT"))
        off = abs((dft - base) / (sft - base) - ratio)
        assert (off > 0.2) == (model in printed)
    assert {(number.model, number.table) for number in noted("gain-ratios")} == {
        (model, "Table 1") for model in printed
    }


def test_the_gain_over_sft_under_lora_is_that_over_the_base() -> None:
    base, sft, dft = (number.value for number in noted("lora-gain"))
    assert (round(dft - base, 2), round(dft - sft, 2)) == (3.44, 2.07)


def test_one_setting_of_dft_has_two_values() -> None:
    found = {(number.table, number.value) for number in noted("two-values-of-dft") if number.benchmark == "Average (5)"}
    assert found == {("Table 1", 31.58), ("Table 2", 31.58), ("Table 7", 30.67)}


def test_the_amc23_scores_of_the_text_stand_with_other_models() -> None:
    found = {(number.model, number.method): number.value for number in noted("iw-sft-on-amc23")}
    assert found == {("LLaMA-3.1-8B", "iw-SFT"): 7.34, ("LLaMA-3.1-8B", "SFT"): 5.16, ("DeepSeekMath-7B", "SFT"): 8.28}


def test_mixed_uft_is_best_in_eight_tasks_and_ties_in_one() -> None:
    sequential = ("SFT then DPO", "SFT then KTO", "SFT then UNA")
    lead = tie = 0
    for own in noted("best-in-nine-tasks"):
        where = {"paper": "uft", "table": own.table, "model": own.model, "benchmark": own.benchmark}
        best = max(value(**where, method=method) for method in sequential)
        lead += own.value > best
        tie += own.value == best
    assert (len(noted("best-in-nine-tasks")), lead, tie) == (12, 8, 1)


def test_the_second_stage_is_not_always_worse_and_sft_has_a_better_rate() -> None:
    assert [number.value for number in noted("kto-not-below-sft")] == [63.17, 63.23]
    assert sorted(number.value for number in noted("best-rate-of-sft")) == [63.17, 63.72, 64.25]


def test_notes_of_settings_are_on_the_rows_that_they_concern() -> None:
    assert {number.table for number in noted("captions")} == {"Table 12", "Table 13"}
    assert {number.metric for number in noted("length-unit")} == {"mean output length"}
    assert {number.benchmark for number in noted("mc2-in-code")} == {"truthful-qa"}
    assert {number.method for number in noted("score-scale")} == {"UNA-score (MSE)"}
    assert [number.value for number in noted("one-value-two-methods")] == [47.48]
    assert sorted(number.value for number in noted("headline-figures")) == [6, 25]


def test_the_data_name_no_place_on_a_machine() -> None:
    files = [NUMBERS, NOTES, *(DATA / "claims").glob("*.yaml")]
    assert len(files) == 7
    place = re.compile(r"(?<![\w.:/])/[a-z]\w*/\w")
    assert place.search("see /home/someone/notes.md")
    assert not [(path.name, found.group()) for path in files for found in place.finditer(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",1.63,", ",1.6x,", "line 4: value: "),
        (",1.63,", ",nan,", "line 4: value: "),
        ("dft-001,dft", "dft-001,dtf", "line 4: paper: "),
        ("dft-001,dft", "uft-999,dft", "line 4: Value error, the id begins with the paper, dft-"),
        ("dft-002", "dft-001", "line 5: id: dft-001 stands in line 4 too"),
        ("Minerva Math", "Math500", "line 5: line 4 has the same paper"),
        ("v3 PDF text,", "v3 PDF text,no-such-note", "line 4: notes: there is no note 'no-such-note'"),
        ("v3 PDF text,", "v3 PDF text,,", "line 4: 11 fields are wanted"),
        ("id,paper", "key,paper", "line 1: the columns are id, paper, table"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    lines = NUMBERS.read_text("utf-8").splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if old in line)
    lines[place] = lines[place].replace(old, new)
    changed = tmp_path / "numbers.csv"
    changed.write_text("".join(lines), "utf-8")
    with pytest.raises(UserError, match=re.escape(f"numbers.csv: {message}")):
        read_reported(changed, NOTES)


def test_a_note_that_does_not_fit_is_named(tmp_path: Path) -> None:
    changed = tmp_path / "notes.yaml"
    changed.write_text("a-note: {kind: rumour, text: so they say}\n", "utf-8")
    with pytest.raises(UserError, match=r"notes\.yaml: kind: "):
        read_reported(NUMBERS, changed)


def test_a_reference_is_to_one_row() -> None:
    with pytest.raises(ValueError, match="5 reported numbers, and not one"):
        reported().one(paper="dft", table="Table 1", benchmark="Average (5)", method="DFT")
