"""What came of one level's predictions beside what was given, and what may explain it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..boxes.terms import Held, Term

ENOUGH = 0.9
"""Of the wrong boxes, the share that an explanation must explain."""
FEWEST = 8
"""Boxes that must be left where those that the image has cut are left out."""


@dataclass(frozen=True)
class Reason:
    """``codes`` of one explanation, in words, and the share of the wrong boxes that it explains.

    ``stride``: the one that the level works with, where it is another. ``scale``: how many times as wide and high boxes
    come out, where that is all. ``priors_of``: the level whose priors they are decoded with, where it is another.
    ``ratio``: by which sizes alone are multiplied, where that is one number. ``partly``: "wrong_box" stands for a part
    that nothing explains.
    """

    codes: tuple[str, ...]
    words: str
    share: float
    severity: str = "error"
    evidence: dict = field(default_factory=dict)
    stride: float | None = None
    scale: float | None = None
    priors_of: int | None = None
    ratio: float | None = None
    partly: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """One level's predictions: ``given`` as they were meant and written, ``came`` (n, 4) what came out.

    ``tolerance`` (n,) px; ``terms`` that the layout declares.
    """

    given: Held
    came: np.ndarray
    tolerance: np.ndarray
    terms: tuple[Term, ...]

    def take(self, index: np.ndarray) -> "Seen":
        """Those of a mask or of indices."""
        return replace(self, given=self.given.take(index), came=self.came[index], tolerance=self.tolerance[index])

    @cached_property
    def right(self) -> np.ndarray:
        """(n,) bool: the boxes that come out as given, or cut to the image."""
        return self.agrees(self.came) | self._cut(0.0) | self._cut(1.0)

    def _cut(self, less: float) -> np.ndarray:
        height, width = (self.given.sizes - less).T
        ends = np.stack((width, height, width, height), 1)
        return self.agrees(self.came, np.clip(self.given.boxes, 0, ends))

    def agrees(self, came: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """(…, n) bool: whether boxes (…, n, 4) are those given."""
        boxes = self.given.boxes if boxes is None else boxes
        with np.errstate(all="ignore"):
            return np.abs(came - boxes).max(-1) <= self.tolerance

    def share(self, came: np.ndarray) -> float:
        """The share of boxes that are those given, among those that came out wrong where that is less."""
        agrees = self.agrees(came)
        return float(min(agrees.mean(), agrees[~self.right].mean())) if not self.right.all() else 1.0

    def told(self, boxes: np.ndarray) -> float:
        """The same of boxes that an explanation says would come out."""
        height, width = self.given.sizes.T
        within = np.clip(boxes, 0, np.stack((width, height, width, height), 1))
        agrees = self.agrees(self.came, boxes) | self.agrees(self.came, within)
        return float(min(agrees.mean(), agrees[~self.right].mean())) if not self.right.all() else 1.0

    def rest(self, boxes: np.ndarray) -> float:
        """Px that such an explanation leaves over, at the median."""
        height, width = self.given.sizes.T
        within = np.clip(boxes, 0, np.stack((width, height, width, height), 1))
        with np.errstate(all="ignore"):
            left = np.minimum(np.abs(self.came - boxes).max(1), np.abs(self.came - within).max(1))
        return float(np.nan_to_num(np.median(left), nan=np.inf))

    @property
    def uncut(self) -> "Seen":
        """Those that no edge of the image has cut, where there are enough of them."""
        ends = self.given.sizes[:, ::-1]
        edge = ((self.came[:, :2] == 0) | (self.came[:, 2:] == ends)).any(1)
        kept = self.inside | ~edge
        return self.take(kept) if kept.sum() >= FEWEST else self

    @property
    def inside(self) -> np.ndarray:
        """(n,) bool: the predictions whose boxes lie in the image as a whole."""
        height, width = self.given.sizes.T
        x1, y1, x2, y2 = self.given.boxes.T
        return (x1 >= 0) & (y1 >= 0) & (x2 <= width) & (y2 <= height)

    @property
    def taken(self) -> Held:
        """What came, beside the channels that were given: how an encoder would have to write to be read so."""
        return replace(self.given, boxes=self.came)


@dataclass(frozen=True)
class Shift:
    """Px by which boxes are moved to the right and down."""

    x: float
    y: float

    def near(self, other: "Shift") -> bool:
        """Whether two are the same, to a fifth of a px."""
        return abs(self.x - other.x) < 0.2 and abs(self.y - other.y) < 0.2

    def __str__(self) -> str:
        return f"{self.x:+.4g} px along x and {self.y:+.4g} px along y"


def shifted(seen: Seen) -> Shift | None:
    """The shift of all boxes, where that is all that is wrong."""
    inside = seen.take(seen.inside)
    if len(inside.came) < 4:
        return None
    moved = inside.came - inside.given.boxes
    x, y = np.median(np.concatenate((moved[:, :2], moved[:, 2:])), 0)
    right = np.abs(moved - (x, y, x, y)).max(1) <= inside.tolerance
    return Shift(float(x), float(y)) if right.mean() >= ENOUGH and max(abs(x), abs(y)) > 0.2 else None


def first_wrong(seen: Seen) -> dict[str, object]:
    """The first wrong box, as numbers."""
    at = int(np.flatnonzero(~seen.right)[0])
    return {
        "given": seen.given.boxes[at].round(2).tolist(),
        "got": seen.came[at].round(2).tolist(),
        "cell": seen.given.here[at, ::-1].astype(int).tolist(),
    }
