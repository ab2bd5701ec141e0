"""The Markdown table of the training benchmark."""

from collections.abc import Iterator, Sequence

from benchmarks.training_jobs import Job
from benchmarks.training_lines import SYSTEMS, Line, first_apart, largest_difference, spread
from benchmarks.training_worker import RunError

_NONE = "–"
_PEAK = "% of peak"
HEADINGS = (
    "objective",
    "system",
    "setting",
    "tokens/s",
    "reference s",
    "tokens/s with reference",
    "its median (range)",
    "TFLOP/s",
    _PEAK,
    "peak MB",
    "final loss",
    "largest difference",
    "ours is × as fast",
    "note",
)
_OTHER_POINT = "another reference point: not the same work"


def headings(peak_tflops: float | None) -> tuple[str, ...]:
    """The columns: the share of the peak is one where the peak is known."""
    return tuple(name for name in HEADINGS if name != _PEAK or peak_tflops)


def header(peak_tflops: float | None) -> str:
    """The table's first two lines."""
    names = headings(peak_tflops)
    return f"{row(names)}\n{row(['---'] * len(names))}"


def table(lines: Sequence[Line], peak_tflops: float | None = None) -> Iterator[str]:
    """Rows of one objective. peak_tflops: of the device, in the precision of the runs."""
    ours = next((line for line in lines if line.system == "ours" and not isinstance(line.runs, RunError)), None)
    for line in lines:
        cells = {"objective": line.job.objective, "system": SYSTEMS[line.system], "setting": setting(line.job)}
        if isinstance(line.runs, RunError):
            cells["note"] = str(line.runs).replace("|", "/")
        else:
            cells |= _speed(line, peak_tflops)
            cells |= _beside(ours, line) if ours and line is not ours else {"note": ""}
        yield row([cells.get(name, _NONE) for name in headings(peak_tflops)])


def setting(job: Job) -> str:
    """What a line ran with."""
    if job.system == "trl":
        return job.trl.words
    words = f"micro-batches of {job.shape.micro_batch_tokens} tokens"
    return f"{words}, packed on lines of {job.packing}" if job.packing else words


def _speed(line: Line, peak_tflops: float | None) -> dict[str, str]:
    assert not isinstance(line.runs, RunError)
    found = line.fastest
    tflops = (4 if line.job.lora else 6) * found.parameters * found.rate / 1e12
    return {
        "tokens/s": f"{found.rate:,.0f}",
        "reference s": f"{found.reference_seconds:.2f}" if found.reference_seconds else _NONE,
        "tokens/s with reference": f"{found.rate_with_reference:,.0f}",
        "its median (range)": spread([run.rate_with_reference for run in line.runs], ",.0f"),
        "TFLOP/s": f"{tflops:.3g}",
        _PEAK: f"{100 * tflops / peak_tflops:.1f}" if peak_tflops else _NONE,
        "peak MB": f"{found.peak_bytes / 1e6:,.0f}",
        "final loss": f"{found.losses[-1]:.6f}",
    }


def _beside(ours: Line, other: Line) -> dict[str, str]:
    """The cells that compare a line with ours. No ratio is given where losses show that the work was another."""
    one, two = ours.fastest, other.fastest
    cells = {"largest difference": f"{largest_difference(one, two):.1e}"}
    if other.job.checkpointing and not ours.job.checkpointing:
        cells["note"] = "gradient checkpointing on: compare its memory alone"
        return cells
    if other.job.other_reference_point:
        return {"ours is × as fast": f"{ratio(ours, other)} †", "note": f"† {_OTHER_POINT}"}
    step = first_apart(one, two, other.job.precision)
    if step is not None:
        cells["note"] = f"step {step} is the first whose loss differs: not the same work"
        return cells
    return {**cells, "ours is × as fast": ratio(ours, other), "note": ""}


def ratio(ours: Line, other: Line) -> str:
    """How many times as fast ours is: the median over the turns of two runs that followed each other, and the range."""
    assert not isinstance(ours.runs, RunError) and not isinstance(other.runs, RunError)
    pairs = zip(ours.runs, other.runs, strict=True)
    return spread([one.rate_with_reference / two.rate_with_reference for one, two in pairs], ".2f")


def row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
