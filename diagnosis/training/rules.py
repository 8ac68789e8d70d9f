"""From the last watched batches to findings: each rule looks back and says what has begun."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product, takewhile
from statistics import median

from ..findings import Finding
from .history import History, Seen
from .record import About
from .tables import LEVELS

ROWS = 5  # watched batches that must agree
POSITIVES = 300  # that all levels must have had while one had none
CLASS_OBJECTS = 20  # of a class without a positive, in as many batches as ROWS
MANY, SHARE = 30, 0.1  # objects that no cell reaches: so many, and of all objects
DOMINATES, HOLDS = 0.9, 0.5  # of the loss that one level pays, and of the target mass that it has at most
TENFOLD, HUNDREDFOLD, BASE = 10.0, 100.0, 8  # of gradients; over the median of at least so many watched batches
IMAGES = 8  # whose gradients must agree: of single images they differ by an order of magnitude in any training

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
            f"None of the {len(counted)} watched batches {_span(counted)} had an object, in {images} images: all that "
            "is learned is background. Look at what the loader hands over, and whether it finds the label files "
            "(diagnosis.check_labels)."
        ),
        evidence=_since(counted[0]) | {"batches": len(counted), "images": images},
    )


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
                    f"{level.name} ({branch}) had no positive {_span([first, run[0][0]])}, while the other levels had "
                    f"{others}. Its boxes learned nothing. A cell has {level.stride:g} px here, the largest object had "
                    f"{largest:.0f} px. If objects of its size are rare, that is as it should be, and the level can "
                    "go; otherwise look at the sizes of the labels, at imgsz, and at the scale of the augmentation."
                ),
                evidence=_since(first)
                | {"branch": branch, "others": others, "batches": len(run), "largest_side": largest}
                | {"until": run[0][0].step},
            )


def idle_stacks(about: About, history: History) -> Iterator[Finding]:
    """A box or class stack that has trainable weights, and no gradient though its level has positives."""
    for branch in about.branches:
        for level, kind in product(about.levels, ("box", "class")):
            run = _idle(history, branch, level.index, f"grad_{kind}")
            if len(run) < ROWS:
                continue
            first = run[-1]
            yield Finding(
                code="no_gradient",
                severity="error",
                level=level.index,
                message=(
                    f"The {kind} stack of {level.name} ({branch}) had no gradient {_span([first, run[0]])}, though "
                    "the level had positives. Look for a detach(), a no_grad() or a loss that leaves this level "
                    "out; weights that shall not learn want requires_grad=False."
                ),
                evidence=_since(first) | {"branch": branch, "stack": kind, "batches": len(run), "until": run[0].step},
            )


def _idle(history: History, branch: str, level: int, column: str) -> list[Seen]:
    """The last batches, newest first, in which a stack had no gradient; those without a step are passed over."""
    rows = (pair for pair in history.of_level(branch, level) if pair[1].get(column) is not None)
    return [seen for seen, _ in takewhile(lambda pair: pair[1][column] == 0 and pair[1]["positives"], rows)]


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
            evidence=_since(history.seen[0]) | {"branch": branch, "class": label, "objects": objects},
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
                    f"{level.name} ({branch}) paid {paid:.0%} of the loss {_span([first, run[0][0]])}, with "
                    f"{held:.0%} of the target mass: what it says of the background outweighs the rest. Look at the "
                    "bias of its class convolution, at its activation, and at the weights it was given."
                ),
                evidence=_since(first)
                | {"branch": branch, "loss": paid, "target_mass": held, "batches": len(run), "until": run[0][0].step},
            )


def growing_gradient(about: About, history: History) -> Iterator[Finding]:
    """A gradient that is ten times what it was in two watched batches in a row, or a hundred times in one.

    In more of them where batches are of few images, and among batches that have objects: those without are of another
    loss.
    """
    found = [(seen, norm) for seen in history.seen if _with_objects(seen) and (norm := _finite_gradient(seen))]
    least = math.ceil(IMAGES / _images(found[-1][0])) if found else 1
    for rows, times in ((max(2, least), TENFOLD), (max(1, least // 2), HUNDREDFOLD)):
        before, last = found[:-rows], found[-rows:]
        if len(before) < BASE:
            continue
        usual = median(norm for _, norm in before)
        if usual > 0 and all(norm >= times * usual for _, norm in last):
            first, norm = last[0]
            where = _grown_most(first, [seen for seen, _ in before])
            yield Finding(
                code="exploding_gradient",
                severity="warning",
                level=None,
                message=(
                    f"The gradient is {norm / usual:.3g} times what is usual here since {_when(first)} ({norm:.3g} "
                    f"against {usual:.3g} a batch), most of all in the {where}. Lower the learning rate, or warm up "
                    "for longer; diagnosis.numerics on this batch says which layer it comes from."
                ),
                evidence=_since(first) | {"norm": norm, "usual": usual, "ratio": norm / usual, "part": where},
            )
            return


RULES: tuple[Rule, ...] = (
    *(absent_objects, starved_levels, idle_stacks, starved_classes),
    *(unreachable_objects, dominated_loss, growing_gradient),
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


def _with_objects(seen: Seen) -> bool:
    """Whether a batch had objects, or it is not known."""
    return seen.row.get("objects") != 0


def _finite_gradient(seen: Seen) -> float | None:
    norm = seen.gradient
    return norm if norm is not None and math.isfinite(norm) else None


def _images(seen: Seen) -> int:
    """How many images a gradient is of; many where it is not known."""
    return (seen.row.get("images") or IMAGES) * max(seen.row.get("accumulated") or 1, 1)


def _grown_most(now: Seen, before: list[Seen]) -> str:
    """The part of the network whose gradient grew most."""
    ratios = {}
    for name in ("backbone", "neck", "head"):
        norms = [norm for seen in before if (norm := seen.row.get(f"grad_{name}"))]
        if norms and now.row.get(f"grad_{name}"):
            ratios[name] = now.row[f"grad_{name}"] / median(norms)
    return max(ratios, key=lambda name: ratios[name]) if ratios else "whole network"


def _since(seen: Seen) -> dict:
    return {"began": seen.step, "epoch": seen.row.get("epoch")}


def _span(run: Sequence[Seen]) -> str:
    """The steps of batches, oldest first: those that a finding speaks of, whatever comes after."""
    return f"in steps {run[0].step} to {run[-1].step}" + _epochs(run[0].row.get("epoch"), run[-1].row.get("epoch"))


def _epochs(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    return f" (epoch {first + 1})" if first == last else f" (epochs {first + 1} to {last + 1})"


def _when(seen: Seen) -> str:
    epoch = seen.row.get("epoch")
    return f"step {seen.step}" + ("" if epoch is None else f" (epoch {epoch + 1})")
