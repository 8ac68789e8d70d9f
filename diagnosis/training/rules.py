"""From the last watched batches to findings: each rule looks back and says what has begun."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from statistics import median

import numpy as np

from ..findings import Finding
from .gradient_rules import idle_stacks, silent_items
from .growth import growing_gradient, leaping_loss
from .history import History, Seen
from .record import About
from .spans import since, span
from .tables import LEVELS

ROWS = 5  # watched batches that must agree
POSITIVES = 300  # that all levels must have had while one had none
CLASS_OBJECTS = 20  # of a class without a positive, in as many batches as ROWS
MANY, SHARE = 30, 0.1  # objects that no cell reaches: so many, and of all objects
DOMINATES, HOLDS = 0.9, 0.5  # of the loss that one level pays, and of the target mass that it has at most

CHANCE = 1e-4  # that all objects of batch after batch lie in the first image, were it by chance

Rule = Callable[[About, History], Iterator[Finding]]


def absent_objects(about: About, history: History) -> Iterator[Finding]:
    """No object in any of several batches."""
    counted = [seen for seen in history.seen if seen.row.get("objects") is not None]
    if len(counted) < ROWS or history.counts["objects"]:
        return
    images = sum(seen.row.get("images") or 0 for seen in counted)
    yield Finding(
        code="no_objects",
        severity="error",
        level=None,
        message=(
            f"None of the {len(counted)} watched batches {span(counted)} had an object, in {images} images: all that "
            "is learned is background. Look at what the loader hands over, and whether it finds the label files "
            "(diagnosis.check_labels)."
        ),
        evidence=since(counted[0]) | {"batches": len(counted), "images": images},
    )


def first_image_alone(about: About, history: History) -> Iterator[Finding]:
    """Batches of several images, of which the first alone has objects, as where `batch_idx` is always 0."""
    with_objects = [(seen, by_image) for seen in history.seen if (by_image := _by_image(seen)).any()]
    alone = takewhile(lambda pair: len(pair[1]) > 1 and not pair[1][1:].any(), reversed(with_objects))
    run = list(alone)
    chance = math.prod(1 / len(by_image) for _, by_image in run)
    if len(run) < ROWS or chance > CHANCE:
        return
    objects, first = sum(int(by_image[0]) for _, by_image in run), run[-1][0]
    yield Finding(
        code="first_image_only",
        severity="error",
        level=None,
        message=(
            f"All {objects} objects of {len(run)} watched batches {span([first, run[0][0]])} belong to the first of "
            f"{len(run[0][1])} images: the others are learned as background. `batch_idx` must hold, for each object, "
            "the number of its image in the batch, from 0 on."
        ),
        evidence=since(first) | {"batches": len(run), "objects": objects, "images": len(run[0][1])},
    )


def _by_image(seen: Seen) -> np.ndarray:
    """How many objects each image of a batch has; of none where it is not known."""
    return seen.branches[0].by_image if seen.branches else np.zeros(0, np.int64)


def starved_levels(about: About, history: History) -> Iterator[Finding]:
    """A level without a positive while the others of its branch have many."""
    for branch in about.branches:
        for level in about.levels:
            run = list(takewhile(lambda pair: pair[1]["positives"] == 0, history.of_level(branch, level.index)))
            others = sum(_positives(seen, branch) for seen, _ in run)
            if len(run) < ROWS or others < POSITIVES:
                continue
            first = run[-1][0]
            largest = max((_largest(seen, branch) for seen, _ in run), default=0.0)
            yield Finding(
                code="level_starved",
                severity="warning",
                level=level.index,
                message=(
                    f"{level.name} ({branch}) had no positive {span([first, run[0][0]])}, while the other levels had "
                    f"{others}. Its boxes learned nothing. A cell has {level.stride:g} px here, the largest object had "
                    f"{largest:.0f} px. If objects of its size are rare, that is as it should be, and the level can "
                    "go; otherwise look at the sizes of the labels, at imgsz, and at the scale of the augmentation."
                ),
                evidence=since(first)
                | {"branch": branch, "others": others, "batches": len(run), "largest_side": largest}
                | {"until": run[0][0].step},
            )


def starved_classes(about: About, history: History) -> Iterator[Finding]:
    """Classes whose objects get no positive cell."""
    for (branch, label), objects in history.objects.items():
        enough = objects >= CLASS_OBJECTS and history.batches[branch, label] >= ROWS
        if not enough or history.positives[branch, label] or label not in about.names:
            continue
        yield Finding(
            code="class_starved",
            severity="error",
            level=None,
            message=(
                f"None of {objects} objects of class {label} ({about.names[label]!r}, {branch}) has had a positive "
                "cell. Look at their boxes: diagnosis.assign says for each why it gets none."
            ),
            evidence=since(history.seen[0]) | {"branch": branch, "class": label, "objects": objects},
        )


def unreachable_objects(about: About, history: History) -> Iterator[Finding]:
    """Objects smaller than the finest cell that no cell answers for, and larger ones than the head can express."""
    objects = max(history.counts["objects"], 1)
    finest = min(about.levels, key=lambda level: level.stride)
    small, large = history.counts["too_small"], history.counts["too_large"]
    if small >= MANY and small >= SHARE * objects:
        yield Finding(
            code="unreachable_objects",
            severity="warning",
            level=finest.index,
            message=(
                f"{small} of {objects} objects have a side of less than a cell of {finest.name} ({finest.stride:g} px) "
                "and no positive. Train with a larger imgsz, on tiles, or with a finer level (a P2 model)."
            ),
            evidence={"began": history.first["too_small"], "objects": objects, "unreached": small},
        )
    if large >= MANY and large >= SHARE * objects:
        yield Finding(
            code="range_ceiling",
            severity="warning",
            level=max(about.levels, key=lambda level: level.stride).index,
            message=(
                f"{large} of {objects} objects reach further from their middle than the bins of the coarsest level can "
                "say. Train with a smaller imgsz, with a coarser level (a P6 model), or with more bins."
            ),
            evidence={"began": history.first["too_large"], "objects": objects, "unreached": large},
        )


def dominated_loss(about: About, history: History) -> Iterator[Finding]:
    """One level that pays nearly all of the loss, and has little of the target mass."""
    for branch in about.branches:
        for level in about.levels:
            run = list(takewhile(lambda pair: _dominates(*pair), history.of_level(branch, level.index)))
            if len(run) < ROWS:
                continue
            first = run[-1][0]
            paid = median(_share(seen, row, _paid) for seen, row in run)
            held = median(_share(seen, row, _held) for seen, row in run)
            yield Finding(
                code="loss_dominated",
                severity="warning",
                level=level.index,
                message=(
                    f"{level.name} ({branch}) paid {paid:.0%} of the loss {span([first, run[0][0]])}, with "
                    f"{held:.0%} of the target mass: what it says of the background outweighs the rest. Look at the "
                    "bias of its class convolution, at its activation, and at the weights it was given."
                ),
                evidence=since(first)
                | {"branch": branch, "loss": paid, "target_mass": held, "batches": len(run), "until": run[0][0].step},
            )


RULES: tuple[Rule, ...] = (
    *(absent_objects, first_image_alone, starved_levels, silent_items, idle_stacks, starved_classes),
    *(unreachable_objects, dominated_loss, leaping_loss, growing_gradient),
)


def _positives(seen: Seen, branch: str) -> int:
    return sum(row["positives"] for row in seen.levels if row["branch"] == branch)


def _largest(seen: Seen, branch: str) -> float:
    """The longest side of an object, px of the network input."""
    sides = [float(one.sides.max()) for one in seen.branches if one.branch == branch and len(one.sides)]
    return max(sides, default=0.0)


def _dominates(seen: Seen, row: Mapping) -> bool:
    return _share(seen, row, _paid) >= DOMINATES and _share(seen, row, _held) <= HOLDS


def _share(seen: Seen, row: Mapping, amount: Callable[[Mapping], float]) -> float:
    """The part of a level in its branch; NaN where the whole is nothing."""
    whole = sum(amount(other) for other in seen.levels if other["branch"] == row["branch"])
    return amount(row) / whole if whole else math.nan


def _paid(row: Mapping) -> float:
    return sum(value for name, value in row.items() if name not in LEVELS)


def _held(row: Mapping) -> float:
    return row["target_mass"]
