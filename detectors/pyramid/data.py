"""Data sets in YOLO's format: a data YAML, images, and a text file of boxes for each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor
from torch.utils.data import Dataset

from anatomy.head.images import image_files, read_image

from .images import letterbox, to_tensor


@dataclass(frozen=True)
class DataFile:
    """A data YAML: class names and the images of both splits."""

    names: tuple[str, ...]
    train: tuple[Path, ...]
    val: tuple[Path, ...]


def open_data(path) -> DataFile:
    """Reads a data YAML (path, train, val, names); splits are folders, lists of images (.txt) or lists of either.

    Raises FileNotFoundError for a file or folder that is missing, ValueError for a key or an image that is.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no data YAML {str(path)!r}.")
    content = yaml.safe_load(path.read_text())
    missing = [key for key in ("train", "val", "names") if not isinstance(content, dict) or not content.get(key)]
    if missing:
        raise ValueError(f"{path} needs train, val and names, but lacks {', '.join(missing)}.")
    names = content["names"]
    names = tuple(str(names[i]) for i in range(len(names)))
    root = path.parent / content.get("path", "")
    return DataFile(names, *(tuple(_images(root, content[split])) for split in ("train", "val")))


def _images(root: Path, entry) -> list[Path]:
    if isinstance(entry, list):
        return [image for one in entry for image in _images(root, one)]
    place = root / entry
    if place.suffix == ".txt" and place.is_file():
        found = [place.parent / line.strip() for line in place.read_text().splitlines() if line.strip()]
    elif place.is_dir():
        found = [
            image
            for folder in (place, *sorted(p for p in place.rglob("*") if p.is_dir()))
            for image in image_files(folder)
        ]
    else:
        raise FileNotFoundError(f"There is no folder or list of images {str(place)!r}.")
    if not found:
        raise ValueError(f"{str(place)!r} holds no image.")
    return found


def label_file(image: Path) -> Path:
    """Where the boxes of an image are written: the last folder named ``images`` becomes ``labels``."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def read_labels(path: Path, image_size: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) xyxy px and labels (n,) int64 of one label file; none where there is no file.

    Each line holds a class, then centre and size over those of the image, (height, width) px. Boxes are cut off at the
    image's edges, and left out where nothing remains. Raises ValueError for anything else.
    """
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()] if path.is_file() else []
    try:
        table = np.array([[float(value) for value in row] for row in rows], np.float64).reshape(-1, 5)
    except ValueError as error:
        raise ValueError(f"Each line of {path} must hold a class and four numbers.") from error
    labels = table[:, 0].astype(np.int64)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"{path} has classes {labels.min()} to {labels.max()}, but the data YAML names {classes}.")
    whole = np.array([image_size[1], image_size[0]] * 2, np.float64)
    boxes = np.concatenate((table[:, 1:3] - table[:, 3:5] / 2, table[:, 1:3] + table[:, 3:5] / 2), 1) * whole
    boxes = boxes.clip(0, whole)
    kept = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) > 0.5
    return boxes[kept], labels[kept]


@dataclass(frozen=True)
class Sample:
    """One training image in the network's input frame: RGB in 0..1, boxes (n, 4) xyxy px, and targets a level."""

    image: Tensor
    boxes: Tensor
    labels: Tensor
    targets: tuple[Tensor, ...]


Encoder = Callable[[Tensor, Tensor, tuple[int, int]], tuple[Tensor, ...]]


class YoloFolder(Dataset):
    """The images of one split, letterboxed to a square of ``imgsz`` px; from index ``len`` on, mirrored."""

    def __init__(self, images: tuple[Path, ...], classes: int, imgsz: int, encode: Encoder):
        self.images, self.classes, self.encode = images, classes, encode
        self.size = (imgsz, imgsz)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        mirrored, index = divmod(index, len(self))
        image = read_image(self.images[index])
        boxes, labels = read_labels(label_file(self.images[index]), image.shape[:2], self.classes)
        frame, box = letterbox(image, self.size)
        boxes = torch.from_numpy(box.to_input(boxes)).float()
        if mirrored:
            frame = frame[:, ::-1]
            boxes = torch.stack((self.size[1] - boxes[:, 2], boxes[:, 1], self.size[1] - boxes[:, 0], boxes[:, 3]), 1)
        labels = torch.from_numpy(labels)
        return Sample(to_tensor(frame)[0], boxes, labels, self.encode(boxes, labels, self.size))


@dataclass(frozen=True)
class Batch:
    """Images (B, 3, H, W), targets (B, C, h, w) a level, and the boxes and labels of each image."""

    images: Tensor
    targets: tuple[Tensor, ...]
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]


def collate(samples: list[Sample]) -> Batch:
    """Stacks samples of one size."""
    return Batch(
        torch.stack([sample.image for sample in samples]),
        tuple(map(torch.stack, zip(*(sample.targets for sample in samples), strict=True))),
        tuple(sample.boxes for sample in samples),
        tuple(sample.labels for sample in samples),
    )
