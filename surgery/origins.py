"""Where the rows of each class come from: which rows of an original they are, bit for bit."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .bits import cast
from .rows import Rows
from .standing import data


def origins(now: Rows, kept: Rows, classes: int, kept_classes: int, anchors: int = 1) -> Mapping[int, tuple[int, ...]]:
    """Of each class the ids of the original's whose rows are its own, bit for bit; classes with any other are left out.

    ``classes`` and ``kept_classes``: how many there are now, and were. Rows that are longer than the original's, as
    those of stacked heads are, count as those where what they have more is zeros. NaN are compared by their bits.
    """
    dtype = torch.promote_types(now[0].dtype, kept[0].dtype)
    there, each = _bits(kept, dtype, anchors, kept[0].shape[1]), len(kept[0]) // (anchors * kept_classes)
    owners: dict[bytes | None, list[int]] = {}
    for number, bits in enumerate(there):
        owners.setdefault(bits, []).append(number // each)
    owners.pop(None, None)
    here, mine = _bits(now, dtype, anchors, kept[0].shape[1]), len(now[0]) // (anchors * classes)
    found = {}
    for index in range(classes):
        own = [owners.get(bits) for bits in here[index * mine : (index + 1) * mine]]
        if None not in own:
            ids = [index if index in ids else ids[0] for ids in own if ids is not None]
            found[index] = tuple(dict.fromkeys(ids))
    return found


def _bits(rows: Rows, dtype: torch.dtype, anchors: int, width: int) -> list[bytes | None]:
    """Of each row of an anchor its bits, those of all anchors together; None of one that reads more than ``width``."""
    weight, bias = cast(rows, dtype)
    count = len(weight) // anchors
    reads_more = _by_row(weight[:, width:], anchors).ne(0).any(1).tolist()
    parts = [_by_row(weight[:, :width], anchors)]
    if bias is not None:
        parts.append(_by_row(bias, anchors))
    content = data(torch.cat(parts, 1))
    size = len(content) // count
    return [None if reads_more[row] else content[row * size : (row + 1) * size] for row in range(count)]


def _by_row(values: Tensor, anchors: int) -> Tensor:
    """(rows of an anchor, numbers): those of all anchors in a line."""
    return values.reshape(anchors, len(values) // anchors, -1).transpose(0, 1).flatten(1)
