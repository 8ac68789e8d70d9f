"""Which maps can be believed, and what they cost: methods and baselines over photographs, as a table.

    python benchmarks/attribution.py --weights yolov8n.pt --images folder [--skip 5] [--most 10] [--write README.md]

Of every photograph up to ``--boxes`` detections are explained, the surest of a level, levels in turn. Times are in
predicts, measured beside the maps in the same run. ``--skip n`` leaves out every n-th photograph, from the first: those
that the default method was chosen on are every fifth; ``--only n`` takes no other. ``--keep file.json`` keeps the rows
of the table, so that the slow methods can be measured in a run of their own.
"""

import argparse
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from statistics import mean, median
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from tqdm import tqdm

torch.set_num_threads(1)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anatomy  # noqa: E402
import diagnosis  # noqa: E402
from benchmarks.table import write_table  # noqa: E402

CHEAP = ("influence", "odam", "layercam", "gradcam", "gradcam++", "eigencam")
SLOW = ("integrated gradients", "occlusion", "ablation", "kernelshap", "drise")
QUICK = {  # what the slow methods may spend on a box
    "occlusion": {"progress": False},
    "ablation": {"regions": 48, "progress": False},
    "kernelshap": {"regions": 32, "samples": 128, "progress": False},
    "drise": {"masks": 512, "progress": False},
}
HEAD = ("method", "insertion", "deletion", "difference", "absolute", "pointing", "energy", "completeness error")
HEAD += ("randomization", "seconds a box", "predicts a box")


def seconds(run, *args, **options) -> tuple[object, float]:
    start = perf_counter()
    made = run(*args, **options)
    return made, perf_counter() - start


def chosen(trace, most: int, turn: int) -> list[int]:
    """The surest detection of each level, beginning with another level at every turn."""
    found = trace.detections
    first = {int(level): i for i, level in reversed(list(enumerate(found.level)))}
    levels = sorted(first)
    return [first[levels[(turn + k) % len(levels)]] for k in range(min(most, len(levels)))]


def photographs(folder: Path, options) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if options.skip:
        paths = [path for i, path in enumerate(paths) if i % options.skip]
    if options.only:
        paths = paths[:: options.only]
    return paths[: options.most]


def measure(model, paths, methods, options) -> tuple[dict[str, list[dict]], Path]:
    """A record for every method and box, and the photograph of most detections; an interrupt ends both early."""
    records: dict[str, list[dict]] = {method: [] for method in methods}
    found: dict[Path, int] = {}
    with suppress(KeyboardInterrupt):
        for turn, path in enumerate(tqdm(paths, unit="photograph")):
            found[path] = add_photograph(model, path, turn, options, records)
    return records, max(found, key=found.get, default=paths[0])


def add_photograph(model, path, turn: int, options, records: dict[str, list[dict]]) -> int:
    """Explain the chosen boxes of one photograph by every method that has records; returns how many it has."""
    model.predict(path, imgsz=options.imgsz, verbose=False)
    _, predict = seconds(model.predict, path, imgsz=options.imgsz, verbose=False)
    trace = anatomy.trace(model, path, imgsz=options.imgsz)
    for i in chosen(trace, options.boxes, turn):
        for method, kept in records.items():
            start = perf_counter()
            made = diagnosis.attribute(trace, i, method, **QUICK.get(method, {}))
            made.map  # noqa: B018 -- laying it on the photograph counts
            spent = perf_counter() - start
            randomize = method in diagnosis.METHODS and len(kept) < options.random  # baselines know no weights
            parts = ["curves", "box"] + ["randomization"] * randomize
            found = diagnosis.faithfulness(made, parts, steps=options.steps)
            kept.append({"found": found, "seconds": spent, "predicts": spent / predict})
    return len(trace.detections)


def row(method: str, records: list[dict]) -> str:
    found = [record["found"] for record in records]
    complete = [one.completeness for one in found if one.completeness is not None]
    random = [one.randomization for one in found if one.randomization is not None]
    cells = [f"{mean(getattr(one, name) for one in found):.3f}" for name in ("insertion", "deletion", "difference")]
    cells.append(f"{mean(one.difference * one.curves.whole for one in found):.3f}")
    cells += [f"{mean(one.pointing for one in found):.0%}", f"{mean(one.energy for one in found):.0%}"]
    cells.append(f"{median(complete):.1%}" if complete else "")
    passed = f"{sum(one.passes for one in random)} of {len(random)}"
    cells.append(f"{passed}, ρ {mean(one.correlation[-1] for one in random):.2f}" if random else "")
    cells += [f"{median(record[name] for record in records):.2f}" for name in ("seconds", "predicts")]
    return f"| {method} | " + " | ".join(cells) + " |"


def costs(model, path, imgsz: int, rounds: int) -> list[str]:
    """What the quick methods cost: for one detection, and for all of a photograph."""
    trace = anatomy.trace(model, path, imgsz=imgsz)
    lines = [
        f"What maps cost, in predicts: medians of {rounds} rounds on a photograph of {len(trace.detections)} boxes."
    ]
    lines += ["", "| method | one box | all boxes together |", "|---|---|---|"]
    for method in CHEAP:
        taken: tuple[list[float], ...] = ([], [], [])
        for _ in range(rounds):
            taken[0].append(seconds(model.predict, path, imgsz=imgsz, verbose=False)[1])
            taken[1].append(seconds(lambda name=method: diagnosis.attribute(trace, 0, name).map)[1])
            every = lambda name=method: [one.map for one in diagnosis.attribute_all(trace, method=name)]  # noqa: E731
            taken[2].append(seconds(every)[1])
        predict, one, together = map(median, taken)
        lines.append(f"| {method} | {one / predict:.2f} | {together / predict:.2f} |")
    return lines


def main() -> None:
    from ultralytics import YOLO

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="yolov8n.pt")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--most", type=int, default=10, help="photographs")
    parser.add_argument("--boxes", type=int, default=1, help="boxes a photograph")
    parser.add_argument("--steps", type=int, default=10, help="of the curves")
    parser.add_argument("--random", type=int, default=3, help="boxes a method that the weights are randomized for")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--only", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=(*CHEAP, *SLOW), default=CHEAP)
    parser.add_argument("--rounds", type=int, default=5, help="of the measurement of costs; 0: none")
    parser.add_argument("--keep", type=Path, help="add to the rows in this file, and print them all")
    parser.add_argument("--write", type=Path, help="put the table between the attribution marks of this file")
    options = parser.parse_args()
    model = YOLO(options.weights)
    paths = photographs(options.images, options)
    records, busiest = measure(model, paths, (*options.methods, *diagnosis.BASELINES), options)
    rows = json.loads(options.keep.read_text()) if options.keep and options.keep.exists() else {}
    rows |= {method: row(method, found) for method, found in records.items() if found}
    if options.keep:
        options.keep.write_text(json.dumps(rows, indent=1))
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += [rows[method] for method in (*CHEAP, *SLOW, *diagnosis.BASELINES) if method in rows]
    lines += ["", f"{len(next(iter(records.values())))} boxes on {len(paths)} photographs."]
    if options.rounds:
        lines += ["", *costs(model, busiest, options.imgsz, options.rounds)]
    print("\n".join(lines))
    if options.write:
        write_table(options.write, "attribution", lines)


if __name__ == "__main__":
    main()
