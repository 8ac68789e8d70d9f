"""The labels of one image, whatever they were read from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anatomy.shown import Part, Shown, Table, Words

from .problems import Problem


@dataclass(frozen=True, repr=False)
class ImageLabels(Shown):
    """The n objects of one image, in the order of their file.

    ``image``; ``path`` of the file that they were read from, None where there is none. ``class_id`` (n,) int64;
    ``cxcywh`` (n, 4) float64, centre and size as shares of the image's width and height, not clipped; ``crowd`` (n,)
    bool, COCO's regions of many objects; ``segments``: of each object its polygons, (k, 2) xy as shares, () where only
    a box was given; ``lines`` (n,) int64, from 1, or, in a COCO JSON, the place in its ``annotations``, from 0;
    ``problems``. ``names`` {id: name} of the set, empty where unknown; ``size`` (width, height) px of the original as
    a COCO JSON has it, by which its boxes were divided, else None. ``keypoints`` (n, K, 2 or 3) of a pose set, xy as
    shares and whether they are seen, where every object has them, else None.
    """

    image: Path
    path: Path | None
    class_id: np.ndarray
    cxcywh: np.ndarray
    crowd: np.ndarray
    segments: tuple[tuple[np.ndarray, ...], ...]
    lines: np.ndarray
    problems: tuple[Problem, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    keypoints: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.class_id)

    def _title(self) -> str:
        return f"{str(self.image)!r}, {len(self)} objects, {len(self.problems)} problems"

    def _parts(self) -> Iterable[Part]:
        rows = (
            (line, name, " ".join(f"{value:.4f}" for value in box))
            for line, name, box in zip(self.lines.tolist(), self.class_names(), self.cxcywh.tolist(), strict=True)
        )
        if len(self):
            yield Table(("line", "class", "centre and size, shares of the image"), rows, len(self))
        if self.problems:
            yield Words(list(map(str, self.problems)))

    def __str__(self) -> str:
        lines = [f"{self.image}: {len(self)} objects, {len(self.problems)} problems"]
        for name, line, box in zip(self.class_names(), self.lines.tolist(), self.cxcywh, strict=True):
            lines.append(f"  {line}: {name} at {box[0]:.4f} {box[1]:.4f}, size {box[2]:.4f} {box[3]:.4f}")
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])

    def class_names(self) -> tuple[str, ...]:
        """The class name of each object; its id as text where names are unknown."""
        return tuple(self.names.get(label, str(label)) for label in self.class_id.tolist())

    def boxes(self, width: int, height: int) -> np.ndarray:
        """(n, 4) float64 xyxy px of an original of this ``width`` and ``height``, not clipped.

        Raises ValueError where a COCO JSON gives the image another size: its boxes are in px of that one.
        """
        if self.size is not None and self.size != (width, height):
            raise ValueError(
                f"The boxes of {self.path} are in px of an image of {self.size[0]} × {self.size[1]}, but "
                f"{self.image.name} is {width} × {height} px large. Mend width and height in the file, or the image."
            )
        centre, half = self.cxcywh[:, :2], self.cxcywh[:, 2:] / 2
        return np.concatenate((centre - half, centre + half), 1) * (width, height, width, height)
