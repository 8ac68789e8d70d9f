"""Rules about what grows out of bounds: the gradient against what is usual, and a loss that leaps."""

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from ..findings import Finding
from .history import History, Seen
from .record import About
from .spans import since, span, when
from .tables import LEVELS

TENFOLD, HUNDREDFOLD, BASE = 10.0, 100.0, 8  # of gradients; over the median of at least so many watched batches
LEAP = 20.0  # times the greatest loss of the first batches: healthy trainings stay below 2
IMAGES = 8  # whose gradients must agree: of single images they differ by an order of magnitude in any training


def leaping_loss(about: About, history: History) -> Iterator[Finding]:
    """A loss that is many times what it was in the first batches, or a gradient that is a hundred times it.

    Told from the second watched batch on, or from later ones where batches are of few images. Batches without a
    positive are of another loss.
    """
    seen = [one for one in history.seen if _with_positives(one)]
    if not seen:
        return
    least = math.ceil(IMAGES / _images(seen[-1]))
    rows = max(1, least // 2)
    begin, last = seen[:-rows][:least], seen[-rows:]
    if len(begin) < least:
        return
    loss = max(_finite(begin, _loss), default=math.inf)
    norm = max(_finite(begin, _gradient), default=math.inf)
    if not (_all_at_least(last, _loss, LEAP * loss) or _all_at_least(last, _gradient, HUNDREDFOLD * norm)):
        return
    first = last[0]
    ratios = {"loss": _ratio(_loss(first), loss), "gradient": _ratio(_gradient(first), norm)}
    rate = first.row.get("rate")
    now = "" if rate is None else f" (it is {rate:.3g})"
    grown = ", ".join(f"the {name} is {ratio:.3g} times" for name, ratio in ratios.items() if ratio is not None)
    yield Finding(
        code="exploding_gradient",
        severity="error",
        level=None,
        message=(
            f"At {when(first)} {grown} the greatest {span(begin)}{_item_grown_most(first, begin)}: the training "
            f"diverges. Lower the learning rate{now}, or warm up for longer, and begin again from weights of "
            "before; diagnosis.numerics on this batch says which layer it comes from."
        ),
        evidence=since(first) | {"ratio": ratios["gradient"], "loss_ratio": ratios["loss"], "rate": rate},
    )


def growing_gradient(about: About, history: History) -> Iterator[Finding]:
    """A gradient that is ten times what it was in two watched batches in a row, or a hundred times in one.

    In more of them where batches are of few images, and among batches that have objects: those without are of another
    loss.
    """
    found = [(seen, norm) for seen in history.seen if _with_objects(seen) and (norm := _gradient(seen))]
    if not found:
        return
    newest = found[-1][0]
    least = math.ceil(IMAGES / (_images(newest) * _accumulated(newest)))
    for rows, times in ((max(1, least // 2), HUNDREDFOLD), (max(2, least), TENFOLD)):
        before, last = found[:-rows], found[-rows:]
        if len(before) < BASE:
            continue
        usual = median(norm for _, norm in before)
        if usual > 0 and all(norm >= times * usual for _, norm in last):
            first, norm = last[0]
            where = _grown_most(first, [seen for seen, _ in before])
            yield Finding(
                code="exploding_gradient",
                severity="error" if times >= HUNDREDFOLD else "warning",
                level=None,
                message=(
                    f"The gradient is {norm / usual:.3g} times what is usual here since {when(first)} ({norm:.3g} "
                    f"against {usual:.3g} a batch), most of all in the {where}. Lower the learning rate, or warm up "
                    "for longer; diagnosis.numerics on this batch says which layer it comes from."
                ),
                evidence=since(first) | {"norm": norm, "usual": usual, "ratio": norm / usual, "part": where},
            )
            return


Measure = Callable[[Seen], float | None]


def _loss(seen: Seen) -> float | None:
    loss = seen.row.get("loss")
    return loss if loss is not None and math.isfinite(loss) and loss > 0 else None


def _gradient(seen: Seen) -> float | None:
    norm = seen.gradient
    return norm if norm is not None and math.isfinite(norm) and norm > 0 else None


def _finite(seen: Sequence[Seen], measure: Measure) -> list[float]:
    return [value for one in seen if (value := measure(one)) is not None]


def _all_at_least(seen: Sequence[Seen], measure: Measure, bound: float) -> bool:
    """Whether all of these have the measure, and none has less."""
    values = _finite(seen, measure)
    return bool(values) and len(values) == len(seen) and min(values) >= bound


def _ratio(value: float | None, usual: float) -> float | None:
    return None if value is None or math.isinf(usual) else value / usual


def _with_objects(seen: Seen) -> bool:
    """Whether a batch had objects, or it is not known."""
    return seen.row.get("objects") != 0


def _with_positives(seen: Seen) -> bool:
    """Whether a batch had a cell that answers for an object, or it is not known."""
    return _with_objects(seen) and (not seen.levels or any(level["positives"] for level in seen.levels))


def _images(seen: Seen) -> int:
    """How many images a loss is of; many where it is not known."""
    return seen.row.get("images") or IMAGES


def _accumulated(seen: Seen) -> int:
    """How many batches a gradient is of."""
    return max(seen.row.get("accumulated") or 1, 1)


def _item_grown_most(now: Seen, begin: Sequence[Seen]) -> str:
    """The loss item that grew most, in words; nothing where items are not known."""
    items = {name for level in now.levels for name in level if name not in LEVELS}
    usual = {name: max(values) for name in items if (values := _finite(begin, _item(name)))}
    grown = {name: now.row[name] / most for name, most in usual.items() if most > 0 and now.row.get(name)}
    name = max(grown, key=lambda one: grown[one], default=None)
    return "" if name is None else f" ({name} most of all, {grown[name]:.3g} times)"


def _item(name: str) -> Measure:
    return lambda seen: seen.row.get(name)


def _grown_most(now: Seen, before: list[Seen]) -> str:
    """The part of the network whose gradient grew most."""
    ratios = {}
    for name in ("backbone", "neck", "head"):
        norms = [norm for seen in before if (norm := seen.row.get(f"grad_{name}"))]
        if norms and now.row.get(f"grad_{name}"):
            ratios[name] = now.row[f"grad_{name}"] / median(norms)
    return max(ratios, key=lambda name: ratios[name]) if ratios else "whole network"
