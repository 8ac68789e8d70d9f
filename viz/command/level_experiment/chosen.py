"""What the experiment looks at: the detector and the photographs that are asked for, at hand, or to be downloaded."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anatomy
import surgery
from anatomy.families.ultralytics import published
from detectors import demo_scene, demo_weights

MOVES = (0, 1, 5, 11)  # classes by which the rows of each level move, finest level first
NAME = "yolov8n.pt"


def open_model(given: Path | None) -> tuple[Any, bool]:
    """The YOLO object to look at, and whether it is the embedded one; says which it took and why."""
    if given is None and os.environ.get("WORKBENCH_WEIGHTS"):
        given = Path(os.environ["WORKBENCH_WEIGHTS"])
    found = given or published.weights_at_hand(NAME)
    if found is not None:
        model = surgery.load(found)
        print(f"Detector: {found}, {'as asked' if given else 'found at hand'}.")
        return model, False
    reason = published.why_no_download(NAME)
    if reason is None:
        try:
            model = published.download(NAME)
            print(f"Detector: {NAME}, downloaded into this folder.")
            return model, False
        except (OSError, RuntimeError, TypeError) as error:
            reason = f"its download failed ({error})"
    print(f"Detector: the embedded one, on its own scene. {NAME} is not at hand, and {reason}.")
    print(f"          With a {NAME} in this folder, or --weights PATH, the demo runs on photographs.")
    return surgery.load(demo_weights()), True


def choose_pictures(given: Sequence[str], embedded: bool) -> dict[str, Any]:
    """What to look at: a source for ``anatomy.trace`` by name."""
    if given:
        stems = [Path(entry).stem for entry in given]
        numbered = len(set(stems)) < len(stems)  # two folders may hold files of one name
        return {f"{number}-{stem}" if numbered else stem: given[number - 1] for number, stem in enumerate(stems, 1)}
    if embedded:
        return {"scene": demo_scene().image[..., ::-1]}  # predict() takes arrays as BGR
    return dict(published.sample_photographs())


def choose_moves(model: Any) -> dict[int, int]:
    """By how many classes the rows of each level move; raises ValueError where two levels would move alike."""
    levels, classes = anatomy.levels(model), len(anatomy.describe(model).names)
    if len(levels) > len(MOVES) or len({move % classes for move in MOVES[: len(levels)]}) < len(levels):
        raise ValueError(
            f"The change of class tells levels apart only where {len(levels)} levels move by different amounts, but "
            f"moves of {MOVES[: len(levels)]} classes among {classes} do not. anatomy.trace tells the level by index."
        )
    return {level.index: MOVES[level.index] for level in levels}
