"""Hold a loss to what every one owes: a minimum at the truth, every channel seen, no care for order, no NaN."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...findings import Report
from ..boxes.writing import Size
from ..layout import TargetLayout
from ..notes import OF_LOSSES, Notes
from . import descents, scores
from .asking import Asker, Failed
from .astray import jolted
from .background import background
from .beyond import beyond
from .boxes import cancelled, costs, misplaced, paired
from .cells import ignored_cells, mixed, nearby, order
from .cost import Cost
from .far import beside, far
from .following import follows
from .hard_cases import hard_cases
from .memory import first_answer, remembered, wavers
from .parts import beside_boxes, parts
from .pulls import pulls
from .quality import quality
from .reading import reading
from .said import Said
from .sure import by_ids, sure, unsure
from .truth import Truth, truth

ROUNDING = 1e-8
"""Of what wrong scores cost, what no box that is wrong costs less than, however small its share of a loss."""


def check_loss(
    loss: Callable[..., Tensor],
    layout: TargetLayout,
    *,
    image_size: tuple[int, int] | None = None,
    batch: int = 2,
    prepare: Callable | None = None,
    box_channels: Sequence[int] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``loss(predictions, targets)``, a scalar tensor that carries gradient.

    Both are batches a level in the storage of ``layout`` ((B, C, h, w) with ``CHW``; one tensor (B, N, C) with ``NC``);
    targets hold zeros where there is no object. ``prepare`` turns targets into the raw predictions that mean the same
    (logits, bins); without it they are taken as they are. ``box_channels``: the box's channels of raw predictions; the
    layout's where ``prepare`` is not given. ``image_size``: (height, width), 192 x 320 where strides divide that.
    ValueError where they do not divide what is given.
    """
    if not callable(loss) or not isinstance(layout, TargetLayout):
        raise TypeError(f"A callable and a TargetLayout are needed, not {type(loss)} and {type(layout)}.")
    image_size = image_size or _fitting(layout)
    if any(side % stride for side in image_size for stride in layout.strides) or batch < 1:
        raise ValueError(
            f"image_size must be multiples of {layout.strides} and batch at least 1, not {image_size}, {batch}."
        )
    asker = Asker(loss, layout, prepare)
    channels = box_channels if box_channels is not None or prepare else layout.box
    first = first_answer(_start(asker, image_size, batch, seed)[0], asker)
    said = _said(asker, image_size, batch, channels, seed)
    if wavers(_start(asker, image_size, batch, seed)[0], asker, first):  # what was seen before it did is no more true
        words = f"the same predictions and targets cost something else after {asker.asked} calls, or at some of them"
        asker.infinite.clear()
        said = [Said("state_leak", words), *_said(asker, image_size, batch, channels, seed)]
    said += _calls(asker)
    notes = _noted(said, len(layout.strides), infinite=bool(asker.infinite))
    return Report("loss", notes.findings(set(range(len(layout.strides)))), asker.asked)


def _start(asker: Asker, size: Size, batch: int, seed: int) -> tuple[Truth, torch.Generator, np.random.Generator]:
    """The first targets, and what further ones are drawn with."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    return truth(asker.layout, size, batch, rng), generator, rng


def _said(asker: Asker, size: Size, batch: int, boxes: Sequence[int] | None, seed: int) -> list[Said]:
    """What targets with objects show, and those on which losses break."""
    given, generator, rng = _start(asker, size, batch, seed)
    said: list[Said] = []
    try:
        said.extend(_all(asker, given, boxes, generator, rng))
    except Failed as error:
        said.append(Said(error.code, f"targets with objects: {error}"))
    if not asker.hopeless:
        said += hard_cases(truth(asker.layout, size, batch, rng), asker, generator)
    return said


def _all(
    asker: Asker, given: Truth, boxes: Sequence[int] | None, generator: torch.Generator, rng: np.random.Generator
) -> Iterator[Said]:
    """What targets with objects show; images that are mixed are asked one by one."""
    yield from remembered(given, asker)
    if asker.hopeless:
        return
    given = _finite(given, asker, rng)
    yield from reading(given, asker, boxes)
    known = parts(given, asker)
    signed = _signed(given, asker, rng)
    ordering: list[Said] = []
    if not asker.seeded:  # random numbers fall otherwise on other images and cells
        for one in mixed(given, asker, known) if not signed else ():  # a sum of signed errors mixes all that there is
            yield one
            given = truth(given.layout, given.size, 1, rng) if one.code != "raises" else given
        ordering = order(given, asker, beside_boxes(known, boxes), generator)
        if ordering and nearby(given, asker, boxes):
            ordering = order(given, asker, known, generator, loose=True)
    disordered = {one.part for one in ordering}
    if disordered == {"boxes"}:
        yield from quality(given, asker, beside_boxes(known, boxes))
    ordering = [replace(one, part="boxes") if one.part == "quality" else one for one in ordering]
    disordered = {one.part for one in ordering}
    signed = signed or paired(given, asker)
    yield from (*ordering, *(one for one in signed if "boxes" not in disordered))
    said = [*_minimum(given, asker, disordered), *pulls(given, asker, known, boxes, ordered=not ordering)]
    yield from said or (_jolts(given, asker) if not ordering else [])
    yield from _distant(given, asker, {one.part for one in said} | disordered)
    yield from background(given, asker, known)
    yield from ignored_cells(given, asker, rng)


def _distant(given: Truth, asker: Asker, parts: set[str]) -> Iterator[Said]:
    """What predictions show that are far from the truth, of parts of which nothing was said."""
    yield from beside(given, asker)
    yield from unsure(given, asker)
    if "" in parts:
        return
    if "boxes" not in parts:
        yield from far(given, asker)
    yield from (one for one in (*sure(given, asker), *by_ids(given, asker)) if one.part not in parts)


def _finite(given: Truth, asker: Asker, rng: np.random.Generator) -> Truth:
    """Objects whose loss is finite: those given, or ones among which each level of each image has every class."""
    for one in (given, *(truth(given.layout, given.size, given.batch, rng, every=True) for _ in range(1))):
        levels = one.levels()
        if np.isfinite(asker(levels, levels, "a perfect prediction")):
            return one
    return given


def _signed(given: Truth, asker: Asker, rng: np.random.Generator) -> list[Said]:
    """Errors that cancel within an image; nothing of a loss that takes no single image."""
    try:
        return cancelled(truth(given.layout, given.size, 1, rng), asker)
    except Failed:
        return []


def _fitting(layout: TargetLayout) -> tuple[int, int]:
    """A small oblong image that the strides divide."""
    if not any(side % stride for side in (192, 320) for stride in layout.strides):
        return 192, 320
    coarsest = int(max(layout.strides))
    return 2 * coarsest, 3 * coarsest


def _minimum(given: Truth, asker: Asker, disordered: set[str]) -> list[Said]:
    """The truth must have the smallest loss, and every departure from it a greater one.

    ``disordered``: parts that depend on the order of cells; what they cost means nothing.
    """
    targets = given.levels()
    least = asker(targets, targets, "a perfect prediction")
    if not np.isfinite(least) or "" in disordered:
        return []
    boxes, shown = costs(given, asker, least), scores.costs(given, asker, least)
    found: list[Said] = []
    if boxes.usual < ROUNDING * shown.usual:
        found.append(Said("no_gradient", "an error of the boxes costs nothing beside rounding", "boxes", whole=True))
    elif "boxes" not in disordered:
        found += misplaced(given, asker, boxes) or descents.boxes(given, asker, boxes)
    wrong = scores.check(given, asker, shown) or descents.scores(given, asker, shown) or beyond(given, asker)
    return [*found, *(one for one in wrong if one.part not in disordered)]


def _jolts(given: Truth, asker: Asker) -> list[Said]:
    """Boxes that lie a little off must cost more, and so must scores that are wrong altogether."""
    targets, rng = given.levels(), np.random.default_rng(0)
    least = asker(targets, targets, "a perfect prediction")
    off = [asker(jolted(given, rng), targets, "boxes a little off") for _ in range(3)]
    far = scores.inverted(given, asker)
    if max(*off, far) <= least + 1e-7:
        words = "wrong boxes and scores cost no more than right ones"
        return [Said("not_minimal", words, numbers={"perfect": least, "others": off})]
    if Cost.beside(least, [value - least for value in off]).less(min(off)):
        words = "boxes that lie a little off have a smaller loss than right ones"
        return [Said("not_minimal", words, "boxes", numbers={"perfect": least, "other": min(off)})]
    return []


def _calls(asker: Asker) -> list[Said]:
    """What the calls themselves have shown."""
    found = []
    if asker.infinite:
        kinds = ", ".join(dict.fromkeys(asker.infinite))
        what = f"{len(asker.infinite)} of {asker.asked} losses are NaN or infinite: {kinds}"
        what = what if len(what) < 300 else f"{what[:300]} …"
        found.append(Said("non_finite", what, numbers={"calls": len(asker.infinite)}))
    if asker.changed:
        found.append(Said("state_leak", f"it changes its {asker.changed} in place"))
    return found


def _noted(said: Sequence[Said], levels: int, *, infinite: bool) -> Notes:
    """All that was said, without what follows from a cause in the same part of the loss."""
    notes = Notes(levels, OF_LOSSES, joined=True)
    for one in said:
        cause = next((other for other in said if follows(one, other, infinite=infinite)), None)
        if cause is not None:
            notes.fold(cause.code, one.code)
            continue
        severity = "warning" if one.mild else "error"
        notes.add(one.code, one.words, level=one.level, severity=severity, **one.numbers)
    return notes
