"""Speed as ratios, each pair measured side by side in one run on one CPU thread; prints the table.

python benchmarks/run.py [--weights yolov8n.pt] [--write README.md]
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

torch.set_num_threads(1)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anatomy  # noqa: E402
import surgery  # noqa: E402
from benchmarks.table import write_table  # noqa: E402
from detectors import draw_scene  # noqa: E402


def paired(ours: Callable, theirs: Callable, rounds: int, inner: int = 1) -> tuple[float, float]:
    """Median seconds of both, taken in turns so that what else runs on the machine meets both alike."""
    ours(), theirs()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, repeat, into in ((ours, inner, taken[0]), (theirs, 1, taken[1])):
            start = perf_counter()
            for _ in range(repeat):
                function()
            into.append((perf_counter() - start) / repeat)
    return median(taken[0]), median(taken[1])


def drain(iterator) -> None:
    for _ in iterator:
        pass


def replays(model, image, rounds: int):
    predict = lambda: model.predict(image, verbose=False)  # noqa: E731
    trace = anatomy.trace(model, image)
    edits = {
        "P5 (shift by 5)": lambda: surgery.shift_classes(model, "P5", 5),
        "P5 (one class silenced)": lambda: surgery.zero_classes(model, "P5", 0),
        "every level (shift by 1)": lambda: surgery.shift_classes(model, "all", 1),
        "every level (all rows scaled)": lambda: surgery.scale_classes(model, "all", "all", 1.1),
    }
    for name, edit in edits.items():
        with surgery.scratch(model):
            edit()
            equal = torch.equal(trace.replay().result.boxes.data, predict()[0].boxes.data)
            ours, theirs = paired(trace.replay, predict, rounds, inner=60)
            target = 150 if name.startswith("P5") else 60
            yield (
                f"`trace.replay()` after an edit of {name}",
                "`model.predict`",
                ours,
                theirs,
                f"≥ {target} × faster",
                equal,
            )


def overheads(model, image, folder, rounds: int):
    predict = lambda: model.predict(image, verbose=False)  # noqa: E731
    ours, theirs = paired(lambda: anatomy.trace(model, image), predict, rounds)
    yield "`anatomy.trace`", "`model.predict`", ours, theirs, "≤ 1.05 × the time", True
    ours, theirs = paired(
        lambda: drain(anatomy.stream(model, folder)),
        lambda: drain(model.predict(folder, stream=True, verbose=False)),
        max(3, rounds // 4),
    )
    yield "`anatomy.stream`, a folder", "`predict(stream=True)`", ours, theirs, "≥ 0.95 of the speed", True


def edits(model, image, rounds: int):
    predict = lambda: model.predict(image, verbose=False)  # noqa: E731
    taken = ([], [], [])
    for _ in range(rounds):
        for after, into in ((False, taken[0]), (True, taken[1])):
            if after:
                start = perf_counter()
                surgery.shift_classes(model, "all", 1)
                taken[2].append(perf_counter() - start)
            start = perf_counter()
            predict()
            into.append(perf_counter() - start)
    surgery.reset(model)
    plain, edited, edit = map(median, taken)
    yield "`model.predict` right after an edit", "without an edit", edited, plain, "≤ 1.1 × the time", True
    yield "an edit of every level", "`model.predict`", edit, plain, "< 1 ms", True


def memory(model, folder, images: int) -> str:
    """Largest resident set over a stream of few and of many images (kB, Linux)."""
    import resource

    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # noqa: E731
    drain(anatomy.stream(model, folder))
    gc.collect()
    first = peak()
    for _ in range(5):
        drain(anatomy.stream(model, folder))
    return (
        f"Peak memory after {images} streamed images {first / 1024:.0f} MB, after {6 * images} {peak() / 1024:.0f} MB."
    )


def table(rows) -> list[str]:
    lines = [
        "| what | beside | time | that of the other | ratio | target | equal bits |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, beside, ours, theirs, target, equal in rows:
        ratio = theirs / ours
        shown = f"{ratio:.0f} × faster" if ratio > 3 else f"{ours / theirs:.3f} × the time"
        lines.append(
            f"| {what} | {beside} | {ours * 1e3:.2f} ms | {theirs * 1e3:.1f} ms | {shown} | {target} | "
            f"{'yes' if equal else '**no**'} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="a YOLOv8n checkpoint; without one, the same network with random weights")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--write", type=Path, help="put the table between the benchmark marks of this file")
    options = parser.parse_args()
    from ultralytics import YOLO

    model = surgery.load(options.weights) if options.weights else YOLO("yolov8n.yaml")
    image = cv2.cvtColor(draw_scene(1, (640, 640)).image, cv2.COLOR_RGB2BGR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(12):
            cv2.imwrite(str(folder / f"{index}.jpg"), np.roll(image, 40 * index, axis=1))
        rows = [*replays(model, image, options.rounds), *overheads(model, image, folder, options.rounds)]
        rows += edits(model, image, options.rounds)
        note = memory(model, folder, 12)
    which = Path(options.weights).name if options.weights else "random weights"
    lines = [*table(rows), "", f"YOLOv8n ({which}) at 640 × 640, one CPU thread, torch {torch.__version__}. {note}"]
    print("\n".join(lines))
    if options.write:
        write_table(options.write, "benchmark", lines)


if __name__ == "__main__":
    main()
