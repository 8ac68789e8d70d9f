"""What the faults of labels are planted in: photographs and scenes with right labels, and what models see in them."""

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from benchmarks.label_planting import Subject
from detectors import Scene, demo_weights, draw_scene
from diagnosis import read_labels
from diagnosis.labels.looking import seen_in

CACHE = Path(tempfile.gettempdir()) / "label_faults"
SCENE_SIZES = ((240, 320), (320, 240), (320, 320), (288, 384))
SCENE_SEED = 9_000_000


def seen_photographs(folder: Path | None, weights: Sequence[str]) -> Iterator[Subject]:
    """A subject for each NAME=FILE[@IMGSZ]; none without photographs."""
    from ultralytics import YOLO

    from anatomy import trace

    if folder is None:
        return
    labels = read_labels(folder / "data.yaml")
    truth = [(one.class_id, _corners(one.cxcywh)) for one in labels]
    for entry in weights:
        title, _, place = entry.partition("=")
        file, _, side = place.partition("@")
        made = CACHE / f"{title}.pickle"
        if not made.exists():
            model, size = YOLO(file), int(side or 640)
            images = tqdm(labels.images, desc=title, unit="image")
            _keep(made, [seen_in(trace(model, str(path), imgsz=size)) for path in images])
        yield Subject(title=title, seen=_kept(made), truth=truth, names=labels.names)


def scenes(count: int) -> Subject:
    """Scenes of several sizes, and what the bundled detector sees in them."""
    from ultralytics import YOLO

    from anatomy import trace
    from detectors.scenes.scenes import CLASS_NAMES

    made = CACHE / f"scenes{count}.pickle"
    if not made.exists():
        model, seen, truth = YOLO(demo_weights()), [], []
        for i in tqdm(range(count), desc="scenes", unit="scene"):
            scene = scene_of(i)
            height, width = scene.image.shape[:2]
            truth.append((scene.labels, scene.boxes.astype(np.float64) / (width, height, width, height)))
            seen.append(seen_in(trace(model, np.ascontiguousarray(scene.image[..., ::-1]), imgsz=320)))
        _keep(made, (seen, truth))
    seen, truth = _kept(made)
    return Subject(title="scenes", seen=seen, truth=truth, names=dict(enumerate(CLASS_NAMES)))


def scene_of(place: int) -> Scene:
    """One of the scenes, always the same."""
    return draw_scene(SCENE_SEED + place, SCENE_SIZES[place % len(SCENE_SIZES)])


def _corners(cxcywh: np.ndarray) -> np.ndarray:
    centre, half = cxcywh[:, :2], cxcywh[:, 2:] / 2
    return np.concatenate((centre - half, centre + half), 1)


def _keep(path: Path, what: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(what))


def _kept(path: Path) -> Any:
    return pickle.loads(path.read_bytes())
