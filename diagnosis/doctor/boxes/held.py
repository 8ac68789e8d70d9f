"""Box channels of cells of one level, with all that may explain them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

PLACES = ("cx", "cy", "x1", "y1", "x2", "y2")
SIZES = ("w", "h")
QUANTITIES = (*PLACES, *SIZES)


@dataclass(frozen=True, eq=False)
class Held:
    """Box channels of n cells of one level, with all that terms speak of.

    ``boxes`` (n, 4) xyxy px; ``sizes`` (n, 2) height, width of the image; ``grids`` (n, 2) rows, columns;
    ``here``, ``meant`` (n, 2) column, row of the cell and of the one that the encoder meant; ``priors`` (n, 2) px of
    the anchor; ``others``: those of other anchors by name, (n, 2); ``values``, ``ground`` (n, 4): the channels, and
    what they hold on an empty image; ``stride`` of the level, ``strides`` of all.
    """

    boxes: np.ndarray
    sizes: np.ndarray
    grids: np.ndarray
    here: np.ndarray
    meant: np.ndarray
    priors: np.ndarray
    others: Mapping[str, np.ndarray]
    values: np.ndarray
    ground: np.ndarray
    stride: float
    strides: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: np.ndarray) -> "Held":
        """Those of a mask (n,) or of indices."""
        names = ("boxes", "sizes", "grids", "here", "meant", "priors", "values", "ground")
        parts = {name: getattr(self, name)[index] for name in names}
        return replace(self, **parts, others={name: value[index] for name, value in self.others.items()})

    def joined(self, other: "Held") -> "Held":
        """These cells, then those of another table of the same level."""
        names = ("boxes", "sizes", "grids", "here", "meant", "priors", "values", "ground")
        parts = {name: np.concatenate((getattr(self, name), getattr(other, name))) for name in names}
        others = {name: np.concatenate((value, other.others[name])) for name, value in self.others.items()}
        return replace(self, **parts, others=others)

    def quantity(self, name: str) -> np.ndarray:
        """(n,) px: cx, cy, x1, y1, x2, y2, w or h; zeros for none."""
        return MEASURED[name](*self.boxes.T)


MEASURED = {
    "cx": lambda x1, y1, x2, y2: (x1 + x2) / 2,
    "cy": lambda x1, y1, x2, y2: (y1 + y2) / 2,
    "x1": lambda x1, y1, x2, y2: x1,
    "y1": lambda x1, y1, x2, y2: y1,
    "x2": lambda x1, y1, x2, y2: x2,
    "y2": lambda x1, y1, x2, y2: y2,
    "w": lambda x1, y1, x2, y2: x2 - x1,
    "h": lambda x1, y1, x2, y2: y2 - y1,
    "": lambda x1, y1, x2, y2: np.zeros_like(x1),
}


def axis_of(quantity: str) -> int:
    """0 for what lies along x, 1 for what lies along y."""
    return 0 if quantity in ("cx", "x1", "x2", "w") else 1
