"""Sets whose labels are right, and the same written wrongly; what Ultralytics makes of a set."""

from pathlib import Path

import cv2
import numpy as np
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset
from ultralytics.utils import LOGGER

from diagnosis import LabelReport, Mend, Reading

SIZES = ((48, 20), (20, 48), (32, 32), (64, 40))  # (width, height) of the images in turn
NAMES = ("bird", "cat", "dog")


def right_boxes(count: int, seed: int = 0) -> np.ndarray:
    """(count, 4) xyxy, shares, well inside the image and apart from one another in every number."""
    rng = np.random.default_rng(seed)
    centre, half = rng.uniform(0.4, 0.6, (count, 2)), rng.uniform(0.1, 0.2, (count, 2))
    return np.concatenate((centre - half, centre + half), 1)


def picture(path: Path, size: tuple[int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), 114, np.uint8))
    return path


def rows_text(quads: np.ndarray, classes) -> str:
    return "".join(f"{c} {' '.join(f'{n:.10g}' for n in quad)}\n" for c, quad in zip(classes, quads, strict=True))


def plant(root: Path, reading: Reading, folder: str = "images/val", count: int = 4) -> dict[str, np.ndarray]:
    """Images of several sizes whose three boxes each are written by a reading; returns the right boxes by name."""
    right = {}
    for i in range(count):
        size, name = SIZES[i % len(SIZES)], f"{i}.png"
        image = picture(root / folder / name, size)
        right[name] = right_boxes(3, seed=i)
        label = Path("/labels/".join(str(image).rsplit("/images/", 1))).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(rows_text(reading.written(right[name], size), (0, 1, 2)))
    return right


def data_yaml(root: Path, text: str = "") -> Path:
    path = root / "data.yaml"
    path.write_text(text or f"path: .\ntrain: images/val\nval: images/val\nnames: {list(NAMES)}\n")
    return path


def report_of(images, **mend) -> LabelReport:
    """A report with one mend of these images."""
    reading = mend.get("reading", Reading())
    codes = (*mend.pop("codes", ()), *reading.codes)
    return LabelReport(subject="planted", mends=(Mend(images=tuple(map(Path, images)), codes=codes, **mend),))


def loaded(path: Path, split: str = "val", task: str = "detect") -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What Ultralytics' own data set holds of a split: by file name, classes (n,) and boxes xyxy (n, 4), shares."""
    data = check_det_dataset(str(path), autodownload=False)
    LOGGER.setLevel("ERROR")
    found = YOLODataset(data[split], data=data, task=task, augment=False)
    LOGGER.setLevel("INFO")
    made = {}
    for label in found.labels:
        centre, half = label["bboxes"][:, :2], label["bboxes"][:, 2:] / 2
        made[Path(label["im_file"]).name] = (
            label["cls"][:, 0].astype(int),
            np.concatenate((centre - half, centre + half), 1),
        )
    return made
