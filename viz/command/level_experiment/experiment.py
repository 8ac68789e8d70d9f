"""The level experiment, told twice: which pyramid level made every detection, by index and by a change of class.

P3's class rows stay, those of P4 move by one class and those of P5 by five, so the class that a detection changes to
names the level it came from. The index needs no edit at all; both are printed side by side, the edits are taken back
bit for bit, and figures are written.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

import anatomy
import surgery

from ...figures.anchor_grid import anchor_grid
from ...figures.compare import compare
from ...figures.detections import detections
from ...figures.heatmaps import heatmaps
from .table import table

DPI = 300  # of a figure's PNG


def experiment(model: Any, pictures: Mapping[str, Any], moves: Mapping[int, int], *, conf: float, out: Path) -> None:
    """Trace, shift, predict, compare, undo; prints the tables and writes the figures."""
    original = {name: value.clone() for name, value in model.model.state_dict().items()}
    before = {name: anatomy.trace(model, source, conf=conf) for name, source in pictures.items()}
    told = []
    for level in anatomy.levels(model):
        move = moves[level.index]
        told.append(f"{level.name} by {move}" if move else f"{level.name} stays")
        if move:
            surgery.shift_classes(model, level.index, move)
    print(f"Edit:     class rows moved: {', '.join(told)} (row c goes to c + k, wrapping).")
    after = {}
    for name, source in pictures.items():
        predicted, after[name] = timed(anatomy.trace, model, source, conf=conf)
        replayed, again = timed(before[name].replay)
        print("\n" + table(name, before[name], after[name], moves))
        if not same_detections(again, after[name]):
            raise RuntimeError(f"{name}: replay() and predict() differ on the edited model.")
        print(f"  predict() took {predicted:.0f} ms; replay() found the same, bit for bit, in {replayed:.1f} ms.")
    print("\n" + take_back(model, original, pictures, before, conf))
    print(f"\nFigures:  {out.resolve()}, each as .png and .pdf")
    for name in pictures:
        print(f"          {', '.join(write_figures(name, before[name], after[name], out))}")


def timed(function: Callable, *args: Any, **kwargs: Any) -> tuple[float, Any]:
    """Milliseconds that a call took, and what it returned."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return (time.perf_counter() - start) * 1e3, result


def take_back(model: Any, original: dict, pictures: Mapping[str, Any], before: dict, conf: float) -> str:
    """Undo every edit and prove it; raises RuntimeError where a bit differs."""
    taken = surgery.reset(model)
    now = model.model.state_dict()
    different = [name for name, value in original.items() if not torch.equal(value, now[name])]
    for name, source in pictures.items():
        if not same_detections(anatomy.trace(model, source, conf=conf), before[name]):
            different.append(f"detections of {name}")
    if different:
        raise RuntimeError(f"Undo must be exact, but differs in {', '.join(different)}.")
    return (
        f"Undo:     {len(taken)} edits taken back. All {len(original)} tensors of the model equal the original bit for "
        "bit,\n          and predict() finds the first detections again."
    )


def same_detections(one: anatomy.Trace, other: anatomy.Trace) -> bool:
    a, b = one.detections, other.detections
    pairs = ((a.anchor, b.anchor), (a.class_id, b.class_id), (a.confidence, b.confidence), (a.xyxy, b.xyxy))
    return all(x.shape == y.shape and (x == y).all() for x, y in pairs)


def write_figures(name: str, before: anatomy.Trace, after: anatomy.Trace, out: Path) -> list[str]:
    """Every figure of one picture as PNG and PDF; returns their names."""
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "before": detections(before),
        "after": detections(after),
        "compare": compare(before, after),
        "heatmaps": heatmaps(before),
        "anchors": anchor_grid(before),
    }
    for kind, figure in figures.items():
        (out / f"{name}-{kind}.png").write_bytes(figure.png(DPI))
        figure.savefig(out / f"{name}-{kind}.pdf")
    return [f"{name}-{kind}" for kind in figures]
