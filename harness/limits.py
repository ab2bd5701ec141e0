"""A limit on what a run may spend: refused before it starts, and kept while it goes on."""

import time
from dataclasses import dataclass

from harness.board import Board, State
from harness.estimate import core_seconds, seconds_per_unit
from results.errors import UserError


@dataclass(frozen=True)
class Limits:
    """The most hours, times processes, that this run may take; None is no limit."""

    device_hours: float | None = None

    def check_start(self, board: Board) -> None:
        """Raises UserError where the estimate is over the limit."""
        estimate = core_seconds(board.unfinished, seconds_per_unit(board.states.values())) / 3600
        if self.device_hours is not None and estimate > self.device_hours:
            raise UserError(
                f"the study would take about {estimate:.2f} device-hours and --max-device-hours is "
                f"{self.device_hours:g}: nothing was started"
            )

    def check(self, board: Board) -> None:
        """Raises UserError where more has been spent than the limit."""
        spent = sum(map(_seconds, board.states.values())) / 3600
        if self.device_hours is not None and spent > self.device_hours:
            raise UserError(
                f"stopped after {spent:.2f} device-hours, as --max-device-hours={self.device_hours:g} asks; "
                "what is done is kept, and the same command with a higher limit goes on from there"
            )


def _seconds(state: State) -> float:
    """What a stage of this run has taken so far, however it ended, times its processes."""
    running = time.monotonic() - state.began if state.status == "running" else state.took
    return running * state.stage.devices
