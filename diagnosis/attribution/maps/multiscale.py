"""The default: what falls when superpixels of several sizes are taken away, in a window around the box."""

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np

from ..perturbation_frame import emptied, whole
from ..result import Heat
from ..subject import Subject
from ..windows import Window
from .ablated import LEAST, Ablated
from .fitting import fitted

BUDGET = 16.0  # predicts for one box
TOGETHER = 6.0  # predicts for each of many boxes
SCALES = (6, 16, 40)  # regions of a window
REACH, FAINT = 0.5, 1e-3  # geometric means of the box's sides, and how strongly a map goes on around what it found
LONG = 2.0  # seconds: what is expected to take longer shows its bar at once
FINER = (1.0, 1.6, 0.75, 2.2, 1.25)  # times as many regions, round after round, while the budget lasts


def multiscale(
    subjects: Sequence[Subject],
    *,
    budget: float | None = None,
    replace: str = "mean",
    batch: int = 8,
    window: Window | None = None,
    progress: bool = True,
) -> list[Heat | None]:
    """How far IoU times probability falls when a superpixel is replaced: the sum of scales, each of mean size 1.

    In a window around each box, see ``fitted``, or in the ``window`` given. About 6 regions are taken away one by one,
    then 16, then 40, of which only those where the coarser maps move. A ``budget`` that lasts longer goes on with
    other scales, up to five rounds: more makes the map better. Of a "difference" it is the fall for one class less that
    for the other; of edges and entropy the fall of the number. These are signed; a class that rises counts as one that
    stays. The largest size of a value is 1; a thousandth of the map, spread by half a box, orders the px that were not
    seen to matter.

    ``budget``: predicts for each box, all of which is shared; by default 16 of one box, falling to 6 of each of seven
    or more. A predict is one pass at the full size of the network input, a window counts in proportion to its area.
    ``replace`` "mean" colour, "blur" or "black"; ``batch`` windows at once. All boxes get their coarsest map first, so
    an interrupt returns them as far as they are; a box that has none yet is left out, KeyboardInterrupt where all are.
    """
    if budget is not None and not budget > 0:
        raise ValueError(f"budget must be above 0 predicts, but {budget!r} was given.")
    most = len(subjects) * (max(BUDGET / len(subjects) ** 0.5, TOGETHER) if budget is None else budget)
    frame, empty = whole(subjects[0].trace), emptied(subjects[0].trace, replace)
    start = perf_counter()
    places, spent = ([(window, list(range(len(subjects))))], 0.0) if window else fitted(subjects, frame)
    parts = [Ablated([subjects[i] for i in members], place, frame, empty) for place, members in places]
    rounds = FINER[:1] if budget is None else FINER
    left = most - spent
    expected = (perf_counter() - start) / spent * left if spent else None
    end = _interrupted(_worked(parts, left, batch, rounds), left, _told(len(subjects), expected), progress)
    if end and not any(part.layers for part in parts):
        raise KeyboardInterrupt
    heats: list[Heat | None] = [None] * len(subjects)
    for part, (_, members) in zip(parts, places, strict=True):
        for k, i in enumerate(members):
            heats[i] = _heat(part, k, spent / len(subjects), end)
    return heats


def _worked(parts: Sequence[Ablated], most: float, batch: int, rounds: Sequence[float]) -> Iterator[float]:
    """Take regions away, scale after scale in all windows, until ``most`` predicts are spent; yields what each cost."""
    left = most
    for finer in rounds:
        for scale, count in enumerate(SCALES):
            for i, part in enumerate(parts):
                share = left / (len(parts) - i)
                first = not part.layers  # without which there is no map
                for cost in part.steps(round(count * finer), batch, np.inf if first else share, quiet=scale == 2):
                    left -= cost
                    yield cost
        if left < min(part.number.share for part in parts):
            return


def _told(count: int, seconds: float | None) -> tuple[str, bool]:
    """What is made, and how long it will take, in words; and whether that is long."""
    boxes = "a map" if count == 1 else f"maps of {count} boxes"
    if seconds is None:
        return boxes, False
    return f"{boxes}, about {max(seconds, 1):.0f} s", seconds > LONG


def _interrupted(costs: Iterator[float], most: float, told: tuple[str, bool], progress: bool) -> str:
    """Run to the end of the budget or to an interrupt; how it ended, in words where it was an interrupt."""
    from tqdm.auto import tqdm

    spent, (words, long) = 0.0, told
    delay = 0 if long else 3
    with tqdm(desc=words, total=round(most, 1), unit="predict", leave=None, delay=delay, disable=not progress) as bar:
        try:
            for cost in costs:
                spent += cost
                bar.update(round(cost, 3))
        except KeyboardInterrupt:
            return f"interrupted after {spent:.1f} predicts"
    return ""


def _heat(part: Ablated, k: int, search: float, end: str) -> Heat | None:
    """The map of the k-th subject of a window; None where there is none yet."""
    if not part.layers:
        return None
    place, (height, width), one = part.window, part.window.shape, part.subjects[k]
    grid = _extended(place.spread(part.map(k), one.trace.input_shape), one)
    most = np.abs(grid).max()
    if not np.isfinite(most):
        raise FloatingPointError(f"The map of the {one.words} is not finite; see diagnosis.numerics.")
    return Heat(
        grid=grid / most if most else grid,
        step=(1.0, 1.0),
        unit="evidence, largest 1",
        signed=part.signed,
        layer=f"a window of {place.width} × {place.height} px, read at {width} × {height}",
        passes=search + part.number.spent / len(part.subjects),
        note=end or _absent(part, k),
        settled={"window": place},
    )


def _absent(part: Ablated, k: int) -> str:
    """What is said of a map of zeros where the class is not there."""
    if not part.absent[k]:
        return ""
    return f"nothing to explain: IoU × probability < {LEAST:g}"


def _extended(grid: np.ndarray, subject: Subject) -> np.ndarray:
    """The map with a faint blur of itself: of px that were not seen to matter the nearer ones come first."""
    import cv2

    x1, y1, x2, y2 = subject.trace.letterbox.to_input(subject.box)
    sigma = REACH * max((x2 - x1) * (y2 - y1), 1.0) ** 0.5
    return grid + FAINT * cv2.GaussianBlur(grid, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
