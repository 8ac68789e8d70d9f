"""The ratios of `benchmarks/run.py` on a GPU, and how often each thing makes the host wait for the device.

python benchmarks/on_gpu.py [--weights yolov8n.pt …] [--write README.md]
"""

import argparse
import contextlib
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anatomy
import diagnosis
import surgery
from benchmarks.run import edits, overheads, replays
from benchmarks.table import write_table
from detectors import draw_scene
from detectors.scenes.kinds import write_kinds

EVERY, BATCHES = 5, 20


class Waits(contextlib.ExitStack):
    """Counts, from ``begin`` to ``end``, what torch calls a synchronizing operation: the host waits for the device."""

    def begin(self) -> None:
        """From here on."""
        self.callback(torch.cuda.set_sync_debug_mode, torch.cuda.get_sync_debug_mode())
        torch.cuda.set_sync_debug_mode("warn")
        self._told = self.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")

    def end(self) -> int:
        """How many there were."""
        self.close()
        return sum("synchronizing CUDA operation" in str(one.message) for one in self._told)


def waits_of(function: Callable) -> int:
    """Of one call, the second."""
    function()
    waits = Waits()
    waits.begin()
    function()
    return waits.end()


def ratios(rows) -> Iterator[str]:
    """The lines of a table; what is asked of one CPU thread is not asked here, where a prediction itself is quick."""
    yield "| what | time | beside | time | ratio | equal bits |"
    yield "|---|---|---|---|---|---|"
    for what, beside, ours, theirs, _, equal in rows:
        ratio = f"{theirs / ours:.1f} × faster" if theirs > 1.5 * ours else f"{ours / theirs:.2f} × the time"
        same = "yes" if equal else "**no**"
        yield f"| {what} | {ours * 1e3:.2f} ms | {beside} | {theirs * 1e3:.2f} ms | {ratio} | {same} |"


def looking(model, image) -> Iterator[tuple[str, int]]:
    """Of prediction, trace, edit and replay."""
    trace = anatomy.trace(model, image)
    yield "`model.predict`", waits_of(lambda: model.predict(image, verbose=False))
    yield "`anatomy.trace`", waits_of(lambda: anatomy.trace(model, image))
    with surgery.scratch(model):
        yield "an edit of every level", waits_of(lambda: surgery.shift_classes(model, "all", 1))
        yield "`trace.replay()` after it", waits_of(trace.replay)


def training(name: str, data: Path, amp: object, *, watched: bool) -> Iterator[tuple[str, int]]:
    """The median of a training's batches: of those that are watched, and of all others."""
    from ultralytics import YOLO

    model, waits, counts = YOLO(f"{name}.yaml"), Waits(), []
    if watched:
        diagnosis.watch(model, every=EVERY, out=data.parent / f"rows-{name}-{amp}")
    model.add_callback("on_train_batch_start", lambda _: waits.begin())
    model.add_callback("on_train_batch_end", lambda _: counts.append(waits.end()))
    with contextlib.redirect_stdout(None):
        model.train(
            data=str(data),
            imgsz=320,
            batch=16,
            epochs=1,
            device=0,
            workers=0,
            amp=amp,
            val=False,
            plots=False,
            verbose=False,
            optimizer="SGD",
            nbs=16,
            project=str(data.parent),
            exist_ok=True,
        )
    steps = counts[EVERY : BATCHES - 1]
    seen = [count for number, count in enumerate(steps) if number % EVERY == 0]
    others = [count for number, count in enumerate(steps) if number % EVERY]
    what = f"a batch of training, amp={amp}"
    if watched:
        yield f"{what}, under a watch, measured", int(median(seen))
    yield f"{what}, under a watch, not measured" if watched else what, int(median(others))


def trainings(name: str) -> Iterator[tuple[str, int]]:
    """With a gradient scaler and without one, with a watch and without."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(None):
            data = write_kinds(Path(folder) / "set", BATCHES * 16, 2, side=96)
        for amp in (True, False):
            for watched in (False, True):
                yield from training(name, data, amp, watched=watched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", nargs="+", default=["yolov8n.yaml", "yolo26n.yaml"])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--write", type=Path, help="put the tables between the gpu marks of this file")
    options = parser.parse_args()
    from ultralytics import YOLO
    from ultralytics.engine import trainer
    from ultralytics.utils import LOGGER, SETTINGS

    LOGGER.setLevel("ERROR")
    SETTINGS.update(dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False))
    trainer.check_amp = lambda model: True  # it would fetch a network
    image = cv2.cvtColor(draw_scene(1, (640, 640)).image, cv2.COLOR_RGB2BGR)
    lines = []
    for weights in options.weights:
        model = YOLO(weights) if weights.endswith(".yaml") else surgery.load(weights)
        with tempfile.TemporaryDirectory() as name:
            for index in range(12):
                cv2.imwrite(str(Path(name) / f"{index}.jpg"), np.roll(image, 40 * index, axis=1))
            rows = [*replays(model, image, options.rounds), *overheads(model, image, Path(name), options.rounds)]
        kind = Path(weights).stem.partition("_")[0]
        lines += ["", f"{kind}, 640 px:", "", *ratios([*rows, *edits(model, image, options.rounds)])]
        counts = [*looking(model, image), *trainings(kind)]
        lines += ["", "| what | waits for the device |", "|---|---|", *(f"| {what} | {n} |" for what, n in counts)]
    print("\n".join(lines), flush=True)
    about = f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, CUDA {torch.version.cuda}."
    if options.write:
        write_table(options.write, "gpu", [about, *lines])


if __name__ == "__main__":
    main()
