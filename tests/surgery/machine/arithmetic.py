"""What each edit does to class rows, computed with numpy from the meaning in the documentation of surgery alone."""

from dataclasses import dataclass, field

import numpy as np

SILENT = -10000.0  # a bias whose sigmoid is exactly 0 in float16, float32 and float64
Rows = tuple[np.ndarray, np.ndarray | None]  # weight (anchors * nc, c, kh, kw), bias (anchors * nc,); never written to


@dataclass(frozen=True)
class Wanted:
    """An edit in plain words; ``branches`` is empty where all live ones are meant."""

    operation: str
    levels: tuple[int, ...]
    classes: tuple[int, ...] = ()
    parameters: dict = field(default_factory=dict)
    branches: tuple[str, ...] = ()


def effect(rows: Rows, edit: Wanted, anchors: int = 1) -> Rows:
    """The rows after an edit; where a cell has several anchors, the nc rows of each are edited alike."""
    weight, bias = rows
    new_weight, new_bias = weight.copy(), None if bias is None else bias.copy()
    count = len(weight) // anchors
    for start in range(0, len(weight), count):
        block = slice(start, start + count)
        parts = [(weight[block], new_weight[block])] + ([] if bias is None else [(bias[block], new_bias[block])])
        CHANGES[edit.operation](parts, edit)
    return new_weight, new_bias


def _shift(parts, edit: Wanted) -> None:
    for old, new in parts:
        for index in range(len(old)):
            new[(index + edit.parameters["k"]) % len(old)] = old[index]


def _permute(parts, edit: Wanted) -> None:
    for old, new in parts:
        for index, source in enumerate(edit.parameters["order"]):
            new[index] = old[source]


def _swap(parts, edit: Wanted) -> None:
    first, second = edit.classes
    for old, new in parts:
        new[first], new[second] = old[second], old[first]


def _zero(parts, edit: Wanted) -> None:
    fill = {"silence": SILENT, "zero": 0.0}.get(edit.parameters["bias"])
    (_, weight), (_, bias) = parts
    for index in edit.classes:
        weight[index] = 0.0
        if fill is not None:
            bias[index] = fill


def _scale(parts, edit: Wanted) -> None:
    for old, new in parts:
        for index in edit.classes:
            new[index] = _as_torch(old, np.multiply, index, edit.parameters["factor"])


def _bias(parts, edit: Wanted) -> None:
    old, new = parts[1]
    for index in edit.classes:
        new[index] = _as_torch(old, np.add, index, edit.parameters["delta"])


def _as_torch(values: np.ndarray, operation, index: int, number: float) -> np.ndarray:
    """One row and a number: half precision is computed in single and rounded once; the number is rounded first."""
    wide = np.float64 if values.dtype == np.float64 else np.float32
    with np.errstate(all="ignore"):
        return operation(values[index].astype(wide), wide(number)).astype(values.dtype)


CHANGES = {
    "shift_classes": _shift,
    "permute_classes": _permute,
    "swap_classes": _swap,
    "zero_classes": _zero,
    "scale_classes": _scale,
    "bias_classes": _bias,
    "mute_level": _zero,
}


def cast(rows: Rows, dtype) -> Rows:
    with np.errstate(all="ignore"):
        return tuple(None if part is None else part.astype(dtype) for part in rows)


def same_bits(ours: Rows, theirs: Rows) -> bool:
    return all(_bits(a) == _bits(b) for a, b in zip(ours, theirs, strict=True))


def rows_that_differ(ours: Rows, theirs: Rows, anchors: int = 1) -> tuple[int, ...]:
    """The classes of which any bit differs, in any anchor's rows."""
    count = len(ours[0]) // anchors
    return tuple(index for index in range(count) if not _same_class(ours, theirs, index, count))


def _same_class(ours: Rows, theirs: Rows, index: int, count: int) -> bool:
    pairs = [pair for pair in zip(ours, theirs, strict=True) if pair[0] is not None]
    return all(_bits(a[index::count]) == _bits(b[index::count]) for a, b in pairs)


def finite(rows: Rows) -> bool:
    return all(bool(np.isfinite(part).all()) for part in rows if part is not None)


def _bits(part: np.ndarray | None):
    return None if part is None else (part.dtype.str, part.shape, part.tobytes())
