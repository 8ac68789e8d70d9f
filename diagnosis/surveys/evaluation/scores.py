"""How good a detector is on the surveyed set: by COCO's rules and by Ultralytics', each under its own name."""

from typing import TYPE_CHECKING

import numpy as np

from .pairs import Surveyed
from .scoreboard import SCORES, Scoreboard, over_classes

if TYPE_CHECKING:
    from polars import DataFrame

CONVENTIONS = """\
AP, AP50, AP75, APs, APm, APl: by COCO's rules. Boxes in px of the original, clipped to the image, not rounded; of the
boxes that validation keeps of an image (score above 0.001, max_det at most), the best 100 of each class; the area of an
object is that of its labelled box, not of a mask, and decides small (to 32² px), medium (to 96² px) and large.
mAP50, mAP50_95: by Ultralytics' rules, as model.val() prints them. Boxes in px of the network input, not clipped; all
boxes that validation keeps of an image; precision interpolated in another way. The two differ by some thousandths on
the same boxes: compare each with its own kind alone.
Both: the mean over the classes that have labels (APs, APm, APl: labels of that size). A class without labels counts
for nothing, and so do its false alarms; what has no object at all is nan, where COCO writes -1 and Ultralytics 0."""


def scores(survey: Surveyed, *, engine: str = "hotcoco") -> dict[str, float]:
    """AP, AP50, AP75, APs, APm, APl by COCO's rules; mAP50 and mAP50_95 by Ultralytics'.

    The two kinds differ in interpolation, caps (100 of a class an image after ``max_det`` of the image, against
    ``max_det`` alone) and frame (original and clipped, against network input): ``CONVENTIONS`` says it in full.
    nan: no object (of that size). ``engine``: "hotcoco" or "faster_coco_eval", which agree.
    Raises ValueError without labels, ImportError where the engine is not installed.
    """
    return _named(over_classes(Scoreboard(survey, engine).plain))


def scores_by_class(survey: Surveyed, *, engine: str = "hotcoco") -> "DataFrame":
    """The same of each class, one row a class: ``class_id``, ``class_name``, ``objects``, then the scores.

    nan where a class has no object (of that size).
    """
    import polars

    board = Scoreboard(survey, engine)
    columns = {
        "class_id": polars.Series(board.classes, dtype=polars.Int32),
        "class_name": [survey.names[class_id] for class_id in board.classes.tolist()],
        "objects": polars.Series(board.objects, dtype=polars.Int32),
    }
    return polars.DataFrame(columns | {name: board.plain[:, i] for i, name in enumerate(SCORES)})


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(SCORES, values.tolist(), strict=True))
