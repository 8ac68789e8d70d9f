"""Whether two results hold the same, bit for bit."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import torch

import anatomy


def alike(a, b) -> bool:
    """Whether two results hold the same, bit for bit, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, anatomy.Trace):
        return same_answers(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if is_dataclass(a):
        return all(alike(getattr(a, field.name), getattr(b, field.name)) for field in fields(a) if field.name != "head")
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b or (a != a and b != b)


def same_answers(a: anatomy.Trace, b: anatomy.Trace) -> bool:
    """Whether two traces answer alike to everything that can be asked without the model."""
    anchors = np.arange(len(a.places().level))
    names = ("image", "logits", "features", "inputs", "shapes", "letterbox", "steps", "limits", "detections")
    names += ("levels", "names", "input_shape", "path", "branch", "reg_max", "grid_offset", "anchors_per_cell")
    asked = [(getattr(a, name), getattr(b, name)) for name in names]
    asked += [(a.decode(anchors), b.decode(anchors)), (a.points(), b.points()), (repr(a), repr(b))]
    asked += [(a.objectness(), b.objectness()), (a.scores(), b.scores())]
    asked += [(a.frame, b.frame), (a.anchor(0, 1, 2), b.anchor(0, 1, 2))]
    if a.reg_max > 1 and len(a.detections):
        asked.append((a.distribution(0), b.distribution(0)))
    return all(alike(*pair) for pair in asked) and a.to_df().equals(b.to_df())
