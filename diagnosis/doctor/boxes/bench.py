"""Outputs that hold one known prediction, and what a decoder makes of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ..layout import TargetLayout
from .readings import Written, declared, predict

HIGH, LOW = 0.98, 0.002
SIDES = (0.7, 2.2, 5.0, 11.0, 26.0)


@dataclass(frozen=True, eq=False)
class Trial:
    """One prediction: ``image`` in the batch, ``level``, ``cell`` (row, column), ``box`` (4,) xyxy px, ``label``, its
    side in strides; ``found``: (boxes (n, 4), labels (n,)) of each image with a score above a half."""

    image: int
    level: int
    cell: tuple[int, int]
    box: np.ndarray
    label: int
    side: float
    outputs: tuple[np.ndarray, ...]
    found: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


class Unreadable(Exception):
    """An output, or its lack, that ends the check; ``code`` names the fault."""

    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


class Bench:
    """Makes outputs, calls the decoder and reads what it returns; ValueError where strides do not fit."""

    decode: Any  # None where nothing is decoded

    def __init__(
        self,
        decode: Callable | None,
        layout: TargetLayout,
        image_size: tuple[int, int],
        batch: int,
        prepare: Callable | None,
        rng: np.random.Generator,
    ):
        if any(side % stride for side in image_size for stride in layout.strides) or batch < 1:
            raise ValueError(
                f"image_size must be multiples of {layout.strides} and batch at least 1, not {image_size}, {batch}."
            )
        self.decode, self.layout, self.size, self.batch = decode, layout, image_size, batch
        self.prepare, self.rng, self.asked = prepare, rng, 0
        self.shapes = [(int(image_size[0] / s), int(image_size[1] / s)) for s in layout.strides]
        self.channels = layout.channels

    def write(self, level: int, boxes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(n, 4) box channels of these boxes at these cells."""
        return predict(declared(self.layout, self.layout.strides[level]), self.written(level, boxes, rows, columns))

    def written(
        self,
        level: int,
        boxes: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray,
        values: np.ndarray | None = None,
    ) -> Written:
        """Boxes (n, 4) at these cells, with the channels ``values`` (n, 4) that hold them, if they are known."""
        n = len(boxes)
        cells = rows.astype(float), columns.astype(float)
        named: dict[str, np.ndarray] = {}
        if values is not None:
            named = dict.fromkeys(("here", "hwc", "transposed"), values)
        return Written(
            boxes,
            np.tile(np.array(self.size, float), (n, 1)),
            np.tile(self.shapes[level], (n, 1)),
            *cells,
            np.stack(cells, 1),
            named,
            self.layout.strides[level],
        )

    def box(self, level: int, rows: np.ndarray, columns: np.ndarray, side: float) -> np.ndarray:
        """(n, 4) boxes whose centres lie within these cells, about ``side`` strides wide."""
        stride, n = self.layout.strides[level], len(rows)
        x, y = (np.stack((columns, rows)) + self.rng.uniform(0.25, 0.75, (2, n))) * stride
        w, h = side * stride * self.rng.uniform(0.7, 1.0, (2, n))
        if self.layout.format == "ltrb":
            w, h = np.maximum(w, 0.62 * stride), np.maximum(h, 0.62 * stride)
        return np.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2), 1)

    def noise(self) -> list[np.ndarray]:
        """A batch of outputs without objects, with a random sensible box in every cell."""
        found = []
        for level, (rows, columns) in enumerate(self.shapes):
            out = np.full((self.batch, self.channels, rows, columns), LOW)
            row, column = (part.reshape(-1) for part in np.indices((rows, columns)))
            for image in range(self.batch):
                values = self.write(level, self.box(level, row, column, 0.9), row, column)
                out[image][list(self.layout.box)] = values.T.reshape(4, rows, columns)
            found.append(out)
        return found

    def trials(self) -> list[Trial]:
        """Single predictions of several sides on every level and image, decoded."""
        found = []
        for level, (height, width) in enumerate(self.shapes):
            for side in SIDES:
                if side * self.layout.strides[level] > 0.9 * min(self.size) and side > 1:
                    continue
                for image in range(self.batch):
                    for _ in range(3):
                        cell = int(self.rng.integers(0, height)), int(self.rng.integers(0, width))
                        found.append(self.call(self.trial(level, cell, image, side)))
        return found

    def trial(self, level: int, cell: tuple[int, int], image: int, side: float) -> Trial:
        """One prediction among noise, not decoded yet."""
        outputs = self.noise()
        row, column = np.array([cell[0]]), np.array([cell[1]])
        box = self.box(level, row, column, side)
        label = int(self.rng.integers(len(self.layout.class_channels)))
        self.place(outputs, level, cell, image, box, label)
        return Trial(image, level, cell, box[0], label, side, tuple(outputs))

    def place(
        self,
        outputs: Sequence[np.ndarray],
        level: int,
        cell: tuple[int, int],
        image: int,
        box: np.ndarray,
        label: int,
    ) -> None:
        """Write one prediction, of a box (1, 4), into outputs."""
        at = outputs[level][image, :, cell[0], cell[1]]
        at[list(self.layout.box)] = self.write(level, box, np.array([cell[0]]), np.array([cell[1]]))[0]
        at[self.layout.class_channels[label]] = HIGH
        if self.layout.objectness is not None:
            at[self.layout.objectness] = HIGH

    def again(self, trial: Trial, same: bool) -> Trial:
        """The same prediction among other noise: in its own image (``same``), or in the other images only."""
        fresh, outputs = self.noise(), [level.copy() for level in trial.outputs]
        for level, (old, new) in enumerate(zip(outputs, fresh, strict=True)):
            for image in range(self.batch):
                if (image == trial.image) == same:
                    old[image] = new[image]
            if same and level == trial.level:
                self.place(outputs, level, trial.cell, trial.image, trial.box[None], trial.label)
        return self.call(
            Trial(trial.image, trial.level, trial.cell, trial.box, trial.label, trial.side, tuple(outputs))
        )

    def call(self, trial: Trial) -> Trial:
        """A trial with what the decoder finds; Unreadable where it raises or returns none of the forms."""
        tensors = [torch.tensor(level, dtype=torch.float32) for level in trial.outputs]
        self.asked += 1
        try:
            with torch.no_grad():
                out = self.decode(self.prepare(tensors) if self.prepare else tensors)
        except Exception as error:
            raise Unreadable(
                "raises", f"a batch of {self.batch} at {self.size} raises {type(error).__name__}: {error}"
            ) from error
        found = tuple(_read(out, self.batch))
        return Trial(trial.image, trial.level, trial.cell, trial.box, trial.label, trial.side, trial.outputs, found)


def _read(out: object, batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each image's boxes and labels of scores above a half; Unreadable where the output is none of the forms."""
    form = "boxes (B, N, 4) with scores (B, N, classes), or a (n, 6) tensor or a mapping for each image, are needed"
    if isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(p, Tensor) and p.dim() == 3 for p in out):
        boxes, scores = (part.detach().cpu().double().numpy() for part in out)
        if boxes.shape[-1] != 4 or boxes.shape[:2] != scores.shape[:2] or len(boxes) != batch:
            raise Unreadable("wrong_output", f"{form}, but {boxes.shape} and {scores.shape} came for {batch} images")
        parts = [(b, s.max(1), s.argmax(1)) for b, s in zip(boxes, scores, strict=True)]
    elif isinstance(out, (tuple, list, Tensor)) and len(out) == batch:
        parts = []
        for one in cast("Iterable[Any]", out):
            if isinstance(one, Tensor) and one.dim() == 2 and one.shape[1] >= 6:
                table = one.detach().cpu().double().numpy()
                parts.append((table[:, :4], table[:, 4], table[:, 5]))
            elif _is_mapping(one):
                named: Any = one
                parts.append(tuple(named[k].detach().cpu().double().numpy() for k in ("boxes", "scores", "labels")))
            else:
                raise Unreadable("wrong_output", f"{form}, but {getattr(one, 'shape', type(one))} came for an image")
    else:
        raise Unreadable("wrong_output", f"{form}, but {type(out).__name__} came")
    found = []
    for boxes, scores, labels in parts:
        if not np.isfinite(boxes).all() or not np.isfinite(scores).all():
            raise Unreadable("non_finite", "boxes or scores hold NaN or infinity")
        sure = scores > 0.5
        found.append((boxes[sure], labels[sure].astype(int)))
    return found


def _is_mapping(one: Any) -> bool:
    """Whether an output holds boxes, scores and labels by name."""
    return hasattr(one, "keys") and {"boxes", "scores", "labels"} <= set(one.keys())
