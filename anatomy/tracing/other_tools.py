"""Detections as the values that other tools take: supervision's, and COCO's results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import whole_number
from .detections import Detections


def as_supervision(found: Detections) -> Any:
    """A ``supervision.Detections``; ``data`` has class and level by name, level, row, col and anchor of each box."""
    try:
        import supervision  # pyright: ignore[reportMissingImports]  # installed by whoever wants it
    except ImportError as error:
        raise ImportError("supervision is not installed: pip install supervision.") from error
    names = {"class_name": np.array(found.class_name, dtype=str), "level_name": np.array(found.level_name, dtype=str)}
    numbers = {"level": found.level, "row": found.row, "col": found.col, "anchor": found.anchor}
    return supervision.Detections(
        xyxy=found.xyxy.astype(np.float32).reshape(-1, 4),
        confidence=found.confidence,
        class_id=found.class_id.astype(int),
        data=names | numbers,
    )


def as_coco(found: Detections, path: str, image_id: Any, categories: Mapping[int, int] | None) -> list[dict[str, Any]]:
    """One entry of COCO's results format a detection: https://cocodataset.org/#format-results."""
    if image_id is None:
        stem = Path(path).stem
        image_id = int(stem) if stem.isdecimal() else stem
    known = {} if categories is None else {whole_number(old, "A class id"): new for old, new in categories.items()}
    lacking = sorted(set(found.class_id.tolist()) - set(known)) if categories is not None else []
    if lacking:
        raise ValueError(f"categories says the COCO category of each class id, but it has none for {lacking}.")
    corner, far = found.xyxy[:, :2].astype(float), found.xyxy[:, 2:].astype(float)
    boxes = np.concatenate([corner, far - corner], axis=1).tolist()
    return [
        {"image_id": image_id, "category_id": known.get(index, index), "bbox": box, "score": float(score)}
        for index, box, score in zip(found.class_id.tolist(), boxes, found.confidence, strict=True)
    ]
