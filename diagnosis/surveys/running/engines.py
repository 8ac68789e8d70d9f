"""Who runs the shards: this process, several on this machine, or a Ray cluster. The tables are the same."""

import io
import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from anatomy.arguments import whole_number
from anatomy.families.registry import describe
from anatomy.head.head import Head

from ..looking.task import Task
from .shard import Shard, write_shard

Tick = Callable[[int], object]
Engine = Callable[[Head, Task, Sequence[Shard], Path, Tick], None]
DEATHS = 5  # of workers, in a row without a shard finished, after which a survey gives up


def engine_of(name: str | None, workers: int) -> Engine:
    """The engine of these arguments; raises ValueError for an unknown name, ImportError where Ray is not installed."""
    count = whole_number(workers, "workers")
    if count < 0:
        raise ValueError(f"workers must be 0 (this process alone) or more, but {count} was given.")
    if name is None:
        return here if count == 0 else lambda *job: in_processes(count, *job)
    if name != "ray":
        raise ValueError(f'engine must be None or "ray", but {name!r} was given.')
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise ImportError('Ray is not installed: pip install "detector-workbench[ray]".') from error
    return lambda *job: on_ray(count, *job)


def here(head: Head, task: Task, jobs: Sequence[Shard], out: Path, tick: Tick) -> None:
    """One shard after another, in this process."""
    for job in jobs:
        write_shard(head, task, job, out, tick)


def in_processes(workers: int, head: Head, task: Task, jobs: Sequence[Shard], out: Path, tick: Tick) -> None:
    """Each worker with a copy of the model; a worker that dies is replaced, and its shard done again.

    Raises RuntimeError where workers die again and again. Interrupted, the shards in work are finished first.
    """
    left, deaths = {job.number: job for job in jobs}, 0
    with _sent(head, task) as sent:
        while left:
            before = len(left)
            try:
                for number in _pooled(workers, sent, left.values(), out):
                    tick(left.pop(number).images)
            except BrokenProcessPool as error:
                deaths = deaths + 1 if len(left) == before else 1
                if deaths >= DEATHS:
                    raise RuntimeError(f"Workers died {deaths} times in a row: is there too little memory?") from error


def _pooled(workers: int, sent: Path, jobs: Iterable[Shard], out: Path) -> Iterator[int]:
    """The numbers of the shards as they are finished."""
    threads = max(1, torch.get_num_threads() // workers)
    context = get_context("spawn")  # a fork would inherit locks and OpenMP threads
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(sent, threads)) as pool:
        futures = {pool.submit(_work, job, out): job.number for job in jobs}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:
            pool.shutdown(cancel_futures=True)


_begun: tuple[Head, Task] | None = None  # of a worker


def _begin(sent: Path, threads: int) -> None:
    global _begun
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the run
    torch.set_num_threads(threads)
    net, task = torch.load(sent, weights_only=False)  # the parent's own file, in a folder of its own
    _begun = describe(net), task


def _work(job: Shard, out: Path) -> None:
    if _begun is None:
        raise RuntimeError("The worker has no model.")
    write_shard(*_begun, job, out, lambda images: None)


@contextmanager
def _sent(head: Head, task: Task) -> Iterator[Path]:
    """Network and task in a file that this user alone can read; raises TypeError where they cannot be pickled."""
    with tempfile.TemporaryDirectory(prefix="survey-") as folder:
        path = Path(folder) / "sent.pt"
        try:
            torch.save((head.net, task), path)
        except Exception as error:  # whatever pickling raises
            raise TypeError(
                f"{type(head.net).__name__} cannot be sent to other processes ({error}). Use workers=0, or define it "
                "in a module."
            ) from error
        yield path


def on_ray(workers: int, head: Head, task: Task, jobs: Sequence[Shard], out: Path, tick: Tick) -> None:
    """One actor a core, or a GPU where the cluster has some; ``workers`` at most, 0: as many as there are.

    ``out`` must be a folder that every node sees. An actor that dies is started anew, and its shard done again.
    """
    import ray
    from ray.util import ActorPool

    with _sent(head, task) as sent:
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": _paths()})
        have: dict[str, Any] = ray.cluster_resources()
        unit = "GPU" if have.get("GPU") else "CPU"
        units = max(1, int(have.get(unit, 1)))
        count = min(workers or units, units, len(jobs))  # an actor beyond them would wait for ever
        gpus = int(unit == "GPU")
        actor: Any = ray.remote(num_gpus=gpus, num_cpus=1, max_restarts=-1, max_task_retries=DEATHS)(_Actor)
        held = ray.put(sent.read_bytes())
        actors = [actor.remote(held, torch.get_num_threads()) for _ in range(count)]
        try:
            pool: Any = ActorPool(actors)
            for images in pool.map_unordered(lambda worker, job: worker.work.remote(job, out.absolute()), list(jobs)):
                tick(images)
        finally:
            for each in actors:
                ray.kill(each)


def _paths() -> dict[str, str]:
    """Where the workers of a local cluster find these packages."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root}


class _Actor:
    """A worker of Ray, with the model."""

    def __init__(self, sent: bytes, threads: int):
        torch.set_num_threads(threads)
        net, self._task = torch.load(io.BytesIO(sent), weights_only=False)
        self._head = describe(net)

    def work(self, job: Shard, out: Path) -> int:
        """Write the tables of a shard; returns how many images it has."""
        write_shard(self._head, self._task, job, out, lambda images: None)
        return job.images
