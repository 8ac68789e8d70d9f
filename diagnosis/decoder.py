"""Give a decoder one known prediction at one known cell, and name what it makes of it instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .contents import ENOUGH, Written, declared, explain, predict
from .layout import TargetLayout
from .notes import Notes
from .report import Report

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


def check_decoder(
    decode: Callable,
    layout: TargetLayout,
    *,
    image_size: tuple[int, int] = (384, 640),
    batch: int = 2,
    prepare: Callable[[list[Tensor]], list[Tensor]] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``decode(outputs)``: one known prediction must come out as that one box.

    ``outputs``: a (B, C, h, w) tensor a level in ``layout``, classes and objectness as probabilities. Where the head's
    raw outputs are something else (logits, exponents, bins), ``prepare`` turns such a list into what ``decode`` takes;
    it clamps to what the head can express. ``decode`` returns boxes (B, N, 4) xyxy px and scores (B, N, classes), or
    for each image a tensor (n, 6) of xyxy, score, class, or a mapping with "boxes", "scores" and "labels".
    """
    if any(side % stride for side in image_size for stride in layout.strides) or batch < 1:
        raise ValueError(
            f"image_size must be multiples of {layout.strides} and batch at least 1, not {image_size}, {batch}."
        )
    bench = _Bench(decode, layout, image_size, batch, prepare, np.random.default_rng(seed))
    notes = Notes(len(layout.strides))
    try:
        trials = bench.trials()
    except _Unreadable as error:
        notes.add(error.code, str(error))
        return Report("decoder", notes.findings(set()), bench.asked)
    _judge(trials, bench, notes)
    return Report("decoder", notes.findings(set(range(len(layout.strides)))), bench.asked)


class _Unreadable(Exception):
    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


class _Bench:
    """Makes outputs, calls the decoder and reads what it returns."""

    def __init__(self, decode, layout, image_size, batch, prepare, rng):
        self.decode, self.layout, self.size, self.batch = decode, layout, image_size, batch
        self.prepare, self.rng, self.asked = prepare, rng, 0
        self.shapes = [(int(image_size[0] / s), int(image_size[1] / s)) for s in layout.strides]
        self.channels = layout.channels

    def write(self, level: int, boxes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(n, 4) box channels of these boxes at these cells."""
        return predict(declared(self.layout, self.layout.strides[level]), self.written(level, boxes, rows, columns))

    def written(self, level, boxes, rows, columns, values=None) -> Written:
        n = len(boxes)
        cells = rows.astype(float), columns.astype(float)
        values = dict.fromkeys(("here", "hwc", "transposed"), values) if values is not None else {}
        return Written(
            boxes,
            np.tile(np.array(self.size, float), (n, 1)),
            np.tile(self.shapes[level], (n, 1)),
            *cells,
            np.stack(cells, 1),
            values,
            self.layout.strides[level],
        )

    def box(self, level, rows, columns, side) -> np.ndarray:
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

    def trial(self, level, cell, image, side) -> Trial:
        outputs = self.noise()
        row, column = np.array([cell[0]]), np.array([cell[1]])
        box = self.box(level, row, column, side)
        label = int(self.rng.integers(len(self.layout.class_channels)))
        self.place(outputs, level, cell, image, box, label)
        return Trial(image, level, cell, box[0], label, side, tuple(outputs))

    def place(self, outputs, level, cell, image, box, label) -> None:
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
        tensors = [torch.tensor(level, dtype=torch.float32) for level in trial.outputs]
        self.asked += 1
        try:
            with torch.no_grad():
                out = self.decode(self.prepare(tensors) if self.prepare else tensors)
        except Exception as error:
            raise _Unreadable(
                "raises", f"a batch of {self.batch} at {self.size} raises {type(error).__name__}: {error}"
            ) from error
        found = tuple(_read(out, self.batch))
        return Trial(trial.image, trial.level, trial.cell, trial.box, trial.label, trial.side, trial.outputs, found)


def _read(out: object, batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each image's boxes and labels of scores above a half; _Unreadable where the output is none of the forms."""
    form = "boxes (B, N, 4) with scores (B, N, classes), or a (n, 6) tensor or a mapping for each image, are needed"
    if isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(p, Tensor) and p.dim() == 3 for p in out):
        boxes, scores = (part.detach().cpu().double().numpy() for part in out)
        if boxes.shape[-1] != 4 or boxes.shape[:2] != scores.shape[:2] or len(boxes) != batch:
            raise _Unreadable("wrong_output", f"{form}, but {boxes.shape} and {scores.shape} came for {batch} images")
        parts = [(b, s.max(1), s.argmax(1)) for b, s in zip(boxes, scores, strict=True)]
    elif isinstance(out, (tuple, list, Tensor)) and len(out) == batch:
        parts = []
        for one in out:
            if isinstance(one, Tensor) and one.dim() == 2 and one.shape[1] >= 6:
                table = one.detach().cpu().double().numpy()
                parts.append((table[:, :4], table[:, 4], table[:, 5]))
            elif hasattr(one, "keys") and {"boxes", "scores", "labels"} <= set(one.keys()):
                parts.append(tuple(one[k].detach().cpu().double().numpy() for k in ("boxes", "scores", "labels")))
            else:
                raise _Unreadable("wrong_output", f"{form}, but {getattr(one, 'shape', type(one))} came for an image")
    else:
        raise _Unreadable("wrong_output", f"{form}, but {type(out).__name__} came")
    found = []
    for boxes, scores, labels in parts:
        if not np.isfinite(boxes).all() or not np.isfinite(scores).all():
            raise _Unreadable("non_finite", "boxes or scores hold NaN or infinity")
        sure = scores > 0.5
        found.append((boxes[sure], labels[sure].astype(int)))
    return found


def _right(trial: Trial, stride: float) -> bool:
    boxes, _ = trial.found[trial.image]
    return len(boxes) > 0 and bool(
        (np.abs(boxes - trial.box).max(1) < 0.02 * stride + 1e-3 * np.abs(trial.box).max()).any()
    )


def _judge(trials: Sequence[Trial], bench: _Bench, notes: Notes) -> None:
    layout = bench.layout
    for level, stride in enumerate(layout.strides):
        mine = [trial for trial in trials if trial.level == level]
        wrong = [trial for trial in mine if not _right(trial, stride)]
        if wrong and _mixing(wrong[:6], bench, notes, level):
            continue
        elsewhere = [t for t in mine if any(len(boxes) for i, (boxes, _) in enumerate(t.found) if i != t.image)]
        if elsewhere:
            notes.add(
                "mixed_batch", "a prediction of one image comes out in another", level=level, trials=len(elsewhere)
            )
        lost = [t for t in mine if not len(t.found[t.image][0])]
        if lost and not elsewhere:
            notes.add("object_lost", "a sure prediction does not come out", level=level, trials=len(lost))
        shown = [t for t in mine if len(t.found[t.image][0])]
        for trial in shown:
            if not (trial.found[trial.image][1] == trial.label).all():
                got = trial.found[trial.image][1].tolist()
                notes.add("class_wrong", "the class comes out as another", level=level, given=trial.label, got=got)
                break
        wrong = [t for t in wrong if len(t.found[t.image][0])]
        if wrong and not _ceiling(shown, wrong, stride, level, notes):
            _values(wrong, shown, bench, notes, level)


def _mixing(wrong: Sequence[Trial], bench: _Bench, notes: Notes, level: int) -> bool:
    """Whether what comes out depends on cells that hold no object; then the cells are mixed."""
    own = any(_changed(trial, bench.again(trial, same=True)) for trial in wrong)
    if own:
        what = "the box that comes out changes with the boxes of other cells"
        notes.add("scrambled_layout", what, level=level, trials=len(wrong))
        notes.fold("scrambled_layout", "mixed_batch")
        return True
    if bench.batch > 1 and any(_changed(trial, bench.again(trial, same=False)) for trial in wrong):
        notes.add("mixed_batch", "the box that comes out changes with other images of the batch", level=level)
        return True
    return False


def _changed(one: Trial, other: Trial) -> bool:
    pairs = zip(one.found, other.found, strict=True)
    return any(a.shape != b.shape or not np.allclose(a, b, atol=1e-3) for (a, _), (b, _) in pairs)


def _ceiling(shown: Sequence[Trial], wrong: Sequence[Trial], stride: float, level: int, notes: Notes) -> bool:
    """Whether small boxes come out right and large ones smaller than they are."""
    smallest_wrong = min(t.side for t in wrong)
    right = [t for t in shown if not any(t is w for w in wrong)]
    if not right or max(t.side for t in right) > smallest_wrong:
        return False
    spans = np.array([[np.ptp(t.found[t.image][0][0][[0, 2]]), np.ptp(t.found[t.image][0][0][[1, 3]])] for t in wrong])
    wanted = np.array([[np.ptp(t.box[[0, 2]]), np.ptp(t.box[[1, 3]])] for t in wrong])
    if not ((spans <= wanted * 1.001 + 0.01).all() and (spans < 0.98 * wanted).any(1).all()):
        return False
    ceiling = float(spans.max())
    few = ceiling < 8 * stride
    notes.add(
        "range_ceiling",
        f"no side comes out larger than {ceiling:.1f} px, {ceiling / stride:.2f} strides",
        level=level,
        severity="error" if few else "warning",
        ceiling_px=ceiling,
        strides=ceiling / stride,
    )
    return True


def _values(wrong: Sequence[Trial], shown: Sequence[Trial], bench: _Bench, notes: Notes, level: int) -> None:
    """Which layout the decoder reads instead: the one that writes what was given from what came out."""
    stride, box = bench.layout.strides[level], list(bench.layout.box)
    given = np.stack([t.outputs[level][t.image][box, t.cell[0], t.cell[1]] for t in shown])
    came = np.stack([t.found[t.image][0][0] for t in shown])
    rows, columns = (np.array([t.cell[i] for t in shown]) for i in range(2))
    written = bench.written(level, came, rows, columns, given)
    result = explain(written, bench.layout, stride, (), stride)
    if result.codes and result.fits >= ENOUGH - 0.05:
        plain = declared(bench.layout, stride)
        names = {
            n: getattr(result.reading, n)
            for n in plain.__dataclass_fields__
            if getattr(result.reading, n) != getattr(plain, n)
        }
        for code in result.codes:
            notes.add(code, f"boxes come out as if the layout had {names}", level=level, trials=len(wrong))
        return
    first = wrong[0]
    notes.add(
        "wrong_box",
        f"{len(wrong)} of {len(shown)} boxes come out wrong",
        level=level,
        given=first.box.round(2).tolist(),
        got=first.found[first.image][0][0].round(2).tolist(),
        cell=first.cell,
    )
