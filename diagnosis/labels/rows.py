"""The rows of many label files as they stand there, compactly: also those that a reader drops."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..objects.reading import ImageLabels, Problem

LOST = ("empty_box", "off_image", "class_negative", "class_unknown")
"""Problems that drop a row which may be right under another reading."""


@dataclass(frozen=True)
class Rows:
    """``image`` (n,) int64, place in the list of images, ascending; ``line`` (n,) int64; ``class_id`` (n,) int64.

    ``quads`` (n, 4) float64, the four numbers of a box as written, cx cy w h of the hull of a polygon; ``polygon``
    (n,) bool. A box of a COCO JSON stands there by itself, whatever its outline.
    """

    image: np.ndarray
    line: np.ndarray
    class_id: np.ndarray
    quads: np.ndarray
    polygon: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def chosen(self, which: np.ndarray) -> "Rows":
        """Those of a mask (n,) or of indices."""
        return Rows(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def of_images(self, images: np.ndarray) -> "Rows":
        """The rows of some images, ascending, which are then numbered from 0."""
        place = np.searchsorted(images, self.image)
        mine = (place < len(images)) & (images[np.minimum(place, len(images) - 1)] == self.image)
        found = self.chosen(mine)
        return Rows(**{**vars(found), "image": place[mine]})

    def moved(self, by: int, images: int) -> "Rows":
        """The rows as those of the image so many places further on, of so many ``images`` in all."""
        image = self.image + by
        inside = (image >= 0) & (image < images)
        return Rows(**{**vars(self.chosen(inside)), "image": image[inside]})


def gather(parts: Iterable[Rows]) -> Rows:
    """Many rows as one."""
    listed = [_none(), *parts]
    columns = [field.name for field in fields(Rows)]
    return Rows(**{name: np.concatenate([getattr(part, name) for part in listed]) for name in columns})


def rows_of(place: int, labels: ImageLabels) -> Rows:
    """The rows of one image, those left out among them, in the order of their lines."""
    kept = Rows(
        image=np.full(len(labels), place, np.int64),
        line=labels.lines,
        class_id=labels.class_id,
        quads=labels.cxcywh,
        polygon=np.array([bool(segments) and labels.size is None for segments in labels.segments], bool),
    ).chosen(~labels.crowd)
    lost = [_of_problem(place, problem, labels.size) for problem in labels.problems if _is_lost(problem)]
    found = gather([kept, *lost])
    return found.chosen(np.argsort(found.line, kind="stable"))


def _is_lost(problem: Problem) -> bool:
    return not problem.kept and problem.code in LOST and len(problem.values) >= 5 and -1e9 < problem.values[0] < 1e9


def _of_problem(place: int, problem: Problem, size: tuple[int, int] | None) -> Rows:
    """A row that was dropped; of a COCO JSON, whose boxes are x y w h px of an image of ``size``, as shares."""
    numbers = np.array(problem.values[1:], np.float64)
    polygon = size is None and len(numbers) >= 6 and len(numbers) % 2 == 0
    if polygon:
        points = numbers.reshape(-1, 2)
        low, high = points.min(0), points.max(0)
        quad = np.concatenate(((low + high) / 2, high - low))
    else:
        quad = numbers[:4]
    if size is not None:
        quad = np.concatenate((quad[:2] + quad[2:] / 2, quad[2:])) / np.tile(size, 2)
    return Rows(
        image=np.array([place]),
        line=np.array([problem.line or 0]),
        class_id=np.array([int(problem.values[0])]),
        quads=quad[None],
        polygon=np.array([polygon]),
    )


def _none() -> Rows:
    whole: Any = np.empty(0, np.int64)
    return Rows(image=whole, line=whole, class_id=whole, quads=np.empty((0, 4)), polygon=np.empty(0, bool))
