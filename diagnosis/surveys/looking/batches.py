"""Batches of images through the network, and what was seen as rows of the four tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anatomy import Trace
from anatomy.head.batches import Batch
from anatomy.head.head import Head
from anatomy.head.passes import run_batch

from ...objects.reading import ImageLabels
from ..evaluation.selection import evaluation_rows
from ..evaluation.table import EvaluationRows
from ..settings import FLOOR
from ..tables import EVALUATION, IMAGES, OBJECTS, detections_schema
from .image_rows import Truth, image_rows
from .own_selection import own_selection
from .task import Task
from .working_point import confident

if TYPE_CHECKING:
    from polars import DataFrame

NO_FAULTS = ("empty_file", "missing_file")  # what is told of labels, but is usual of an image without objects


@dataclass(frozen=True)
class Looking:
    """Gathers rows image by image; ``tables`` gives them."""

    head: Head
    task: Task
    _rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"images": [], "objects": [], "detections": []}
    )
    _evaluation: list["DataFrame"] = field(default_factory=list)

    def add(self, batch: Batch, pictures: Sequence[np.ndarray | str]) -> None:
        """Look at one batch: (H, W, 3) uint8 BGR of each image, or why it could not be read."""
        seen: dict[int, np.ndarray] = {}
        for index, picture in zip(batch.indices, pictures, strict=True):
            if isinstance(picture, str):
                self._rows["images"].append(self._image(index, self.task.labels[index], error=picture))
            else:
                seen[index] = picture
        if not seen:
            return
        args = {"conf": FLOOR if self._one_pass_for_both else self.task.settings.conf, "iou": self.task.settings.iou}
        args |= self.task.predict_args
        passes = run_batch(self.head, list(seen.values()), batch, imgsz=self.task.settings.imgsz, **args)
        for index, pass_ in zip(seen, passes, strict=True):
            self._add(index, Trace(self.head, pass_.evolve(path=str(self.task.labels.images[index]))))

    def tables(self) -> dict[str, "DataFrame"]:
        """The four tables, by name."""
        import polars

        schemas = {
            "images": IMAGES,
            "objects": OBJECTS,
            "detections": detections_schema(level.name for level in self.head.levels),
        }
        made = {name: polars.DataFrame(rows, schema=schemas[name]) for name, rows in self._rows.items()}
        empty = polars.DataFrame(schema=EVALUATION)
        return made | {"evaluation": polars.concat([empty, *self._evaluation])}

    @property
    def _one_pass_for_both(self) -> bool:
        """Whether the family says nothing of validation: then a pass at a low confidence serves both selections."""
        return type(self.head).evaluated is Head.evaluated

    def _add(self, index: int, trace: Trace) -> None:
        settings, labels, (height, width) = self.task.settings, self.task.labels[index], trace.image.shape[:2]
        try:
            truth = self._truth(labels, width, height)
        except ValueError as error:  # labels of an image of another size
            self._rows["images"].append(self._image(index, labels, error=str(error)))
            return
        self._evaluation.append(self._evaluated(trace).to_df(index))
        working = confident(trace, settings.conf) if self._one_pass_for_both else trace
        key = {"number": index, "image": trace.path}
        made = image_rows(key, working, truth, settings.match_iou, settings.conf)
        self._rows["objects"] += made.objects
        self._rows["detections"] += made.detections
        box = trace.letterbox
        told = {
            "height": height,
            "width": width,
            "input_height": box.input_shape[0],
            "input_width": box.input_shape[1],
            "gain_x": box.gain[0],
            "gain_y": box.gain[1],
            "pad_x": float(box.pad[0]),
            "pad_y": float(box.pad[1]),
            "objects": len(made.objects),
            "found": made.found,
            "detections": len(made.detections),
        }
        self._rows["images"].append(self._image(index, labels) | told)

    def _truth(self, objects: ImageLabels, width: int, height: int) -> Truth | None:
        """The objects of an image; COCO's crowds, which stand for many objects, are none. None without labels."""
        if not self.task.labels.truth:
            return None
        ids = np.asarray([self.task.class_map[label] for label in objects.class_id.tolist()], np.int64)
        return Truth(boxes=objects.boxes(width, height)[~objects.crowd], class_id=ids[~objects.crowd])

    def _image(self, index: int, labels: ImageLabels, error: str | None = None) -> dict[str, Any]:
        problems = [problem for problem in labels.problems if problem.code not in NO_FAULTS]
        known = {
            "number": index,
            "image": str(self.task.labels.images[index]),
            "objects": 0,
            "found": 0,
            "detections": 0,
            "error": error,
            "label_problems": len(problems),
        }
        return dict.fromkeys(IMAGES) | known

    def _evaluated(self, trace: Trace) -> EvaluationRows:
        """What validation keeps of an image."""
        given = self.head.evaluated(trace.run)
        if given is None:
            return own_selection(trace, self.task.settings.ablation)
        boxes, scores = given
        return evaluation_rows(
            boxes,
            scores,
            trace.places().level,
            conf=FLOOR,
            iou=self.task.settings.iou,
            max_det=self.task.settings.max_det,
            nms=trace.branch != "one2one",
            ablation=self.task.settings.ablation,
        )
