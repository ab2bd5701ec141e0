"""A limit on what a run may spend: refused before it starts, and kept while it goes on."""

import time
from dataclasses import dataclass

from eval_suites.spending import dollars
from harness.board import Board, State
from harness.estimate import core_seconds, seconds_per_unit
from harness.judge_estimate import Bill
from results.errors import UserError

NOTHING = Bill()


@dataclass(frozen=True)
class Limits:
    """The most hours, times processes, that this run may take, and the most that it may pay; None is no limit.

    What is paid is kept under its limit by those who ask, question by question.
    """

    device_hours: float | None = None
    usd: float | None = None

    def check_start(self, board: Board, judges: Bill, answers: Bill = NOTHING) -> None:
        """Raises UserError where an estimate is over its limit, or money is limited and a price is not known.

        answers: those of an endpoint that is evaluated
        """
        estimate = core_seconds(board.unfinished, seconds_per_unit(board.states.values())) / 3600
        if self.device_hours is not None and estimate > self.device_hours:
            raise UserError(
                f"the study would take about {estimate:.2f} device-hours and --max-device-hours is "
                f"{self.device_hours:g}: nothing was started"
            )
        if self.usd is None:
            return
        if judges.usd is None:
            raise UserError(
                "--max-usd needs the price of every judge: write usd_per_million_input and usd_per_million_output into "
                "the profile's judge (0 for one that costs nothing): nothing was started"
            )
        if answers.usd is None:
            raise UserError(
                "--max-usd needs the prices of the endpoint that is evaluated: give --usd-per-million-input and "
                "--usd-per-million-output (0 for one that costs nothing): nothing was started"
            )
        if judges.usd + answers.usd > self.usd:
            what = "judging and the endpoint's answers" if answers.questions else "judging"
            questions = judges.questions + answers.questions
            raise UserError(
                f"{what} would cost about {dollars(judges.usd + answers.usd)} ({questions:,} questions) and --max-usd "
                f"is {self.usd:g}: nothing was started"
            )

    def check(self, board: Board) -> None:
        """Raises UserError where more time has been spent than the limit."""
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
