"""What it costs to watch a training: the same training with and without, batch by batch in turns; prints the table.

python benchmarks/watch.py [--batches 71] [--write README.md]
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from pathlib import Path
from time import process_time, thread_time

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
SIDE, BATCH = 192, 8
NETWORKS = ("yolov8n", "yolo26n")


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


class Turns:
    """Two trainings in threads of their own, one batch of each in turn; CPU time of each batch is noted."""

    def __init__(self):
        self.gone: set[int] = set()
        self.taken: tuple[list[float], list[float]] = ([], [])
        self._turn, self._change = 0, threading.Condition()
        self._begun = 0.0

    def wait(self, which: int) -> None:
        """Until it is this one's turn; then its clock runs."""
        with self._change:
            self._change.wait_for(lambda: self._turn == which or 1 - which in self.gone)
        self._begun = process_time()

    def give(self, which: int) -> None:
        """Note the time and let the other go."""
        self.taken[which].append(process_time() - self._begun)
        with self._change:
            self._turn = 1 - which
            self._change.notify_all()


def trained(name: str, data: Path, work: Path, turns: Turns, which: int) -> None:
    """Train for an epoch, in turns with the other; the second of the two is watched."""
    from ultralytics import YOLO

    torch.set_num_threads(1)
    turns.wait(which)
    try:
        _train(YOLO(f"{name}.yaml"), data, work, turns, which)
    finally:
        turns.gone.add(which)
        turns.give(which)


def _train(model, data: Path, work: Path, turns: Turns, which: int) -> None:
    if which:
        diagnosis.watch(model, every=EVERY, out=work / "rows")
    model.add_callback("on_train_batch_end", lambda trainer: _next(trainer, turns, which))
    model.train(
        data=str(data),
        imgsz=SIDE,
        batch=BATCH,
        epochs=1,
        device="cpu",
        workers=0,
        amp=False,
        val=False,
        plots=False,
        verbose=False,
        optimizer="SGD",
        nbs=BATCH,
        project=str(work),
        name=f"run{which}",
    )


def _next(trainer, turns: Turns, which: int) -> None:
    turns.give(which)
    turns.wait(which)


def measured(name: str, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """CPU seconds of every batch but the first ``EVERY``, without and with a watch."""
    turns = Turns()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        work = Path(folder)
        data = write_kinds(work / "set", batches * BATCH, 2, side=SIDE)
        runs = [threading.Thread(target=trained, args=(name, data, work, turns, which)) for which in (0, 1)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    plain, watched = (np.array(taken[EVERY : batches - 1]) for taken in turns.taken)
    return plain, watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=71)
    parser.add_argument("--write", type=Path, help="put the table between the watch marks of this file")
    options = parser.parse_args()
    from ultralytics.utils import LOGGER, SETTINGS

    LOGGER.setLevel("ERROR")
    SETTINGS.update(dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False))
    for name_ in ("batch_comes", "forward_begins", "before_step", "batch_ends"):
        setattr(Watcher, name_, timed(getattr(Watcher, name_)))
    lines = [
        f"| `diagnosis.watch(every={EVERY})` on | batches | CPU a batch | without | difference | spent in the watch | bar |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        plain, watched = measured(name, options.batches)
        whole = len(plain) // EVERY * EVERY
        own = 100 * sum(OWN) / sum(watched)
        OWN.clear()
        extra = (watched[:whole] - plain[:whole]).reshape(-1, EVERY).sum(1)
        overhead = 100 * float(np.median(extra)) / (EVERY * float(np.median(plain)))
        times = f"{watched.mean() * 1e3:.1f} ms | {plain.mean() * 1e3:.1f} ms"
        lines.append(
            f"| {name}, {SIDE} px, {BATCH} images | {whole} | {times} | {overhead:+.2f} % | {own:.2f} % | < {TARGET:g} % |"
        )
        print(lines[-1], flush=True)
    if options.write:
        write_table(options.write, "watch", lines)


if __name__ == "__main__":
    main()
