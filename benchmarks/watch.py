"""What it costs to watch a training: the same training with and without, batch by batch in turns; prints the table.

python benchmarks/watch.py [--batches 71] [--device 0] [--write README.md]

On the CPU its time is counted, loading included. On a GPU it is the time from a batch that lies ready, on a quiet
device, until the device and the watch's own thread are quiet again; the batches are loaded before, so that no step can
hide behind loading.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

torch.set_num_threads(1)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import diagnosis  # noqa: E402
from benchmarks.table import write_table  # noqa: E402
from detectors.scenes.kinds import write_kinds  # noqa: E402
from diagnosis.training.watcher import Watcher  # noqa: E402

EVERY, TARGET = 10, 1.0  # percent
NETWORKS = ("yolov8n", "yolo26n")
LOADED = 4  # batches that a training on a GPU goes through again and again


@dataclass(frozen=True)
class Place:
    """Where and how is trained: ``side`` px of ``batch`` images, ``amp`` as Ultralytics takes it."""

    device: str
    side: int
    batch: int
    amp: Any

    @property
    def gpu(self) -> bool:
        return self.device != "cpu"

    def now(self) -> float:
        """Seconds: of the CPU, or by the clock when the device has done what it was given."""
        if not self.gpu:
            return process_time()
        torch.cuda.synchronize(int(self.device))
        return perf_counter()

    def __str__(self) -> str:
        return f"{self.side} px, batch of {self.batch}" + (f", amp={self.amp}" if self.gpu else "")


OWN: list[float] = []  # CPU seconds of each call of the watch


def timed(method):
    """The method, with its time noted."""

    def call(*args):
        begun = thread_time()
        try:
            return method(*args)
        finally:
            OWN.append(thread_time() - begun)

    return call


class Loaded:
    """The first batches of a loader, on the host, ``count`` times in turn."""

    def __init__(self, loader: Any, count: int):
        self._loader, self._count = loader, count
        self._batches = [_pinned(batch) for batch in islice(loader, LOADED)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict]:
        for number in range(self._count):
            yield dict(self._batches[number % len(self._batches)])


def _pinned(batch: dict) -> dict:
    return {name: value.pin_memory() if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


class Turns:
    """Two trainings in threads of their own, one batch of each in turn; the time of each batch is noted."""

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self.gone: set[int] = set()
        self.taken: tuple[list[float], list[float]] = ([], [])
        self._turn, self._change = 0, threading.Condition()
        self._begun = 0.0

    def wait(self, which: int) -> None:
        """Until it is this one's turn; then its clock runs."""
        with self._change:
            self._change.wait_for(lambda: self._turn == which or 1 - which in self.gone)
        self.begin()

    def begin(self) -> None:
        """Let the clock run from here."""
        self._begun = self._now()

    def give(self, which: int) -> None:
        """Note the time and let the other go."""
        self.taken[which].append(self._now() - self._begun)
        with self._change:
            self._turn = 1 - which
            self._change.notify_all()


def trained(name: str, place: Place, work: Path, turns: Turns, which: int, batches: int) -> None:
    """Train for an epoch, in turns with the other; the second of the two is watched."""
    from ultralytics import YOLO

    torch.set_num_threads(1)
    turns.wait(which)
    try:
        _train(YOLO(f"{name}.yaml"), place, work, turns, which, batches)
    finally:
        turns.gone.add(which)
        turns.give(which)


def _train(model, place: Place, work: Path, turns: Turns, which: int, batches: int) -> None:
    if place.gpu:
        model.add_callback("on_pretrain_routine_end", lambda trainer: _preload(trainer, batches))
        model.add_callback("on_train_batch_start", lambda _: turns.begin())
    if which:
        watch = diagnosis.watch(model, every=EVERY, out=work / "rows")
        model.add_callback("on_train_batch_end", lambda _: _rest(watch))
    model.add_callback("on_train_batch_end", lambda _: _next(turns, which))
    model.train(
        data=str(work / "set" / "data.yaml"),
        imgsz=place.side,
        batch=place.batch,
        epochs=1,
        device=place.device if place.device == "cpu" else int(place.device),
        workers=0,
        amp=place.amp,
        val=False,
        plots=False,
        verbose=False,
        optimizer="SGD",
        nbs=place.batch,
        project=str(work),
        name=f"run{which}",
    )


def _preload(trainer, batches: int) -> None:
    trainer.train_loader = Loaded(trainer.train_loader, batches)


def _rest(watch: diagnosis.Watch) -> None:
    """Wait for what is read apart, which would else take the other training's time, and is counted so as if nothing
    went on beside it."""
    session = watch._watcher.session if watch._watcher is not None else None
    if session is not None:
        session.reader.later(int).result()


def _next(turns: Turns, which: int) -> None:
    turns.give(which)
    turns.wait(which)


def measured(name: str, place: Place, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of every batch but the first ``EVERY``, without and with a watch."""
    turns = Turns(place.now)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        work = Path(folder)
        write_kinds(work / "set", (LOADED if place.gpu else batches) * place.batch, 2, side=place.side)
        runs = [threading.Thread(target=trained, args=(name, place, work, turns, which, batches)) for which in (0, 1)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    plain, watched = (np.array(taken[EVERY : batches - 1]) for taken in turns.taken)
    return plain, watched


def overhead(plain: np.ndarray, watched: np.ndarray) -> float:
    """Percent, by the median of the differences of as many batches as from one that is measured to the next."""
    extra = (watched - plain)[: len(plain) // EVERY * EVERY].reshape(-1, EVERY).sum(1)
    return 100 * float(np.median(extra)) / (EVERY * float(np.median(plain)))


def row(name: str, place: Place, batches: int) -> str:
    """One line of the table."""
    OWN.clear()
    plain, watched = measured(name, place, batches)
    times = f"{np.median(watched) * 1e3:.1f} ms | {np.median(plain) * 1e3:.1f} ms"
    own = f"{100 * sum(OWN) / sum(watched):.2f} %"
    return (
        f"| {name}, {place} | {len(plain) // EVERY * EVERY} | {times} | {overhead(plain, watched):+.2f} % | {own} "
        f"| < {TARGET:g} % |"
    )


def places(device: str) -> list[Place]:
    """What is measured on a device; on a GPU with a gradient scaler, and without one."""
    if device == "cpu":
        return [Place("cpu", 192, 8, False)]
    return [Place(device, 640, 16, amp) for amp in (True, False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=71)
    parser.add_argument("--device", default="cpu", help='"cpu", or the number of a GPU')
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--write", type=Path, help="put the table between the watch marks of this file")
    options = parser.parse_args()
    from ultralytics.engine import trainer
    from ultralytics.utils import LOGGER, SETTINGS

    LOGGER.setLevel("ERROR")
    SETTINGS.update(dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False))
    trainer.check_amp = lambda model: True  # it would fetch a network
    for name_ in ("batch_comes", "forward_begins", "before_step", "batch_ends"):
        setattr(Watcher, name_, timed(getattr(Watcher, name_)))
    what = "CPU" if options.device == "cpu" else torch.cuda.get_device_name(int(options.device))
    head = (f"`diagnosis.watch(every={EVERY})` on", "batches", f"{what}, a batch", "without", "difference")
    lines = [f"| {' | '.join((*head, 'in the watch', 'bar'))} |"]
    lines.append("|---|---|---|---|---|---|---|")
    for place in places(options.device):
        for name in options.networks:
            lines.append(row(name, place, options.batches))
            print(lines[-1], flush=True)
    if options.write:
        write_table(options.write, "watch" if options.device == "cpu" else "watch-gpu", lines)


if __name__ == "__main__":
    main()
