"""What a survey costs beside Ultralytics' own validation of the same images, and whether their scores agree.

    python benchmarks/survey.py --weights yolov8n.pt --data coco128/data.yaml [--write README.md]

The folder of the data is copied first, as validation writes caches beside labels. One thread, seconds of CPU, the best
of some repeats; images are read and networks built in every one of them. Prints a table.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from table import write_table

import diagnosis
import surgery

SAME = {"mAP50": "map50", "mAP50_95": "map"}


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU of one way to look at the set, and what came of it."""

    seconds: float
    result: Any


def cost(repeats: int, work: Callable[[], Any]) -> Cost:
    """The quickest of some repeats."""
    best = None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds = time.process_time() - start
        best = Cost(seconds, result) if best is None or seconds < best.seconds else best
    return best


def surveyed(weights: Path, data: Path, folder: Path, **asked: Any) -> diagnosis.Survey:
    """The survey of a model that is opened anew, into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    return diagnosis.survey(surgery.load(weights), data, folder, progress=False, **asked)


def validated(weights: Path, data: Path, folder: Path, **asked: Any) -> Any:
    model = surgery.load(weights)
    return model.val(data=data, plots=False, verbose=False, project=folder, exist_ok=True, **asked)


def lines(args: argparse.Namespace, data: Path, work: Path) -> list[str]:
    """The table, and a sentence on what agrees."""
    asked = {"imgsz": args.imgsz} | ({"nms": False} if args.one_to_one else {})
    validated(args.weights, data, work / "runs", **asked)  # reads labels and imports what it needs
    surveyed(args.weights, data, work / "warm", **asked)
    val = cost(args.repeats, lambda: validated(args.weights, data, work / "runs", **asked))
    plain = cost(args.repeats, lambda: surveyed(args.weights, data, work / "plain", **asked))
    ablation = cost(args.repeats, lambda: surveyed(args.weights, data, work / "ablation", ablation=True, **asked))
    worth = cost(args.repeats, ablation.result.worth)
    variants = len(ablation.result.levels) * (1 + len(ablation.result.names))
    extra = ablation.seconds - plain.seconds + worth.seconds
    scores = plain.result.scores()
    apart = max(abs(scores[mine] - getattr(val.result.box, theirs)) for mine, theirs in SAME.items())
    images = len(plain.result)
    rows = [
        ("`model.val()`", val.seconds, "1"),
        ("`diagnosis.survey()`", plain.seconds, f"{plain.seconds / val.seconds:.2f}"),
        ("with `ablation=True`", ablation.seconds, f"{ablation.seconds / val.seconds:.2f}"),
        (f"`survey.worth()`: {variants} variants", worth.seconds, f"{worth.seconds / val.seconds:.2f}"),
    ]
    told = [f"| {images} images, {args.weights.stem} at {args.imgsz} | CPU s | of `val()` |", "|---|---|---|"]
    told += [f"| {what} | {seconds:.1f} | {factor} |" for what, seconds, factor in rows]
    return [
        *told,
        "",
        f"Every level and class row weighed costs {extra:.1f} s in all, {variants * val.seconds / extra:.0f} times "
        f"less than {variants} validations. mAP50 and mAP50-95 differ from those of `val()` by {apart:.0e} at most.",
    ]


def peak(weights: Path, data: Path, folder: Path, imgsz: int) -> int:
    """The most memory, MB, that a process of its own needs for a survey."""
    code = (
        "import sys, resource, torch; torch.set_num_threads(1); import diagnosis, surgery; "
        "weights, *rest = sys.argv[1:]; "
        "diagnosis.survey(surgery.load(weights), *rest[:2], imgsz=int(rest[2]), progress=False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", code, weights, data, folder, str(imgsz)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def many(images: list[Path], copies: int, place: Path) -> Path:
    """A folder with every image, and its labels, so many times."""
    for kind in ("images", "labels"):
        (place / kind).mkdir(parents=True)
    for image in images:
        label = image.parent.parent / "labels" / f"{image.stem}.txt"
        for copy in range(copies):
            shutil.copy(image, place / "images" / f"{copy}_{image.name}")
            if label.exists():
                shutil.copy(label, place / "labels" / f"{copy}_{label.name}")
    return place / "images"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a data YAML; its folder is copied")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--one-to-one", action="store_true", help="the head without NMS (nms=False)")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="also the memory of N times as many images")
    parser.add_argument("--write", type=Path, help="put the table between its marks in this document")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(args.data.parent, work / "data")
        data = work / "data" / args.data.name
        told = lines(args, data, work)
        if args.memory:
            images = sorted(diagnosis.read_labels(data).images)
            first = peak(args.weights, data, work / "once", args.imgsz)
            more = peak(args.weights, many(images, args.memory, work / "many"), work / "often", args.imgsz)
            told.append(f"Memory: {first} MB for {len(images)} images, {more} MB for {args.memory * len(images)}.")
    print(*told, sep="\n")
    if args.write:
        write_table(args.write, "survey", told)


if __name__ == "__main__":
    main()
