"""Sizes that are decoded with other priors than those of their anchors."""

from collections.abc import Iterator

import numpy as np

from ..boxes.terms import Held
from .seen import ENOUGH, Reason, Seen


def sized(seen: Seen) -> Reason | None:
    """Boxes about the right centres, as much wider and higher as other priors are."""
    held = seen.given
    if not held.others:
        return None
    middle = (held.boxes[:, :2] + held.boxes[:, 2:]) / 2
    for code, words, priors, level in _others(held):
        half = (held.boxes[:, 2:] - held.boxes[:, :2]) / 2 * priors / held.priors
        share = seen.told(np.concatenate((middle - half, middle + half), 1))
        if share >= ENOUGH:
            ratios = priors / held.priors
            ratio = float(ratios.mean()) if np.ptp(ratios) < 1e-3 * ratios.mean() else None
            return Reason((code,), f"sizes are decoded with {words}", share, priors_of=level, ratio=ratio)
    return None


def _others(held: Held) -> Iterator[tuple[str, str, np.ndarray, int | None]]:
    """A code, words, priors (n, 2) px of each prediction, and the level that they are of, where it is another."""
    yield "axes_swapped", "the width of priors for the height", held.priors[:, ::-1], None
    names = dict.fromkeys(name.rpartition(" ")[0] for name in held.others)
    for name in names:
        priors = np.stack((held.others[f"{name} width"], held.others[f"{name} height"]), 1)
        level = name.removeprefix("other level ")
        if level.isdigit():
            yield "wrong_box_unit", f"the priors of level {level}", priors, int(level)
        else:
            yield "wrong_box", "the priors of another anchor", priors, None
