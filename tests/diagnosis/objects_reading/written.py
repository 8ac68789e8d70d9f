"""Sets as a user has them on disk, made by hand in a folder."""

import json
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 40, 20


def picture(path: Path) -> Path:
    """A grey image of 40 × 20 px."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 114, np.uint8))
    return path


def labelled(root: Path, name: str, text: str | bytes | None, folder: str = "") -> Path:
    """An image ``images/name.png`` and, unless ``text`` is None, its ``labels/name.txt``."""
    image = picture(root / "images" / folder / f"{name}.png")
    if text is not None:
        path = root / "labels" / folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return image


def data_yaml(root: Path, text: str) -> Path:
    path = root / "data.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def coco(path: Path, images: list, annotations: list | None, categories: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"images": images, "categories": categories}
    path.write_text(json.dumps(data if annotations is None else data | {"annotations": annotations}))
    return path


def codes(problems) -> list[tuple]:
    """(code, line, kept) of each."""
    return [(problem.code, problem.line, problem.kept) for problem in problems]
