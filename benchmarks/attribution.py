"""Which maps can be believed, and what they cost: methods and baselines over photographs, as the README's table.

    python benchmarks/attribution.py --weights yolov8n.pt --development dev --held-out held --write README.md

Two folders of photographs: those that the methods were developed on, and those by which they are judged. Halves of one
folder, by name, as links:

    mkdir dev held
    ls -d "$PWD"/images/*.jpg | head -64 | xargs ln -st dev
    ls -d "$PWD"/images/*.jpg | tail -64 | xargs ln -st held

Boxes are of three sizes in equal numbers, the surest of its size in its photograph. ``--keep`` is a file of records to
which every box is added as it is finished: a run that was broken off goes on, and methods can be measured in runs of
their own. Predicts are counted: one pass at the full size of the network input, of a smaller input in proportion to its
area; of methods that go through the head alone they are measured by time, beside ``predict()``. Methods that take long
are measured on the first boxes alone; the table says on how many.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from tqdm import tqdm

torch.set_num_threads(1)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anatomy  # noqa: E402
import diagnosis  # noqa: E402
from benchmarks.attribution_boxes import Box, chosen, photographs  # noqa: E402
from benchmarks.attribution_table import table  # noqa: E402
from benchmarks.table import write_table  # noqa: E402
from diagnosis.attribution.evidence.curves import curves as curves_of_map  # noqa: E402
from diagnosis.attribution.evidence.randomization import without_weights  # noqa: E402

FEWER = {  # methods that take long are measured on the first boxes alone, one of so many
    "thorough": 2,
    "ablation": 7,
    "occlusion": 7,
    "integrated gradients": 7,
    "kernelshap": 7,
    "drise": 14,
}
METHODS = ("default", "layercam", "odam", "layercam levels", "eigencam", "box fill", "edge detector", *FEWER)
EVERY = (*diagnosis.METHODS, "thorough", "default", *diagnosis.BASELINES)
OPTIONS = {  # what the slow methods may spend on a box
    "occlusion": {"progress": False},
    "ablation": {"regions": 48, "progress": False},
    "kernelshap": {"regions": 32, "samples": 128, "progress": False},
    "drise": {"masks": 512, "progress": False},
    "default": {"progress": False},
    "thorough": {"progress": False},
}


def explained(trace, box: Box, method: str, options, further: bool) -> dict:
    """The record of one box by one method; ``further``: with the tests of the weights, which explain it again."""
    predict = median(_seconds(lambda: trace.recomputed()) for _ in range(3))
    start = perf_counter()
    made = diagnosis.attribute(trace, box.detection, method, **OPTIONS.get(method, {}))
    made.map  # noqa: B018 -- laying it on the photograph counts
    seconds = perf_counter() - start
    found = {by: diagnosis.faithfulness(made, ("curves", "box"), steps=options.steps, replace=by) for by in REPLACED}
    record = {by: one.difference for by, one in found.items()}
    first = found["mean"]
    record |= {"whole": first.curves.whole, "pointing": first.pointing, "energy": first.energy, "size": box.size}
    record |= {"seconds": seconds, "predicts": made.heat.passes or seconds / predict}
    if further:
        record["odexai"] = diagnosis.odexai(made).overall
    if further and method not in FEWER:
        record |= tested(made, options)
    return record


REPLACED = ("mean", "blur")


def tested(made, options) -> dict:
    """What the tests of the weights say of a map: the randomization test, and the score of the map without weights."""
    test = diagnosis.faithfulness(made, ("randomization",)).randomization
    values = without_weights(made)
    curves, _ = curves_of_map(made.subject, values, steps=options.steps, replace="mean", batch=8)
    return {
        "passes": test.passes,
        "gone": test.gone,
        "class_row": float(test.correlation[0]),
        "all_weights": float(test.correlation[-1]),
        "threshold": test.threshold,
        "shuffled": curves.area("insertion") - curves.area("deletion"),
    }


def _seconds(run) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def measured(model, folder: Path, options, kept: dict[str, dict], keep: Path | None) -> dict[str, dict]:
    """The records of a folder by method and box; those that are ``kept`` are not measured again."""
    records = {method: {} for method in options.methods} | kept.setdefault(str(folder), {})
    boxes = chosen(model, folder, options.boxes, options.imgsz)
    todo = [
        (n, box, method)
        for n, box in enumerate(boxes)
        for method in options.methods
        if n < -(-len(boxes) // FEWER.get(method, 1)) and box.name not in records[method]
    ]
    try:
        for n, box, method in tqdm(todo, unit="map"):
            trace = anatomy.trace(model, box.path, imgsz=options.imgsz)
            records[method][box.name] = explained(trace, box, method, options, n < options.tested)
            kept[str(folder)] = records
            if keep:
                keep.write_text(json.dumps(kept, indent=1))
    except KeyboardInterrupt:
        print("Interrupted: the table has what is finished.", file=sys.stderr)
    return records


def together(model, folder: Path, imgsz: int, boxes: int) -> str:
    """What the default costs where many boxes of a photograph are explained at once, in a sentence."""
    traces = (anatomy.trace(model, path, imgsz=imgsz) for path in photographs(folder))
    trace = max(traces, key=lambda one: min(len(one.detections), boxes))
    count = min(boxes, len(trace.detections))
    made = diagnosis.attribute_all(trace, range(count), progress=False)
    each = sum(one.heat.passes for one in made) / count
    return f"Of {count} boxes of a photograph together the default costs {each:.1f} predicts a box."


def main() -> None:
    from ultralytics import YOLO

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="yolov8n.pt")
    parser.add_argument("--development", type=Path, help="folder of photographs that the default was developed on")
    parser.add_argument("--held-out", type=Path, help="folder of photographs by which it is judged")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--boxes", type=int, default=42, help="of each folder, a third of each size")
    parser.add_argument("--steps", type=int, default=7, help="of the curves")
    parser.add_argument("--tested", type=int, default=9, help="boxes whose maps are put to the tests of the weights")
    parser.add_argument("--methods", nargs="+", choices=EVERY, default=METHODS)
    parser.add_argument("--keep", type=Path, help="file of records: add to it, and print them all")
    parser.add_argument("--write", type=Path, help="put the tables between the attribution marks of this file")
    options = parser.parse_args()
    folders = {"Development": options.development, "Held out": options.held_out}
    if not any(folders.values()):
        parser.error("--development or --held-out must be given, the folders of photographs.")
    model = YOLO(options.weights)
    kept = json.loads(options.keep.read_text()) if options.keep and options.keep.exists() else {}
    lines = []
    for name, folder in folders.items():
        if folder:
            found = measured(model, folder, options, kept, options.keep)
            count = max(len(one) for one in found.values())
            lines += [f"{name}: {count} boxes, curves of {options.steps} steps.", "", *table(found), ""]
            lines += [together(model, folder, options.imgsz, 20), ""]
    print("\n".join(lines))
    if options.write:
        write_table(options.write, "attribution", lines[:-1])


if __name__ == "__main__":
    main()
