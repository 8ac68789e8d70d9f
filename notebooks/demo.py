"""The level experiment, told twice: which pyramid level made every detection, by index and by a change of class.

Run as `make demo`. P3's class rows stay, those of P4 move by one class and those of P5 by five, so the class that a
detection changes to names the level it came from. The index needs no edit at all; both are printed side by side, the
edits are taken back bit for bit, and figures are written.
"""

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import torch

import anatomy
import surgery
import viz
from detectors import demo_scene, demo_weights

MOVES = (0, 1, 5, 11)  # classes by which the rows of each level move, finest level first
NAME = "yolov8n.pt"
NEW = """\
  {} new: suppression acts within a class, so a box that had lost to a box of another level stays
  once the two are called differently. It has no class before, so only the index knows its level."""
URL = f"https://github.com/ultralytics/assets/releases/download/v8.4.0/{NAME}"  # where YOLO(NAME) takes it from


def main(argv: list[str] | None = None) -> int:
    """Run the experiment; returns the exit status: 0, or 2 where it cannot be run as asked."""
    parser = argparse.ArgumentParser(prog="notebooks/demo.py", description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help=f"a .pt checkpoint (default: {NAME}, or the embedded detector)")
    parser.add_argument("--images", nargs="+", help="photographs (default: two samples, or the embedded scene)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the figures (default: out/demo)")
    parser.add_argument("--conf", type=float, default=0.25, help="confidence threshold (default: 0.25)")
    options = parser.parse_args(argv)
    try:
        model, embedded = open_model(options.weights)
        pictures = choose_pictures(options.images, embedded)
        moves = choose_moves(model)
        experiment(model, pictures, moves, options)
    except (OSError, TypeError, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    return 0


def open_model(given: Path | None):
    """The YOLO object to look at, and whether it is the embedded one; says which it took and why."""
    if given is None and os.environ.get("WORKBENCH_WEIGHTS"):
        given = Path(os.environ["WORKBENCH_WEIGHTS"])
    if given is not None:
        model = surgery.load(given)
        print(f"Detector: {given}, as asked.")
        return model, False
    from ultralytics import YOLO, settings

    for found in (Path(NAME), Path(settings["weights_dir"]) / NAME):
        if found.is_file():
            model = surgery.load(found)
            print(f"Detector: {found}, found at hand.")
            return model, False
    reason = why_no_download()
    if reason is None:
        try:
            model = YOLO(NAME)
            print(f"Detector: {NAME}, downloaded into this folder.")
            return model, False
        except (OSError, RuntimeError, TypeError) as error:
            reason = f"its download failed ({error})"
    print(f"Detector: the embedded one, on its own scene. {NAME} is not at hand, and {reason}.")
    print(f"          With a {NAME} in this folder, or --weights PATH, the demo runs on photographs.")
    return surgery.load(demo_weights()), True


def why_no_download(seconds: float = 5.0) -> str | None:
    """None where the published weights can be reached, otherwise the reason, found within seconds."""
    if os.environ.get("YOLO_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return "YOLO_OFFLINE forbids a download"
    try:
        urllib.request.urlopen(urllib.request.Request(URL, method="HEAD"), timeout=seconds).close()
    except (urllib.error.URLError, OSError) as error:
        return f"the network does not reach it ({getattr(error, 'reason', error)})"
    return None


def choose_pictures(given: list[str] | None, embedded: bool) -> dict:
    """What to look at: a source for ``anatomy.trace`` by name."""
    if given:
        stems = [Path(entry).stem for entry in given]
        numbered = len(set(stems)) < len(stems)  # two folders may hold files of one name
        return {f"{number}-{stem}" if numbered else stem: given[number - 1] for number, stem in enumerate(stems, 1)}
    if embedded:
        return {"scene": demo_scene().image[..., ::-1]}  # predict() takes arrays as BGR
    from ultralytics import ASSETS

    return {"bus": ASSETS / "bus.jpg", "zidane": ASSETS / "zidane.jpg"}


def choose_moves(model) -> dict[int, int]:
    """By how many classes the rows of each level move; raises ValueError where two levels would move alike."""
    levels, classes = anatomy.levels(model), len(anatomy.describe(model).names)
    if len(levels) > len(MOVES) or len({move % classes for move in MOVES[: len(levels)]}) < len(levels):
        raise ValueError(
            f"The change of class tells levels apart only where {len(levels)} levels move by different amounts, but "
            f"moves of {MOVES[: len(levels)]} classes among {classes} do not. anatomy.trace tells the level by index."
        )
    return {level.index: MOVES[level.index] for level in levels}


def experiment(model, pictures: dict, moves: dict[int, int], options) -> None:
    """Trace, shift, predict, compare, undo; prints the tables and writes the figures."""
    original = {name: value.clone() for name, value in model.model.state_dict().items()}
    before = {name: anatomy.trace(model, source, conf=options.conf) for name, source in pictures.items()}
    told = []
    for level in anatomy.levels(model):
        move = moves[level.index]
        told.append(f"{level.name} by {move}" if move else f"{level.name} stays")
        if move:
            surgery.shift_classes(model, level.index, move)
    print(f"Edit:     class rows moved: {', '.join(told)} (row c goes to c + k, wrapping).")
    after = {}
    for name, source in pictures.items():
        predicted, after[name] = timed(anatomy.trace, model, source, conf=options.conf)
        replayed, again = timed(before[name].replay)
        print("\n" + table(name, before[name], after[name], moves))
        if not same_detections(again, after[name]):
            raise RuntimeError(f"{name}: replay() and predict() differ on the edited model.")
        print(f"  predict() took {predicted:.0f} ms; replay() found the same, bit for bit, in {replayed:.1f} ms.")
    print("\n" + take_back(model, original, pictures, before, options.conf))
    print(f"\nFigures:  {options.out.resolve()}, each as .png and .pdf")
    for name in pictures:
        print(f"          {', '.join(write_figures(name, before[name], after[name], options.out))}")


def timed(function, *args, **kwargs) -> tuple[float, object]:
    """Milliseconds that a call took, and what it returned."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return (time.perf_counter() - start) * 1e3, result


def table(name: str, before: anatomy.Trace, after: anatomy.Trace, moves: dict[int, int]) -> str:
    """One row an anchor: its level by index and by class shift, and its class and confidence before and after.

    Rows are numbered from 1, as in the figure of ``viz.compare``.
    """
    joined = anatomy.compare(before, after)
    old, new = before.detections, after.detections
    level_of = {move % len(before.names): before.levels[level].name for level, move in moves.items()}
    rows = []
    for entry in zip(joined.before, joined.after, joined.class_shift, joined.freed_from, joined.status, strict=True):
        i, j, shift, winner, status = entry
        found, at = (old, i) if i >= 0 else (new, j)
        by_shift = level_of.get(int(shift), "?") if min(i, j) >= 0 else "-"
        cell = f"{found.row[at]}, {found.col[at]}"
        note = told_of(status, shift, winner, old)
        rows.append((str(len(rows) + 1), found.level_name[at], by_shift, cell, *label(old, i), *label(new, j), note))
    told = [row[1] == row[2] for row in rows if row[2] != "-"]
    grid = " × ".join(str(side) for side in before.input_shape)
    head = ("#", "by index", "by shift", "cell", "before", "", "after", "", "what the shift did")
    lines = [f"{name}: {len(old)} detections before, {len(new)} after; network input {grid} px", ""]
    lines += align(head, rows, right=(0, 3, 5, 7))
    lines += ["", f"  Level by index and by class shift agree for {sum(told)} of {len(told)} detections."]
    if "new" in joined.status:
        lines.append(NEW.format(joined.status.count("new")))
    return "\n".join(lines)


def told_of(status: str, shift: int, winner: int, old: anatomy.Detections) -> str:
    """What the edit did to one anchor, in words."""
    if status == "new" and winner >= 0:
        return f"new: had lost to #{winner + 1} ({old.level_name[winner]} {old.class_name[winner]})"
    if status == "new":
        return "new"
    if status == "gone":
        return "gone: lost to a box of its new class"
    return f"class + {shift}" if shift else "class stays"


def label(found: anatomy.Detections, index: int) -> tuple[str, str]:
    return (found.class_name[index], f"{found.confidence[index]:.3f}") if index >= 0 else ("-", "")


def align(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...]) -> list[str]:
    """Lines of columns under their heads; the columns in ``right`` end flush."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, tuple("─" * width for width in widths), *rows]
    return [
        ("  " + "  ".join(f"{cell:{'>' if i in right else '<'}{widths[i]}}" for i, cell in enumerate(line))).rstrip()
        for line in lines
    ]


def take_back(model, original: dict, pictures: dict, before: dict, conf: float) -> str:
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
        "before": viz.detections(before),
        "after": viz.detections(after),
        "compare": viz.compare(before, after),
        "heatmaps": viz.heatmaps(before),
        "anchors": viz.anchor_grid(before),
    }
    for kind, figure in figures.items():
        for ending in ("png", "pdf"):
            figure.savefig(out / f"{name}-{kind}.{ending}")
    return [f"{name}-{kind}" for kind in figures]


if __name__ == "__main__":
    sys.exit(main())
