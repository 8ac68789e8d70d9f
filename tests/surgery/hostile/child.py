"""Opens every hostile file by every door in one process, and writes down what came of it."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import torch

import anatomy
import surgery
import viz.command
from detectors import fastvit

from . import CASES, Case
from .case import mark
from .cases_calls import genuine
from .networks import opened
from .recorder import Recorder

SIDE = 64
DRAWS = "detector-workbench"  # figures, whose memory is not the file's


def use(model, folder: Path) -> None:
    """What a caller does first with a model that opened: list, trace, copy, fuse, convert, save, build anew."""
    if anatomy.levels(model):
        anatomy.trace(model, np.full((SIDE, SIDE, 3), 99, np.uint8), imgsz=SIDE, conf=1e-6)
    copy = deepcopy(model.model)
    copy.half().float().fuse(verbose=False)
    if copy.yaml and "backbone" in copy.yaml:
        type(copy)(deepcopy(copy.yaml), verbose=False)
    surgery.save(model, folder / "again.pt")


def doors(case: Case, path: Path, mine) -> dict[str, Callable]:
    """The ways in which this file is opened, by name."""
    found = {
        "surgery.load": lambda: use(surgery.load(path), path.parent),
        "open_checkpoint": lambda: anatomy.open_checkpoint(str(path)) and None,
        "fastvit.load": lambda: fastvit.load(path) and None,
        "certify": lambda: surgery.certify(mine, against=path) and None,
    }
    if case.shell:
        report = str(path.parent / "report")
        arguments = ["report", str(path), "photo.png", "--out", report, "--imgsz", str(SIDE), "--quiet"]
        arguments += ["--figures", "detections", "--formats", "png"]  # the file is at issue, not what is drawn
        found[DRAWS] = lambda: viz.command.main(arguments)
    return found


def answer(door: Callable) -> list[str]:
    """Type and message of an error, or what the door gave back."""
    try:
        return ["", str(door() or "")]
    except BaseException as error:  # whatever it is, it belongs into the record
        return [type(error).__name__, str(error)]


def examine(case: Case, folder: Path, recorder: Recorder, mine) -> dict:
    folder.mkdir(parents=True)
    os.chdir(folder)
    path = case.build(folder)
    cv2.imwrite(str(folder / "photo.png"), np.full((SIDE, SIDE, 3), 99, np.uint8))
    size = path.stat().st_size if path.is_file() else 0
    began, answers, growth = time.perf_counter(), {}, 0
    events: list[str] = []
    for name, door in doors(case, path, mine).items():
        recorder.start(folder)
        answers[name] = answer(door)
        heard, grown = recorder.stop()
        events += [f"{name}: {event}" for event in heard]
        growth = max(growth, grown if answers[name] != ["", ""] or name != DRAWS else 0)
    seconds = time.perf_counter() - began
    ran = mark(folder).exists()
    return {"answers": answers, "events": events, "growth": growth, "size": size, "seconds": seconds, "ran": ran}


def main(root: str) -> None:
    torch.set_num_threads(1)
    place, mine = Path(root), opened()
    recorder = Recorder(place)
    warm = Case("warm", "warm", "", "", genuine, shell=True)
    for attempt in range(2):  # what is imported and made at the first use
        row = examine(warm, place / f"warm{attempt}", recorder, mine)
        recorder.usual |= {event.partition(": ")[2] for event in row["events"]}
    gc.freeze()  # what is there by now stays: no file need have it looked through
    rows = {"warm": row}
    for case in CASES:
        rows[f"{case.kind}/{case.name}"] = examine(case, place / case.kind / case.name, recorder, mine)
        print(case.kind, case.name, file=sys.stderr, flush=True)
    (place / "rows.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1])
