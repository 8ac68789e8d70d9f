"""Why the outputs of an encoder have no form: what came in place of levels, or whose sides the shapes follow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .forms import forms

WANTED = (
    "encode must return one array or tensor a level in a list, or one for all levels (N, C), with all channels together"
)


def why_unread(
    outs: Sequence[Any], sizes: Sequence[tuple[int, int]], strides: Sequence[float] | None, classes: int | None
) -> str:
    """In words, for the outputs of images of these (height, width): the rule, what came, what to do."""
    if any(_strange(out) for out in outs):
        came = _came(next(out for out in outs if _strange(out)))
        return f"{WANTED}, but {came}. Put a lambda around it that does."
    exchanged = [(width, height) for height, width in sizes]
    if forms(outs, exchanged, strides, classes):
        return (
            "The shapes of the outputs follow the image's sides the other way round: encode is called with (height, "
            "width), and would fit as (width, height). If yours takes them so, exchange them: "
            "infer_layout(lambda boxes, labels, size: encode(boxes, labels, size[::-1]))."
        )
    return (
        f"No axes and strides fit the shapes of the outputs, {_came(outs[0])} for an image of {sizes[0]}: give "
        "strides, and image sizes that they divide."
    )


def _strange(out: Any) -> bool:
    levels = out if isinstance(out, (list, tuple)) else [out]
    return not levels or not all(isinstance(level, (torch.Tensor, np.ndarray)) for level in levels)


def _came(out: Any) -> str:
    if isinstance(out, dict):
        return f"a dict of {', '.join(map(repr, list(out)[:6]))} came"
    if not isinstance(out, (list, tuple)):
        return f"{tuple(out.shape)} came" if hasattr(out, "shape") else f"{type(out).__name__} came"
    inner = [str(tuple(level.shape)) if hasattr(level, "shape") else type(level).__name__ for level in out]
    return f"a {type(out).__name__} of {', '.join(inner[:6]) or 'nothing'} came"
