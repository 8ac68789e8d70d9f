"""What two trainings of the FastViT detector came to, the published one's and the repaired one's, side by side.

    python benchmarks/learning.py --faulty runs/faulty --repaired runs/repaired --data runs/kinds/data.yaml

Prints a table and writes what notebook 05 shows: the scores of every epoch, each level's objectness on held-out images,
and the detections on the first of them.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from torch.utils.data import DataLoader

import anatomy
import viz
from detectors.fastvit import FastViTDetector, load
from detectors.pyramid.data import DataFile, YoloFolder, collate, open_data
from detectors.pyramid.evaluate import evaluate
from viz.reports.table import neutral

SCORES, FIGURES = "05_scores.csv", ("05_heatmaps", "05_faulty", "05_repaired")
DPI = 90  # of the PNGs, which are meant for a screen


@dataclass(frozen=True)
class Learned:
    """One training: its model, and ``scores.csv`` with the AP50 of each class in the last row."""

    name: str
    model: FastViTDetector
    imgsz: int
    scores: pl.DataFrame


def read_run(name: str, work: Path, data: DataFile) -> Learned:
    """Opens a --work folder of ``detectors.fastvit.training`` and scores its checkpoint class by class.

    Raises FileNotFoundError where a file is missing, ValueError where the training has not come to its end.
    """
    model, scores = load(work / "last.pt"), pl.read_csv(work / "scores.csv")
    state = torch.load(work / "last.pt", weights_only=True)["training"]
    options = state["options"]
    if state["epoch"] < options["epochs"]:
        raise ValueError(
            f"{work} has finished {state['epoch']} of {options['epochs']} epochs. Train on with --resume first."
        )
    held_out = YoloFolder(data.val, len(data.names), options["imgsz"], model.encode)
    found = evaluate(model, DataLoader(held_out, options["batch"], collate_fn=collate)).ap50
    last = pl.col("epoch") == options["epochs"]
    ap50 = [pl.when(last).then(pl.lit(round(value, 5))).alias(f"AP50 {kind}") for kind, value in found.items()]
    return Learned(name, model, options["imgsz"], scores.select(pl.lit(name).alias("version"), pl.all(), *ap50))


def draw(runs: list[Learned], images: list[Path], conf: float) -> dict:
    """A figure by name: heat maps of every image and run below one another, and the detections of each run."""
    traces = [anatomy.trace(run.model, image, conf=conf, imgsz=run.imgsz) for image in images for run in runs]
    titles = [run.name for _ in images for run in runs]
    detections = [viz.detections(trace, rivals=False, cells=False, width=3.5) for trace in traces[: len(runs)]]
    return dict(zip(FIGURES, [viz.heatmaps(traces, titles=titles, cells=False), *detections], strict=True))


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status: 0, or 2 where it cannot be run as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faulty", type=Path, required=True, help="--work folder of the training with --naive")
    parser.add_argument("--repaired", type=Path, required=True, help="--work folder of the training without")
    parser.add_argument("--data", type=Path, required=True, help="the data YAML of both")
    parser.add_argument("--out", type=Path, default=Path("out/learning"), help="folder to write into")
    parser.add_argument("--images", type=int, nargs="+", default=[1], help="held-out images to draw, by number")
    parser.add_argument("--conf", type=float, default=0.25, help="confidence threshold of the detections")
    parser.add_argument("--formats", nargs="+", choices=("png", "pdf"), default=["png", "pdf"])
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        data = open_data(given.data)
        runs = [read_run(name, getattr(given, name), data) for name in ("faulty", "repaired")]
        figures = draw(runs, [data.val[number] for number in given.images], given.conf)
    except (OSError, ValueError, IndexError) as error:
        print(f"learning: {error}", file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    scores = pl.concat([run.scores for run in runs])
    neutral(scores).write_csv(given.out / SCORES)
    for name, figure in figures.items():
        for ending in given.formats:
            figure.savefig(given.out / f"{name}.{ending}", dpi=DPI)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=1000, tbl_hide_column_data_types=True):
        print(scores)
    print(f"Written to {given.out.resolve()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
