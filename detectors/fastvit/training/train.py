"""Trains the detector on a data set in YOLO's format.

Run as `python -m detectors.fastvit.training.train --data data.yaml --work runs/x`. It writes last.pt after every
epoch and scores.csv; `--resume` goes on from there. Ctrl-C ends the step, saves what was learned and stops.
"""

import argparse
import csv
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from ...pyramid.data import YoloFolder, collate, open_data
from ...pyramid.detector import LevelDetector
from ...pyramid.evaluate import Score, evaluate
from ...pyramid.watching import Unwatched, Watching
from .run import Options, Run, Stop


def train(
    data_path,
    work,
    options: Options,
    *,
    resume: bool = False,
    workers: int = 0,
    watch: Callable[[LevelDetector], Watching] | None = None,
) -> Score | None:
    """Trains into the folder ``work`` and returns the last score, None where Ctrl-C ended it early.

    ``watch``, called with the model, makes what is asked about every step, such as ``diagnosis.watch``.
    Raises FileExistsError where ``work`` holds a run and ``resume`` is False, ValueError where that run had other
    options, and what ``open_data`` raises.
    """
    work, last = Path(work), Path(work) / "last.pt"
    if last.exists() and not resume:
        raise FileExistsError(f"{last} exists. Give --resume to go on with that run, or another --work folder.")
    data = open_data(data_path)
    run = Run(options, data.names, len(data.train))
    if last.exists():
        run.resume(last)
    work.mkdir(parents=True, exist_ok=True)
    sets = [YoloFolder(images, len(data.names), options.imgsz, run.model.encode) for images in (data.train, data.val)]
    watching = Unwatched() if watch is None else watch(run.model)
    held_out = DataLoader(sets[1], options.batch, collate_fn=collate, num_workers=workers)
    score = None
    with Stop() as stop:
        try:
            while run.epoch < options.epochs:
                score = _epoch(run, sets[0], held_out, stop, work, watching)
                run.save(last)
            return score or evaluate(run.model, stop.watch(held_out))
        except KeyboardInterrupt:
            run.save(last)
    print(f"\nstopped after {run.done} steps of epoch {run.epoch + 1}; saved to {last}. Go on with --resume.")
    return None


def _epoch(run: Run, images: YoloFolder, held_out: DataLoader, stop: Stop, work: Path, watching: Watching) -> Score:
    """Learns what is left of an epoch, scores the model and notes both."""
    started, name = time.monotonic(), f"epoch {run.epoch + 1}/{run.options.epochs}"
    left = {"sampler": run.order(), "num_workers": held_out.num_workers}
    loader = DataLoader(images, run.options.batch, collate_fn=collate, **left)
    run.model.train()
    sums: dict[str, float] = {}
    with tqdm(stop.watch(loader), name, initial=run.done, total=run.per_epoch, unit="step", leave=False) as bar:
        for steps, batch in enumerate(bar, 1):
            parts = run.learn(batch, watching)
            sums = {key: sums.get(key, 0.0) + value for key, value in parts.items()}
            bar.set_postfix({key: f"{value / steps:.3f}" for key, value in sums.items()})
    means = {key: value / steps for key, value in sums.items()} or {"total": math.nan}
    score = evaluate(run.model, stop.watch(held_out))
    run.epoch, run.done = run.epoch + 1, 0
    row = {"epoch": run.epoch, **means, "map50": score.map50, "seconds": time.monotonic() - started}
    _note(work / "scores.csv", row)
    print(f"{name}: loss {means['total']:.3f}, mAP50 {score.map50:.3f}, {row['seconds']:.0f} s", flush=True)
    return score


def _note(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow({name: value if isinstance(value, int) else f"{value:.5f}" for name, value in row.items()})


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status: 0, 130 after Ctrl-C."""
    program = "python -m detectors.fastvit.training.train"
    parser = argparse.ArgumentParser(prog=program, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="data YAML in YOLO's format")
    parser.add_argument("--work", type=Path, required=True, help="folder for last.pt and scores.csv")
    parser.add_argument("--naive", action="store_true", help="train the published, faulty version")
    parser.add_argument("--backbone", default="fastvit_sa12", help="a FastViT of timm")
    parser.add_argument("--pretrained", action="store_true", help="start from timm's ImageNet weights")
    parser.add_argument("--branches", type=int, default=4, help="parallel convolutions in each block of neck and head")
    parser.add_argument("--imgsz", type=int, default=512, help="side of the square input, px")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that read images")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: as torch chooses")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --work")
    given = parser.parse_args(argv)
    if given.threads:
        torch.set_num_threads(given.threads)
    options = Options(**{name: getattr(given, name) for name in Options.__dataclass_fields__})
    score = train(given.data, given.work, options, resume=given.resume, workers=given.workers)
    if score is None:
        return 130
    print(f"mAP50 {score.map50:.3f} on held-out images: " + ", ".join(f"{k} {v:.2f}" for k, v in score.ap50.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
