"""Where does a detector place the box of a cell? The point from which its sides are measured, read from its passes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from anatomy import Head, Pass

from .curves import Curves, read_curves
from .point_grids import PointGrid, mistaken

CALM = 0.25  # of a level's cells: those whose opposite sides differ least tell the point
EVEN = 0.5  # opposite sides of a point pull the centre apart, the weaker by at least so much of the stronger
STRAIGHT = 0.05  # by which the slope of points that lie on a grid may differ from that of its cells
LOOSE = 0.4  # cells: a scatter of centres about points, where each lies somewhere in its cell
STRAIGHT_CURVE = 0.006  # the same where curves tell the slope
TIGHT = 0.1  # cells: a wider scatter around the fit tells no point


@dataclass(frozen=True)
class Aim:
    """How the boxes of one level lie by its cells.

    ``slope`` (2, 2): px that box centres lie farther on along x and y (columns) for each px that their cells lie along
    x, y (rows). ``offset`` (2,) xy in cells, from the middle of a cell to the point from which its box is measured;
    None where boxes are no four sides of one point. ``scatter`` in cells, around the fit. ``mistake``: the grid of
    points on which boxes lie exactly, where it is not the declared one. ``exact``: the slope was read from curves by
    which places rise with raw outputs, not from how boxes lie on the whole. ``reach``: of heads with bins, strides by
    which a side grows for each stride that its bins say.
    """

    slope: np.ndarray
    offset: np.ndarray | None
    scatter: float
    mistake: PointGrid | None = None
    exact: bool = False
    reach: float | None = None


def read_aim(head: Head, passes: Sequence[Pass], level: int) -> Aim:
    """The aim of a level from passes of images of one size, a plain one first.

    Fitted to decoded boxes and their raw sides: where opposite sides are equal the centre of a box is the point itself,
    whatever function makes sides of raw numbers. Where that does not fit, the slope alone, on the plain image.
    """
    cells = [_cells(head, pass_, level) for pass_ in passes]
    middle, boxes, sides = (np.concatenate(part) for part in zip(*cells, strict=True))
    if not np.isfinite(boxes).all():
        return Aim(np.full((2, 2), np.nan), None, np.inf)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    curved = _curved(head, passes, level, (middle, boxes, sides)) if np.isfinite(sides).all() else None
    if curved is not None and (curved.offset is not None or curved.mistake is not None or not _straight(curved.slope)):
        return curved
    aim = _on_the_whole(head, passes, level, (middle, centre, sides))
    return curved if curved is not None and aim.offset is None and aim.mistake is None else aim


def _curved(
    head: Head, passes: Sequence[Pass], level: int, cells: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Aim | None:
    """The aim from curves about the declared points, or about those of a known mistake; cells as of ``_cells``."""
    middle, boxes, sides = cells
    shape, offset = _grid(head, passes[0], level)
    read = partial(read_curves, boxes=boxes, raw=sides, grid_offset=offset, binned=head.reg_max > 1)
    found = read(middle)
    if found is not None and _straight(found.slope):
        return Aim(found.slope, found.offset, found.scatter, exact=True, reach=found.reach)
    for grid in mistaken(shape, offset):
        other = read(np.tile(grid.points, (len(passes), 1)))
        if other is not None and _straight(other.slope) and _small(other):
            return Aim(np.eye(2) if found is None else found.slope, None, other.scatter, mistake=grid, exact=True)
    return None if found is None else Aim(found.slope, None, found.scatter, exact=True)


def _straight(slope: np.ndarray) -> bool:
    return bool(np.abs(slope - np.eye(2)).max() < STRAIGHT_CURVE)


def _small(curves: Curves) -> bool:
    """Whether the points of a mistaken grid are met, as far as curves tell."""
    return curves.offset is None or bool(np.abs(curves.offset).max() < LOOSE)


def _on_the_whole(
    head: Head, passes: Sequence[Pass], level: int, cells: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Aim:
    """The aim from how boxes lie on the whole, of middles, box centres and raw sides."""
    middle, centre, sides = cells
    if np.isfinite(sides).all():
        uneven = np.abs(sides[:, 2:] - sides[:, :2]).max(1)
        calm = uneven <= np.quantile(uneven, CALM)
        aim = _point(head, middle[calm], centre[calm], sides[calm])
        if aim is not None and np.abs(aim.slope - np.eye(2)).max() < STRAIGHT:
            return aim
        for grid in mistaken(*_grid(head, passes[0], level)):
            other = _point(head, np.tile(grid.points, (len(passes), 1))[calm], centre[calm], sides[calm])
            if other is not None and np.abs(other.slope - np.eye(2)).max() < STRAIGHT:
                return replace(_plain(middle, centre, len(passes)), mistake=grid)
        if aim is not None:
            return aim
    aim = _plain(middle, centre, len(passes))
    if aim.scatter > LOOSE or np.abs(aim.slope - np.eye(2)).max() > STRAIGHT:
        for grid in mistaken(*_grid(head, passes[0], level)):
            other = _plain(np.tile(grid.points, (len(passes), 1)), centre, len(passes))
            if other.scatter < LOOSE and np.abs(other.slope - np.eye(2)).max() < STRAIGHT:
                return replace(aim, mistake=grid)
    return aim


def _plain(middle: np.ndarray, centre: np.ndarray, passes: int) -> Aim:
    """The slope alone, of boxes of the first pass."""
    first = slice(len(middle) // passes)
    fitted, scatter = _fit(middle[first], centre[first])
    return Aim(fitted[:2], None, scatter)


def _grid(head: Head, pass_: Pass, level: int) -> tuple[tuple[int, int], float]:
    pyramid = head.pyramid(pass_)
    return pyramid.shapes[level], pyramid.offset


def _cells(head: Head, pass_: Pass, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the cells of a level: middles (n, 2) xy and boxes (n, 4) xyxy in cells, raw outputs (n, 4), bins as means."""
    pyramid = head.pyramid(pass_)
    rows, cols = np.indices(pyramid.shapes[level])
    anchors = pyramid.anchor(level, rows.ravel(), cols.ravel())
    index = torch.as_tensor(anchors, device=pass_.boxes.device)
    boxes = head.xyxy(pass_, index).double().cpu().numpy()
    middle = pyramid.points(anchors) / pyramid.steps[level]
    boxes = boxes / np.tile(pyramid.steps[level], 2)
    if pass_.box_logits.shape[0] != 4 * head.reg_max or pass_.box_logits.shape[1] <= index[-1]:
        return middle, boxes, np.full((len(anchors), 4), np.nan)
    raw = pass_.box_logits[:, index].double().cpu().unflatten(0, (4, head.reg_max))
    if head.reg_max > 1:  # the mean of the bins
        raw = (raw.softmax(1) * torch.arange(head.reg_max).view(-1, 1)).sum(1, keepdim=True)
    return middle, boxes, raw[:, 0].T.numpy()


def _point(head: Head, middle: np.ndarray, centre: np.ndarray, sides: np.ndarray) -> Aim | None:
    """The aim if boxes are four sides of a point: each centre half way between the far and the near side."""
    apart = sides[:, 2:] - sides[:, :2]
    fitted, _ = _fit(np.column_stack((middle, sides)), centre)
    near, far = -np.diag(fitted[2:4]), np.diag(fitted[4:6])
    if min(*near, *far) > 0 and (np.minimum(near, far) >= EVEN * np.maximum(near, far)).all():
        pull = (near + far) / 2
    elif head.reg_max > 1:  # bins are strides; their means may hardly differ from cell to cell
        pull = np.array([0.5, 0.5])
    else:
        return None
    points = centre - pull * apart
    fitted, scatter = _fit(middle, points)
    return Aim(fitted[:2], (points - middle).mean(0), scatter) if scatter <= TIGHT else None


def _fit(terms: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Least squares with a constant, and the root mean square of what is left."""
    terms = np.column_stack((terms, np.ones(len(terms))))
    fitted = np.linalg.lstsq(terms, values, rcond=None)[0]
    return fitted, float(np.sqrt(np.mean((terms @ fitted - values) ** 2)))
