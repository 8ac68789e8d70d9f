"""What a level's cells say: how they moved with a patch, and where they look."""

import numpy as np

from ..findings import Finding
from .probe import CLEAR, SEEN, GridLevel
from .sight import STRAIGHT, Sight
from .slopes import FEWEST, fewer, finding, lost, shrunk, slope_fault

MARGIN = 0.25  # by which another displacement must agree better than the declared one
SHARP = 0.3  # cells: a scatter up to which sights alone accuse a level of its axes or stride


def torn_fault(level: GridLevel) -> Finding | None:
    """Some rows or columns of its cells moved as declared, and all others did not."""
    share = max(level.right.torn, level.down.torn)
    if level.signal < SEEN or not share:
        return None
    words = f"{share:.0%} of its answer lies in rows or columns that do not move with the others. Check reshapes."
    return finding(level, "scrambled_layout", words, torn=share)


def strewn_fault(level: GridLevel) -> Finding | None:
    """Some places answer where the others do not."""
    if level.signal < SEEN or not level.strewn:
        return None
    words = f"at {level.strewn:.0%} of places its classes answer in other cells than where they do at the others."
    return finding(level, "scrambled_layout", f"{words} Check reshapes and indices.", strewn=level.strewn)


def motion_fault(level: GridLevel, step: int) -> Finding | None:
    """The cells moved otherwise than declared: not at all as a whole, along the other axis, or by another number."""
    x, y = level.right, level.down
    if x.flat and level.signal >= SEEN and min(level.cells) > 1:
        return finding(level, "scrambled_layout", "a patch changes all of its cells alike. Check means and expansions.")
    if lost(level, level.agreement, level.signal):
        words = "what a patch changes moves nowhere with it. Check reshapes and indices."
        return finding(level, "scrambled_layout", words)
    if all(move.declared is not None and move.declared > move.agreement - MARGIN for move in (x, y)):
        return None
    if level.agreement < CLEAR:
        if level.signal < SEEN or max(x.declared or 0, y.declared or 0) > 0.3 or min(level.cells) < FEWEST:
            words = "its answer to a moving patch is too faint or too wide to judge."
            return finding(level, "undecided", words, "warning")
        return finding(level, "scrambled_layout", "what a patch changes does not move with it. Check reshapes.")
    slope = np.array([[x.cols, x.rows], [y.cols, y.rows]]) * level.stride / step
    if shrunk(slope):
        return finding(level, "scrambled_layout", f"its cells moved {fewer(x, y, step)}")
    moved = f"for {step} px to the right its cells moved {x.rows} rows and {x.cols} columns"
    return slope_fault(level, slope, moved, 0.01) or finding(
        level, "scrambled_layout", f"{moved}, for as many px down {y.rows} and {y.cols}. Check reshapes."
    )


def steady_sight(level: GridLevel, most: float) -> Sight | None:
    """Where the cells look, if they scatter by no more than ``most`` cells."""
    return level.sight if level.sight is not None and level.sight.scatter <= most else None


def sight_fault(level: GridLevel) -> Finding | None:
    """The same, asked of the cells' gradients."""
    sight = steady_sight(level, SHARP)
    if sight is None or abs(np.linalg.det(sight.slope)) < 0.1:
        return None
    seen = sight.slope
    words = f"cells one column apart look {np.round(seen[0] * level.stride, 1).tolist()} px apart"
    return slope_fault(level, np.linalg.inv(seen), words, STRAIGHT) or finding(
        level, "scrambled_layout", f"{words}. Check reshapes."
    )
