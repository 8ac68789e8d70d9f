"""Which levels the decoder looked at for each detection, beside the one where its query began."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UnsupportedModelError
from .detections import Detections
from .trace import Trace

if TYPE_CHECKING:
    from polars import DataFrame


@dataclass(frozen=True, repr=False)
class LevelShares:
    """How the attention of each decoder layer fell upon the levels, for each of the n detections of a trace.

    ``shares`` (n, layers, levels) float32: the weights of the deformable attention (https://arxiv.org/abs/2010.04159)
    summed over the points of a level, the mean of its heads; those of a layer sum to 1. Points that lie outside the
    image count where they are: they have a weight, and see nothing. Layers are numbered from 0, the last one predicts.
    ``levels``: names, in the head's order; ``detections`` those of the trace.
    """

    shares: np.ndarray
    levels: tuple[str, ...]
    detections: Detections

    def __len__(self) -> int:
        return len(self.shares)

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {share:.2f}" for name, share in zip(self.levels, self.mean.mean(0), strict=True))
        return f"LevelShares({len(self)} detections, {self.shares.shape[1]} layers{': ' * bool(len(self))}{told})"

    @property
    def mean(self) -> np.ndarray:
        """Over the layers, (n, levels)."""
        return self.shares.mean(1)

    def to_df(self) -> "DataFrame":
        """One row a detection and layer, as a polars DataFrame: where its query began, and the share of each level."""
        import polars

        found, (count, layers, _) = self.detections, self.shares.shape
        index = np.repeat(np.arange(count), layers)
        table = {
            "detection": index,
            "class_name": polars.Series(np.asarray(found.class_name, object)[index].tolist(), dtype=polars.String),
            "confidence": found.confidence[index],
            "level_name": polars.Series(np.asarray(found.level_name, object)[index].tolist(), dtype=polars.String),
            "row": found.row[index],
            "col": found.col[index],
            "layer": np.tile(np.arange(layers), count),
        }
        by_level = self.shares.reshape(count * layers, -1)
        table |= {f"share_{name}": by_level[:, at] for at, name in enumerate(self.levels)}
        return polars.DataFrame(table)


def level_shares(trace: Trace) -> LevelShares:
    """The share of each level in the attention of every decoder layer, for each detection of a trace.

    Raises UnsupportedModelError for a head without such a decoder: there the level of a detection made it alone.
    """
    made = trace.head.level_shares(trace.run)
    if made is None:
        raise UnsupportedModelError(
            "The head of this trace has no decoder that looks at several levels: each detection is made at its own, "
            "trace.detections.level_name. RT-DETR has one."
        )
    levels = tuple(level.name for level in trace.levels)
    return LevelShares(shares=made.float().cpu().numpy(), levels=levels, detections=trace.detections)
