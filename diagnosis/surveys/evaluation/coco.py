"""AP, AP50, AP75, APs, APm, APl by COCO's rules, from either of two engines behind one thin adapter."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .pairs import Images, Labels, Pairs

CAP = 100  # detections of a class an image that COCO looks at
ENGINES = ("hotcoco", "faster_coco_eval")


def coco_by_class(
    pairs: Pairs, kept: np.ndarray, labels: Labels, images: Images, classes: np.ndarray, *, engine: str = "hotcoco"
) -> np.ndarray:
    """(k, 6) AP, AP50, AP75, APs, APm, APl of each of ``classes`` (k,), nan where there is no object of that size.

    Boxes in px of the original, clipped to the image; the area of an object is that of its box.
    Raises ValueError for an unknown engine, ImportError where its package is missing.
    """
    evaluate = _engine(engine)
    rows = np.flatnonzero(kept & np.isin(pairs.class_id, classes))
    true = labels[np.isin(labels.class_id, classes)]
    if not len(classes) or not len(true.image):
        return np.full((len(classes), 6), np.nan)
    boxes, objects = _xywh(pairs.xyxy[rows]), _xywh(true.xyxy)
    detections = np.column_stack(
        (pairs.image[rows] + 1, boxes, pairs.confidence[rows].astype(np.float64), pairs.class_id[rows] + 1)
    )
    truth = np.column_stack((true.image + 1, objects, true.class_id + 1))
    precision = evaluate(truth, detections, images.size, classes + 1)
    return _six(np.where(precision < 0, np.nan, precision))


def _six(precision: np.ndarray) -> np.ndarray:
    """The six scores of precision (10 thresholds, 101 recalls, k classes, 4 sizes: all, small, medium, large)."""
    by_threshold = precision.mean(1)  # a class has a number at every recall and threshold, or at none
    return np.column_stack(
        (
            by_threshold[:, :, 0].mean(0),
            by_threshold[0, :, 0],
            by_threshold[5, :, 0],
            *(by_threshold[:, :, size].mean(0) for size in (1, 2, 3)),
        )
    )


def _xywh(boxes: np.ndarray) -> np.ndarray:
    return np.column_stack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))


Engine = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _engine(name: str) -> Engine:
    """The engine of a name: from labels (m, 6) image, x, y, w, h, class; detections (n, 7) image, x, y, w, h, score,
    class; sizes (I, 2); categories (k,) to precision (10, 101, k, 4), -1 where there is no object. Ids from 1.
    """
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, but {name!r} was given.")
    try:
        return _hotcoco() if name == "hotcoco" else _faster_coco_eval()
    except ImportError as error:
        raise ImportError(
            f"Scores by COCO's rules need the package {name}, which is not installed. "
            'Install it with `pip install "detector-workbench[survey]"`.'
        ) from error


def _hotcoco() -> Engine:
    from hotcoco import COCO, COCOeval

    def evaluate(truth: np.ndarray, detections: np.ndarray, sizes: np.ndarray, categories: np.ndarray) -> np.ndarray:
        known = COCO.from_arrays(
            _pictures(sizes),
            _categories(categories),
            truth[:, 0].astype(np.int64),
            truth[:, 5].astype(np.int64),
            truth[:, 1:5],
            area=truth[:, 3] * truth[:, 4],
        )
        evaluation = COCOeval(known, known.load_res(detections), "bbox")
        evaluation.params.max_dets = [CAP]
        evaluation.evaluate()
        evaluation.accumulate()
        return _precision(evaluation.eval)

    return evaluate


def _faster_coco_eval() -> Engine:
    from faster_coco_eval import COCO, COCOeval_faster

    def evaluate(truth: np.ndarray, detections: np.ndarray, sizes: np.ndarray, categories: np.ndarray) -> np.ndarray:
        boxes = zip(truth[:, 0].tolist(), truth[:, 1:5].tolist(), truth[:, 5].tolist(), strict=True)
        objects = [
            {
                "id": index,
                "image_id": int(image),
                "category_id": int(category),
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for index, (image, box, category) in enumerate(boxes, start=1)
        ]
        known = COCO({"images": _pictures(sizes), "categories": _categories(categories), "annotations": objects})
        found = [
            {"image_id": int(row[0]), "bbox": row[1:5], "score": row[5], "category_id": int(row[6])}
            for row in detections.tolist()
        ]
        evaluation = COCOeval_faster(known, known.loadRes(found), "bbox", print_function=_silent)
        evaluation.params.maxDets = [CAP]
        evaluation.evaluate()
        evaluation.accumulate()
        return _precision(evaluation.eval)

    return evaluate


def _precision(answer: Any) -> np.ndarray:
    return np.asarray(answer["precision"])[..., -1]


def _pictures(sizes: np.ndarray) -> list[dict[str, Any]]:
    return [{"id": index, "width": width, "height": height} for index, (width, height) in enumerate(sizes.tolist(), 1)]


def _categories(categories: np.ndarray) -> list[dict[str, Any]]:
    return [{"id": category, "name": str(category)} for category in categories.tolist()]


def _silent(*_: Any) -> None:
    """Instead of print."""
