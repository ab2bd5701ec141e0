"""The choice among candidates: by losses that are written by hand."""

import json
import os
from pathlib import Path

import pytest

from harness.kinds import SELECT
from harness.kinds.select import SelectSpec
from harness.stage import Ended, Runtime

RATES = SelectSpec(candidates=({"learning_rate": 3e-4}, {"learning_rate": 1e-3}, {"learning_rate": 3e-3}))
Losses = tuple[float | None, ...]


def trained(folder: Path, text: str) -> Path:
    """What a training leaves."""
    (folder / "model").mkdir(parents=True)
    (folder / "log").mkdir()
    for name in ("model/weights", "scores.json", "log/metrics.jsonl", "manifest.json"):
        (folder / name).write_text(f"{text} {name}", encoding="utf-8")
    return folder


def select(folder: Path, losses: Losses, without: tuple[int, ...] = ()) -> tuple[Ended, Path]:
    """Chooses by these losses; the candidates `without` diverged."""
    inputs = {}
    for i, loss in enumerate(losses):
        if i not in without:
            inputs[f"candidate{i}"] = trained(folder / f"candidate{i}", f"of {i}")
            inputs[f"validation{i}"] = folder / f"validation{i}.json"
            inputs[f"validation{i}"].write_text(json.dumps({"loss": loss, "items": 7}))
    (folder / "out").mkdir()
    ended = SELECT.run(RATES, inputs, folder / "out", Runtime())
    assert ended is not None
    return ended, folder / "out"


@pytest.mark.parametrize(
    ("losses", "without", "chosen"),
    [
        ((2.0, 1.0, 3.0), (), 1),
        ((-0.1, -0.3, -0.2), (), 1),
        ((1.0, 1.0, 2.0), (), 0),
        ((2.0, 1.0, 1.0), (), 1),
        ((None, 2.0, 1.0), (), 2),
        ((2.0, 0.0, 1.0), (1,), 2),
        ((2.0, None, 0.0), (0, 2), None),
        ((None, None, None), (), None),
    ],
    ids=["lowest", "negative", "tie", "tie below", "not finite", "diverged", "nothing finite left", "none finite"],
)
def test_the_lowest_finite_loss_is_chosen_of_equals_the_first(
    losses: Losses, without: tuple[int, ...], chosen: int | None, tmp_path: Path
) -> None:
    ended, out = select(tmp_path, losses, without)
    if chosen is None:
        assert ended == ("diverged", "no candidate has a finite loss on the validation part")
        return
    assert ended == ("ok", f"learning_rate={RATES.candidates[chosen]['learning_rate']}")
    found = [None if i in without else loss for i, loss in enumerate(losses)]
    assert json.loads((out / "choice.json").read_text()) == {
        "chosen": chosen,
        "candidates": [{**settings, "loss": loss} for settings, loss in zip(RATES.candidates, found, strict=True)],
    }
    assert (out / "model" / "weights").read_text() == f"of {chosen} model/weights"


@pytest.mark.parametrize("links", [True, False])
def test_all_that_the_chosen_training_left_is_there_but_its_log_and_manifest(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError("no links on this file system")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    _, out = select(tmp_path, (2.0, 1.0, 3.0))
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {"choice.json", "model/weights", "scores.json"}
    assert (out / "scores.json").read_text() == "of 1 scores.json"
    assert (out / "model" / "weights").samefile(tmp_path / "candidate1" / "model" / "weights") is links
