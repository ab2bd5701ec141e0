"""The command in processes of its own, and what it leaves behind."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.harness.studies import BRIDGEBENCH

# One thread a process, no user's own settings.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def bridgebench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [BRIDGEBENCH, *map(str, arguments)], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def stop_when(reached: Callable[[], bool], how: signal.Signals, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Starts the command, sends it the signal when `reached` says so, and waits for its end.

    Raises RuntimeError where it ends by itself before that.
    """
    # A shell's background job ignores SIGINT, and its children would too; one that is handled here they do not ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [BRIDGEBENCH, *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not reached():
            if process.poll() is not None:
                raise RuntimeError(f"the command ended by itself: {process.communicate()}")
            time.sleep(0.005)
        process.send_signal(how)
        out, error = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def artifacts(home: Path) -> dict[str, str]:
    """The content digest of every complete artifact, by kind and key."""
    from harness.artifacts import MANIFEST, Manifest

    manifests = (
        Manifest.model_validate_json(path.read_bytes()) for path in (home / "artifacts").glob(f"*/*/{MANIFEST}")
    )
    return {f"{each.kind}/{each.key}": each.content() for each in manifests}


def started(home: Path) -> dict[str, str]:
    """When and by which command each artifact was made: another where a stage ran again."""
    return {
        path.parent.name: path.read_text(encoding="utf-8") for path in (home / "artifacts").glob("*/*/manifest.json")
    }


def tables(home: Path) -> dict[str, bytes]:
    """The leaderboard in the forms that hold no time and no place."""
    folder = home / "reports" / "tiny"
    return {name: (folder / name).read_bytes() for name in ("leaderboard.md", "leaderboard.csv")}


def leftovers(home: Path) -> list[str]:
    """What stands beside the complete artifacts."""
    return sorted(path.name for path in (home / "artifacts").glob("*/*") if not (path / "manifest.json").is_file())


def requests(home: Path) -> Counter[str]:
    """How often the local judge answered each request, by the request's digest."""
    lines = [line for log in (home / "judge").glob("requests-*.jsonl") for line in log.read_text().splitlines()]
    return Counter(json.loads(line)["request"] for line in lines)
