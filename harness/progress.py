"""What a run shows while it works: a live table on a terminal, plain lines elsewhere."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.board import ENDED, Board, State
from harness.estimate import core_seconds, seconds_per_unit
from harness.kinds import KINDS
from harness.perform import PROGRESS
from results.wording import count

PLAIN_EVERY = 30.0  # seconds between two lines about a run in which nothing ends


class Progress:
    """Follows a board. On a terminal it redraws a table; elsewhere it writes a line for each stage that ends.

    note: what else is to be shown beside what goes on, such as what was paid; empty for nothing
    """

    def __init__(self, board: Board, console: Console, slots: int, note: Callable[[], str] = str) -> None:
        self.board = board
        self.console = console
        self.slots = max(1, slots)
        self.note = note
        self.began = time.monotonic()
        self._told = {id for id, state in board.states.items() if state.status in ENDED}
        self._last = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        cached = sum(state.status == "cached" for state in self.board.states.values())
        stages = count(len(self.board.states), "stage")
        self.console.print(f"{stages}, {cached} cached, {self._left()} to do", highlight=False)
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def tick(self) -> None:
        """Shows what has changed."""
        ended = [s for id, s in self.board.states.items() if s.status in ENDED and id not in self._told]
        self._told |= {state.stage.id for state in ended}
        for state in ended:
            if state.status in {"failed", "diverged"} or (self._live is None and state.status == "done"):
                self.console.print(self._line(state), highlight=False, markup=False)
        if skipped := sum(state.status == "skipped" for state in ended):
            what = f"{count(skipped, 'stage')} after it"
            self.console.print(f"{self._clock()} skipped  {what}", highlight=False)
        if self._live:
            self._live.update(self._picture(), refresh=True)
        elif not ended and time.monotonic() - self._last > PLAIN_EVERY:
            running = ", ".join(_running(self.board, state) for state in self._with("running"))
            self.console.print(f"{self._clock()} {self._overall()}; running: {running}", highlight=False, markup=False)
            if note := self.note():
                self.console.print(f"{self._clock()} {note}", highlight=False, markup=False)
        if ended or time.monotonic() - self._last > PLAIN_EVERY:
            self._last = time.monotonic()

    def _line(self, state: State) -> str:
        seconds = f" in {state.manifest.seconds:.1f} s" if state.manifest and state.status == "done" else ""
        reason = f": {state.reason}" if state.reason else ""
        return f"{self._clock()} {state.status:8} {state.stage.label}{seconds}{reason}  ({self._overall()})"

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self.began)
        return f"[{seconds // 60:3d}:{seconds % 60:02d}]"

    def _overall(self) -> str:
        total, left = len(self.board.states), self._left()
        return f"{total - left}/{total} stages, about {_minutes(self.seconds_left())} left"

    def _left(self) -> int:
        return len(self.board.unfinished)

    def _with(self, status: str) -> list[State]:
        return [state for state in self.board.states.values() if state.status == status]

    def seconds_left(self) -> float:
        """Estimated seconds until every stage has ended, from the speed of those that have."""
        rates = seconds_per_unit(self.board.states.values())
        waiting = core_seconds(self._with("waiting"), rates)
        running = sum(core_seconds([s], rates) * (1 - (_share(self.board, s) or 0.0)) for s in self._with("running"))
        return (waiting + running) / self.slots

    def _picture(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("stage", "cached", "done", "running", "waiting", "failed"):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for kind in KINDS:
            counts = Counter(s.status for s in self.board.states.values() if s.stage.kind.name == kind)
            if counts:
                lost = counts["failed"] + counts["diverged"] + counts["skipped"]
                numbers = (counts["cached"], counts["done"], counts["running"], counts["waiting"], lost)
                table.add_row(kind, *(str(number or "·") for number in numbers))
        running = [Text("  " + _running(self.board, state)) for state in self._with("running")]
        last = [Text(f"{self._clock()} {text}") for text in (self._overall(), self.note()) if text]
        return Group(table, *running, *last)


def _running(board: Board, state: State) -> str:
    share = _share(board, state)
    return state.stage.label + ("" if share is None else f" {share:.0%}")


def _share(board: Board, state: State) -> float | None:
    """How much of a running stage is done, as the stage itself reports; None where it has not."""
    if state.key is None:
        return None
    try:
        done, total = json.loads((board.store.partial(state.stage.kind.name, state.key) / PROGRESS).read_text())
    except (OSError, ValueError):
        return None
    return float(min(1.0, done / total)) if total else None


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
