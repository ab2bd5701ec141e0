"""The log of a run: the same numbers for people's scripts and for TensorBoard, and no step twice."""

import json
import math
from pathlib import Path

from trainers.run_log import RunLog


def line(step: int, loss: float) -> dict[str, float]:
    return {"step": step, "responses": 8, "loss": loss}


def curve(folder: Path, tag: str) -> dict[int, float]:
    """What TensorBoard's files say of a tag: the value last written for each step that was not taken back."""
    from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-untyped]

    found: dict[int, float] = {}
    for path in sorted((folder / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:  # records: length (8 bytes), its checksum (4), the event, its checksum (4)
            end = 12 + int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12:end])
            data = data[end + 4 :]
            if event.session_log.status:  # a run that goes on from here
                found = {step: value for step, value in found.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == tag:
                    found[event.step] = value.simple_value
    return found


def test_a_run_that_goes_on_has_every_step_once(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, leads=True) as log:
        for step in range(4):
            log.write(line(step, 4.0 - step))
    with RunLog(tmp_path, 2, leads=True) as log:
        for step in (2, 3, 4):
            log.write(line(step, 0.5))
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [line(0, 4.0), line(1, 3.0), line(2, 0.5), line(3, 0.5), line(4, 0.5)]
    assert curve(tmp_path, "loss") == {each["step"]: each["loss"] for each in lines}
    assert curve(tmp_path, "responses") == {}


def test_only_the_leader_writes(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, leads=False) as log:
        log.write(line(0, 1.0))
        log.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_step_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, leads=True) as log:
        log.write(line(0, 1.0))
        assert json.loads((tmp_path / "metrics.jsonl").read_text()) == line(0, 1.0)


def test_what_is_not_finite_is_null_and_no_point_of_a_curve(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, leads=True) as log:
        log.write(line(0, 1.0))
        log.write({**line(1, math.nan), "nll": 2.0, "gradient_norm": math.inf})
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert last == {"step": 1, "responses": 8, "loss": None, "nll": 2.0, "gradient_norm": None}
    assert curve(tmp_path, "loss") == {0: 1.0}
    assert curve(tmp_path, "nll") == {1: 2.0}
