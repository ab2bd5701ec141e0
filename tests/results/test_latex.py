"""The LaTeX table: the cells of the Markdown one, set by a real LaTeX, whatever others have named their arms."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.latex import escape, latex
from results.leaderboard import leaderboard
from results.records import LONGEST_NAME
from results.store import Store
from tests.results.study import arm, fill

HOSTILE = (
    "<script>alert(1)</script> a|b\nc\0d \u202egnp.exe \\input{/etc/passwd} $x^2$ 100% & # ~ \u00e9 \u00ef \U0001f600 "
    "\u6f22 [2in] ?` -- --- \\\\ {}} ^^41 \\end{table} ''"
)


def set_by_latex(body: str, folder: Path) -> str:
    """What LaTeX's log says of a document with this body. Fails where it does not compile."""
    if shutil.which("pdflatex") is None or subprocess.run(["kpsewhich", "booktabs.sty"], check=False).returncode:
        pytest.skip("no pdflatex with booktabs: apt-get install texlive-latex-recommended")
    packages = r"\usepackage{booktabs}\usepackage{graphicx}"
    document = rf"\documentclass{{article}}{packages}\begin{{document}}{body}\end{{document}}"
    (folder / "table.tex").write_text(document, encoding="ascii")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "table.pdf").is_file()
    return done.stdout


def test_a_table_is_set_with_the_cells_of_the_others(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        text = latex(leaderboard(store, "small", baseline="sft"))
    assert r"dpo & 54.2 {[}12.1, 96.2] & +25.0 {[}-7.6, 57.6], p = 0.112 &" in text
    assert r"quiz accuracy (percent) $\uparrow$ & against sft &" in text
    assert r"\footnotesize kto: seed 1: loss is NaN at step 17" in text
    set_by_latex(text, tmp_path)


def test_hostile_names_are_set_as_they_are(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        for name in (HOSTILE, "[1in]", "\\" * 7, "x" * LONGEST_NAME, "%"):
            store.record_arm(arm(name, status="failed", reason=name))
        text = latex(leaderboard(store, "small"))
    assert len(text) < 20_000
    log = set_by_latex(text, tmp_path)
    assert "passwd" not in log
    assert r"\textbackslash{}input\{/etc/passwd\}" in text


def test_every_character_of_a_thousand_can_be_set(tmp_path: Path) -> None:
    shown = "\n\n".join(escape("".join(map(chr, range(start, start + 100)))) for start in range(1, 1000, 100))
    set_by_latex(shown, tmp_path)


@given(st.text())
def test_escaped_text_is_one_line_of_ascii_without_commands_of_its_own(text: str) -> None:
    shown = escape(text)
    assert shown.isascii()
    assert len(shown.splitlines()) <= 1
    left = shown.replace(r"\textbackslash{}", "")
    for mark in "&#_":
        assert left.count(mark) == left.count(f"\\{mark}")
    depth = 0
    for place, character in enumerate(left):
        escaped = place > 0 and left[place - 1] == "\\"
        depth += {"{": 1, "}": -1}.get(character, 0) if not escaped else 0
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é ñ ß", r"\'{e} \~{n} \ss{}"),
        ("5–7 ± 1 ≤ ∞", r"5\textendash{}7 $\pm$ 1 $\leq$ $\infty$"),
        ("\U0001f600", r"\texttt{U+1F600}"),
        ("a--b", "a-{}-b"),
    ],
)
def test_what_is_known_is_set_and_the_rest_is_named(text: str, shown: str) -> None:
    assert escape(text) == shown
