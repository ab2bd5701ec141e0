"""The microworld's files: base text, training sets, benchmarks, all from one seed."""

from collections.abc import Mapping
from pathlib import Path

from harness.microworld.spec import WorldSpec
from harness.stage import Runtime, StageKind


def run(spec: WorldSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the whole world into `out`."""
    from harness.microworld.build import build_world

    build_world(spec, out)


WORLD = StageKind("world", 2, run, WorldSpec, libraries=("tokenizers", "transformers"))
