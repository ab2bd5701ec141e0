"""Runs the stages of a board on Ray, or here one after another. The only module that knows Ray."""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from harness.artifacts import Manifest
from harness.board import Board, State
from harness.engines import shared_engine
from harness.keeper import Keeper
from harness.own_objectives import RuntimeFor
from harness.perform import Job, perform, run_stage
from harness.stage import Ended, Stage
from harness.together import run_together
from results.errors import UserError

if TYPE_CHECKING:
    import ray

Resources = Mapping[str, float]
Tick = Callable[[], None]


def run_here(board: Board, runtime_for: RuntimeFor, tick: Tick = lambda: None) -> None:
    """Performs the stages one after another, in this process if one is enough for them (for debuggers and tests).

    An engine goes on from one stage to the next that can have the same; it is closed before any other stage.
    """
    kept: str | None = None
    with Keeper() as keeper:
        while ready := board.ready():
            state = next((state for state in ready if kept and _shared(board, state) == kept), ready[0])
            name = _shared(board, state)
            if name != kept:
                keeper.close()
            kept = name
            board.start(state)
            tick()
            try:
                job = board.job(state, runtime_for(state.stage))
                if state.stage.devices > 1:
                    manifest = perform(job, partial(run_together, devices=state.stage.devices))
                else:
                    manifest = perform_with(keeper, job)
            except Exception as error:
                board.fail(state, describe(error))
            else:
                board.finish(state, manifest)
            tick()


def run_on_ray(board: Board, runtime_for: RuntimeFor, tick: Tick = lambda: None) -> None:
    """Performs the stages as Ray tasks: on this machine, or on the cluster that RAY_ADDRESS names.

    Raises UserError, before anything starts, where a stage asks for more than the cluster has.
    """
    if not board.unfinished:
        return
    ray = _connect()
    try:
        cluster = ray.cluster_resources()
        check_resources([state.stage for state in board.unfinished], cluster)
        _drive(board, runtime_for, tick, cluster)
    finally:
        ray.shutdown()


def perform_with(keeper: Keeper, job: Job) -> Manifest:
    """`perform`, with what earlier stages left in the keeper. A stage that fails leaves nothing in it."""
    try:
        return perform(replace(job, runtime=replace(job.runtime, keeper=keeper)))
    except BaseException:
        keeper.close()
        raise


def describe(error: BaseException) -> str:
    """One line that says why a stage failed."""
    cause = getattr(error, "cause", None) or error
    first = next(iter(str(cause).strip().splitlines()), "")
    return first if isinstance(cause, UserError) else f"{type(cause).__name__}: {first}".removesuffix(": ")


def _connect(attempts: int = 3) -> Any:
    """Starts Ray here, or joins the cluster that RAY_ADDRESS names. Raises UserError where neither succeeds."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    import ray

    address = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(
            address=address or "local",  # without an address Ray would join whatever cluster runs on this machine
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
        )
    except Exception as error:
        # Ray gives its own processes 15 seconds to start, which on a busy machine is not always enough.
        if address is None and attempts > 1:
            return _connect(attempts - 1)
        where = f"at RAY_ADDRESS={address}" if address else "on this machine; --here runs without it"
        raise UserError(f"there is no Ray {where}: {describe(error)}") from None
    return ray


def wanted(stage: Stage, cluster: Resources) -> Resources:
    """What each process of a stage takes: its CPUs, and its GPUs where it can use any and the cluster has some."""
    gpu = {"GPU": float(stage.gpus)} if stage.gpus and cluster.get("GPU", 0.0) >= 1 else {}
    return {"CPU": float(stage.cpus), **gpu}


def check_resources(stages: list[Stage], cluster: Resources) -> None:
    """Raises UserError for a stage that could never start."""
    for stage in stages:
        for name, each in wanted(stage, cluster).items():
            there = cluster.get(name, 0.0)
            if each * stage.devices > there:
                raise UserError(
                    f"{stage.label} wants {each * stage.devices:g} {name}s and the cluster has {there:g}: it could "
                    "never start; ask for fewer devices in the profile or give Ray more"
                )


def _drive(board: Board, runtime_for: RuntimeFor, tick: Tick, cluster: Resources) -> None:
    """Keeps as many stages in flight as there is room for: the board, not Ray's queue, decides what comes first."""
    import ray

    free = dict(cluster)
    running: dict[ray.ObjectRef[Manifest], tuple[State, _Holder | None]] = {}
    idle: list[_Holder] = []

    def take(stage: Stage, sign: int) -> None:
        for name, each in wanted(stage, cluster).items():
            free[name] -= sign * each * stage.devices

    def room(stage: Stage) -> bool:
        return all(amount * stage.devices <= free[name] for name, amount in wanted(stage, cluster).items())

    while True:
        for state in board.ready():
            stage, name = state.stage, _shared(board, state)
            holder = next((holder for holder in idle if holder.name == name), None)
            if holder is not None:
                idle.remove(holder)  # what it takes was taken when it was started
            elif (running or idle) and not room(stage):
                continue
            else:
                take(stage, 1)
                holder = _Holder(name, stage, wanted(stage, cluster)) if name else None
            job = board.job(state, runtime_for(stage))
            reference = holder.submit(job) if holder else _submit(job, stage, wanted(stage, cluster))
            running[reference] = state, holder
            board.start(state)
        if idle:  # nothing that is ready wants them: what they hold is given back before anything else may start
            for holder in idle:
                holder.end()
                take(holder.stage, -1)
            idle.clear()
            continue
        if not running:
            return
        tick()
        done, _ = ray.wait(list(running), timeout=0.5)
        for reference in done:
            state, holder = running.pop(reference)
            lives = _collect(board, state, reference)
            if holder is not None and lives:
                idle.append(holder)
                continue
            if holder is not None:  # it died too often: whoever is ready for its engine gets a fresh one
                holder.end()
            take(holder.stage if holder else state.stage, -1)
        tick()


def _collect(board: Board, state: State, reference: "ray.ObjectRef[Manifest]") -> bool:
    """Notes how a stage ended; False where the process that performed it is gone."""
    import ray

    try:
        board.finish(state, ray.get(reference))
    except (ray.exceptions.RayError, UserError) as error:
        board.fail(state, describe(error))
        return not isinstance(error, ray.exceptions.RayActorError)
    return True


def _shared(board: Board, state: State) -> str | None:
    """A name that a ready stage has in common with those that the same engine can serve; None where it needs none."""
    if state.stage.devices > 1:
        return None
    return shared_engine(state.stage, {name: digest for name, (_, digest) in board.inputs(state).items()})


class _Holder:
    """An actor that performs the stages of one name one after another, and keeps their engine from one to the next.

    stage: the first of them, by whose wants it holds its CPUs and GPUs
    """

    def __init__(self, name: str, stage: Stage, each: Resources) -> None:
        self.name, self.stage = name, stage
        # as with a task, what dies with its machine is tried once more: elsewhere, with a fresh engine
        options = {"num_cpus": each["CPU"], "num_gpus": each.get("GPU", 0), "max_restarts": 1, "max_task_retries": 1}
        self._actor = _remote(_Performer).options(**options).remote()

    def submit(self, job: Job) -> "ray.ObjectRef[Manifest]":
        reference: ray.ObjectRef[Manifest] = self._actor.perform.remote(job)
        return reference

    def end(self) -> None:
        """Closes the engine, waits until it is gone, and ends the actor."""
        import ray

        with suppress(ray.exceptions.RayError):  # then it is gone already, and its engine with it
            ray.get(self._actor.close.remote())
        ray.kill(self._actor)


class _Performer:
    """What runs in the actor."""

    def __init__(self) -> None:
        self._keeper = Keeper()

    def perform(self, job: Job) -> Manifest:
        return perform_with(self._keeper, job)

    def close(self) -> None:
        self._keeper.close()


def _submit(job: Job, stage: Stage, each: Resources) -> "ray.ObjectRef[Manifest]":
    if stage.devices > 1:
        # the task itself only waits: its workers are what takes the devices
        options: dict[str, float] = {"num_cpus": 0, "max_retries": 0}
        return _remote(_perform_together).options(**options).remote(job, stage.devices, each)  # type: ignore[no-any-return]
    # a worker that dies (a machine lost, memory run out) is tried once more, and training goes on from its checkpoint
    wants: dict[str, Any] = {"num_cpus": each["CPU"], "num_gpus": each.get("GPU", 0), "max_retries": 1, **_place(job)}
    return _remote(perform).options(**wants).remote(job)  # type: ignore[no-any-return]


def _place(job: Job) -> dict[str, Any]:
    """Where a stage that asks an endpoint runs: on this machine. The store of answers is shared by processes of one

    machine, not over a network's files, and the local judge is served here. A machine that cannot run it is no bar.
    """
    if job.runtime.judge is None:
        return {}
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=True)}


@cache
def _remote(work: Callable[..., Any]) -> Any:
    """The function as a Ray task, or the class as an actor: made once, so that Ray's workers load it once."""
    import ray

    return ray.remote(work)


def _perform_together(job: Job, devices: int, each: Resources) -> Manifest:
    return perform(job, partial(_run_together, devices=devices, each=each))


def _run_together(job: Job, devices: int, each: Resources) -> Ended | None:
    """Calls a stage's function in several processes that share one torch.distributed group, through Ray Train."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    def worker(_: dict[str, Any]) -> Ended | None:
        from ray.train import get_context

        return run_stage(job, rank=get_context().get_world_rank())

    trainer = TorchTrainer(
        cast(Any, worker),
        train_loop_config={},
        torch_config=TorchConfig(backend="nccl" if "GPU" in each else "gloo"),
        scaling_config=ScalingConfig(num_workers=devices, use_gpu="GPU" in each, resources_per_worker=dict(each)),
        run_config=RunConfig(storage_path=str(job.root.parent / "ray"), name=job.key[:12]),
    )
    ended: Ended | None = cast(Any, trainer.fit()).return_value  # of rank 0
    return ended
