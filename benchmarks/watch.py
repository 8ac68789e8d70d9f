"""What it costs to watch a training: one training, watched in every second block of batches; prints the table.

python benchmarks/watch.py [--blocks 14] [--device 0] [--write README.md]

On the CPU its time is counted, loading included. On a GPU it is the time from a batch that lies ready, on a quiet
device, until the device and the watch's own thread are quiet again; the batches are loaded before, so that no step can
hide behind loading.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
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
from diagnosis.training.session import Session  # noqa: E402
from diagnosis.training.watcher import Watcher  # noqa: E402

EVERY, TARGET = 10, 1.0  # percent
NETWORKS = ("yolov8n", "yolo26n")
LOADED = 5  # batches that a training on a GPU goes through again and again, so often in every block


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


class Blocks:
    """The clock of a training whose watch is deaf in every second block of ``EVERY`` batches."""

    def __init__(self, place: Place, watch: diagnosis.Watch, batches: int):
        assert watch._watcher is not None
        self._place, self._watcher, self._batches = place, watch._watcher, batches
        self._session: Session | None = None  # while it is deaf
        self._begun = 0.0
        self.taken: list[float] = []

    def begin(self) -> None:
        """A batch begins."""
        self._begun = self._place.now()

    def end(self) -> None:
        """It is over, what is read apart included: that is counted so as if nothing went on beside it."""
        session = self._watcher.session
        if session is not None:
            session.reader.later(int).result()
        self.taken.append(self._place.now() - self._begun)
        deaf = len(self.taken) // EVERY % 2 == 1 and len(self.taken) < self._batches - 1
        if deaf and session is not None:
            self._session, self._watcher.session = session, None
        elif not deaf and session is None:
            self._watcher.session = self._session
        if not self._place.gpu:
            self.begin()  # the next one begins with its loading

    def seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each block, the first two left out: those that were not watched, and the watched ones before them."""
        whole = np.array(self.taken[: len(self.taken) // (2 * EVERY) * 2 * EVERY]).reshape(-1, 2, EVERY).sum(2)
        return whole[1:, 1], whole[1:, 0]


def measured(name: str, place: Place, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of every block of batches, without and with a watch."""
    from ultralytics import YOLO

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        work = Path(folder)
        write_kinds(work / "set", (LOADED if place.gpu else batches) * place.batch, 2, side=place.side)
        model = YOLO(f"{name}.yaml")
        if place.gpu:
            model.add_callback("on_pretrain_routine_end", lambda trainer: _preload(trainer, batches))
        blocks = Blocks(place, diagnosis.watch(model, every=EVERY, out=work / "rows"), batches)
        model.add_callback("on_train_batch_start" if place.gpu else "on_train_epoch_start", lambda _: blocks.begin())
        model.add_callback("on_train_batch_end", lambda _: blocks.end())
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
        )
    return blocks.seconds()


def _preload(trainer, batches: int) -> None:
    trainer.train_loader = Loaded(trainer.train_loader, batches)


def row(name: str, place: Place, batches: int) -> str:
    """One line of the table."""
    OWN.clear()
    plain, watched = measured(name, place, batches)
    extra = 100 * (watched - plain) / np.median(plain)
    error = 1.25 * 1.48 * np.median(np.abs(extra - np.median(extra))) / len(extra) ** 0.5  # of a median
    times = f"{np.median(watched) / EVERY * 1e3:.1f} ms | {np.median(plain) / EVERY * 1e3:.1f} ms"
    own = f"{100 * sum(OWN) / sum(watched) * len(watched) / (len(watched) + 1):.2f} %"
    return (
        f"| {name}, {place} | {len(plain) * EVERY} | {times} | {np.median(extra):+.2f} ± {error:.2f} % | {own} "
        f"| < {TARGET:g} % |"
    )


def places(device: str) -> list[Place]:
    """What is measured on a device; on a GPU with a gradient scaler, and without one."""
    if device == "cpu":
        return [Place("cpu", 192, 8, False)]
    return [Place(device, 640, 16, amp) for amp in (True, False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=14, help="of ten batches, half of them watched")
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
    head = (
        f"`diagnosis.watch(every={EVERY})` on",
        "batches of either kind",
        f"{what}, a batch",
        "without",
        "difference",
    )
    lines = [f"| {' | '.join((*head, 'in the watch', 'bar'))} |"]
    lines.append("|---|---|---|---|---|---|---|")
    for place in places(options.device):
        for name in options.networks:
            lines.append(row(name, place, options.blocks * EVERY))
            print(lines[-1], flush=True)
    if options.write:
        write_table(options.write, "watch" if options.device == "cpu" else "watch-gpu", lines)


if __name__ == "__main__":
    main()
