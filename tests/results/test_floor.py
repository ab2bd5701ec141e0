"""The floor stands alone: it opens a store and prints a leaderboard without what training and evaluation need."""

import subprocess
import sys
from pathlib import Path

from results.store import Store
from tests.results.study import fill

ROOT = Path(__file__).resolve().parents[2]

PRINT = """
import sys
from results.leaderboard import leaderboard
from results.page import page
from results.store import Store
from results.tables import csv, markdown, terminal

with Store.open(sys.argv[1], create=False) as store:
    board = leaderboard(store, "small", baseline="sft")
assert all(show(board) for show in (terminal, markdown, csv, page))
heavy = {"torch", "transformers", "pandas", "alpaca_eval", "lm_eval", "openai", "ray", "sklearn"}
print(sorted(heavy & sys.modules.keys()), "scipy.stats" in sys.modules)
"""


def test_a_leaderboard_is_printed_without_heavy_libraries(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
    command = [sys.executable, "-c", PRINT, str(tmp_path / "store.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
