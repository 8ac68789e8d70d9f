"""`make weights`: draws the scenes, trains the demo detector, measures it, installs detectors/demo/weights/demo.pt.

Run as `python -m detectors.demo.train [--work FOLDER]`; about 20 minutes on two CPU cores. An interrupted run goes on
where it was when started again with the same work folder. Training is driven through the `yolo` command.
"""

import argparse
import json
import math
import os
import pathlib
import pickle
import re
import subprocess
import sys
from dataclasses import dataclass

import torch

from ..scenes.dataset import write_dataset
from ..scenes.scenes import CLASS_NAMES
from .demo import WEIGHTS

MODEL = pathlib.Path(__file__).parent / "weights" / "demo.yaml"
FLOOR = 0.85
"""The mAP50 on held-out scenes below which nothing is installed."""

RECIPE = {
    "imgsz": 320, "batch": 8, "nbs": 8, "optimizer": "AdamW", "lr0": 0.002, "lrf": 0.01, "cos_lr": True, "cls": 1.5,
    "warmup_epochs": 0.5, "warmup_bias_lr": 0, "mosaic": 0, "close_mosaic": 0, "hsv_h": 0, "hsv_s": 0, "hsv_v": 0,
    "scale": 0, "translate": 0, "erasing": 0, "fliplr": 0.5, "flipud": 0.5, "seed": 0,
}  # fmt: skip
HOUSEKEEPING = {"workers": 1, "device": "cpu", "amp": False, "plots": False, "val": False, "exist_ok": True}
FEWER_PAGE_FAULTS = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**32)}  # a tenth faster


@dataclass(frozen=True)
class Score:
    """Average precision over a set of scenes, in 0..1."""

    map50: float
    map50_95: float
    ap50: dict[str, float]
    """AP at IoU 0.5 of each class that occurs."""


def main(argv: list[str] | None = None) -> int:
    """Runs every step; returns the exit status: 0, or 1 where the detector stayed below `FLOOR`."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m detectors.demo.train", description=about)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/demo"), help="folder for all files")
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS, help="where the checkpoint goes")
    parser.add_argument("--scenes", type=int, default=4000, help="number of training scenes")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args(argv)
    work = options.work.resolve()
    claim(work, {**RECIPE, "scenes": options.scenes, "epochs": options.epochs, "classes": list(CLASS_NAMES)})
    data = write_dataset(work / "scenes", options.scenes, 8, (320, 320), seed=1, n_objects=12)
    held_out = write_dataset(work / "held_out", 0, 400, (320, 320), seed=2)
    large = write_dataset(work / "large", 0, 100, (480, 640), seed=3)
    last = train(work, data, options.epochs)
    candidate = work / "demo.pt"
    strip(last, candidate)
    score = evaluate(work, candidate, held_out, imgsz=320)
    report("held-out scenes, 320 x 320", score)
    report("held-out scenes, 480 x 640", evaluate(work, candidate, large, imgsz=640))
    if score.map50 < FLOOR:
        print(f"mAP50 must reach {FLOOR}, but was {score.map50:.3f}: {options.out} is left as it was.")
        return 1
    partial = options.out.with_name(options.out.name + ".part")
    partial.write_bytes(candidate.read_bytes())
    os.replace(partial, options.out)
    print(f"installed {options.out}, {options.out.stat().st_size / 1e6:.2f} MB")
    return 0


def claim(work: pathlib.Path, recipe: dict) -> None:
    """Writes the recipe into the work folder; raises FileExistsError where another one is already there."""
    work.mkdir(parents=True, exist_ok=True)
    marker, text = work / "recipe.json", json.dumps(recipe | {"model": MODEL.read_text()}, indent=1)
    if marker.exists() and marker.read_text() != text:
        raise FileExistsError(
            f"{work} must be new or hold a run of this same recipe, but recipe.json differs. Delete it or pass --work."
        )
    marker.write_text(text)


def yolo(work: pathlib.Path, *words: str, capture: bool = False) -> str:
    """Runs the environment's `yolo` command inside `work`, offline; raises CalledProcessError where it fails."""
    command = pathlib.Path(sys.executable).with_name("yolo")
    if not command.exists():
        raise FileNotFoundError(f"The yolo command must stand beside {sys.executable}. Run `pip install ultralytics`.")
    env = os.environ | FEWER_PAGE_FAULTS | {"YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(work / "config")}
    (work / "config").mkdir(exist_ok=True)
    out = subprocess.PIPE if capture else None
    return subprocess.run([str(command), *words], cwd=work, env=env, check=True, text=True, stdout=out).stdout or ""


def train(work: pathlib.Path, data: pathlib.Path, epochs: int) -> pathlib.Path:
    """Trains, or goes on training, or finds the training done; returns the last checkpoint's path."""
    last = work / "train" / "weights" / "last.pt"
    epoch = finished_epoch(work, last)
    if epoch is None:
        start = initial(work, data)
        settings = RECIPE | HOUSEKEEPING | {"epochs": epochs, "project": work, "name": "train"}
        yolo(work, "detect", "train", f"model={start}", f"data={data}", *(f"{k}={v}" for k, v in settings.items()))
    elif 0 <= epoch < epochs - 1:
        yolo(work, "detect", "train", "resume", f"model={last}")
    return last


def initial(work: pathlib.Path, data: pathlib.Path) -> pathlib.Path:
    """Random weights whose first boxes are 32, 64 and 128 px on P3, P4 and P5; returns their path.

    Ultralytics starts from 120, 240 and 480 px, and its assigner keeps objects where they fit at first: up to 300 px,
    P5 would never see one. One training step at a rate of 0 writes the untrained checkpoint.
    """
    settings = RECIPE | HOUSEKEEPING | {"epochs": 1, "lr0": 0, "fraction": 0.002, "project": work, "name": "start"}
    yolo(work, "detect", "train", f"model={MODEL}", f"data={data}", *(f"{k}={v}" for k, v in settings.items()))
    os.environ.setdefault("YOLO_CONFIG_DIR", str(work / "config"))
    checkpoint = torch.load(work / "start" / "weights" / "last.pt", map_location="cpu", weights_only=False)
    head = checkpoint["model"].model[-1]
    bins = torch.arange(head.reg_max) * math.log(2 / 3)  # a geometric law: 2 strides from the cell to each side
    for branch in head.cv2:
        branch[-1].bias.data[:] = bins.repeat(4)
    torch.save(checkpoint, work / "start.pt")
    return work / "start.pt"


def finished_epoch(work: pathlib.Path, last: pathlib.Path) -> int | None:
    """The index of the last epoch in a checkpoint, -1 where it was finished off, None where there is none to read."""
    os.environ.setdefault("YOLO_CONFIG_DIR", str(work / "config"))  # unpickling imports ultralytics, which writes there
    unreadable = (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError)  # none, or killed while written
    try:
        return int(torch.load(last, map_location="cpu", weights_only=False)["epoch"])
    except unreadable:
        return None


def strip(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a finished checkpoint as what inference needs: the fp16 model, its names, no local path, no date."""
    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).half()
    model.names = dict(enumerate(CLASS_NAMES))
    model.args = {"task": "detect", "imgsz": RECIPE["imgsz"]}
    model.yaml.pop("yaml_file", None)
    vars(model).pop("pt_path", None)
    kept = {key: checkpoint[key] for key in ("version", "license", "docs") if key in checkpoint}
    torch.save({**kept, "epoch": -1, "model": model, "ema": None, "train_args": dict(model.args)}, target)


def evaluate(work: pathlib.Path, weights: pathlib.Path, data: pathlib.Path, imgsz: int) -> Score:
    """Average precision of a checkpoint on the validation scenes of `data`."""
    words = (f"model={weights}", f"data={data}", f"imgsz={imgsz}", "batch=16", "workers=1", "device=cpu", "plots=False")
    text = yolo(work, "detect", "val", *words, f"project={work}", f"name=val{imgsz}", "exist_ok=True", capture=True)
    return parse_table(text)


def parse_table(text: str) -> Score:
    """Reads the table that `yolo detect val` prints; raises ValueError where there is none."""
    rows = re.findall(r"^ *(\w+) +\d+ +\d+ +[\d.e-]+ +[\d.e-]+ +([\d.e-]+) +([\d.e-]+) *$", text, re.MULTILINE)
    total = [(float(a), float(b)) for name, a, b in rows if name == "all"]
    if not total:
        raise ValueError(f"`yolo detect val` must print a row named 'all', but printed: {text[-500:]!r}.")
    return Score(*total[-1], {name: float(a) for name, a, _ in rows if name != "all"})


def report(title: str, score: Score) -> None:
    """Prints a score."""
    print(f"{title}: mAP50 {score.map50:.3f}, mAP50-95 {score.map50_95:.3f}")
    print("  AP50 " + ", ".join(f"{name} {value:.2f}" for name, value in score.ap50.items()))


if __name__ == "__main__":
    sys.exit(main())
