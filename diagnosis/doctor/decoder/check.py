"""Give a decoder known predictions at known cells, and name what it makes of them instead."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...findings import Report
from ..boxes.writing import Size
from ..layout import TargetLayout
from ..notes import OF_DECODERS, Notes
from .asking import Asker
from .box_reasons import Level
from .found import Unreadable
from .images import alike, mixed, steady
from .judging import judge
from .predictions import SMALL, background, expressible, predictions
from .renewing import renewed
from .scores import SURE, TWICE, beyond, class_alone, doubled, impossible, power, quiet
from .trials import Trial, ask, singly

FOLLOWS = ("axes_swapped", "scrambled_layout", "image_size_swapped", "state_leak")
"""Causes that may make images of another shape fail altogether."""


def check_decoder(
    decode: Callable,
    layout: TargetLayout,
    *,
    image_sizes: Sequence[Size] = ((384, 640), (512, 512)),
    image_size: Size | None = None,
    batch: int = 2,
    prepare: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``decode(outputs)``: each known prediction must come out as that one box.

    ``outputs``: a batch a level in the storage of ``layout`` ((B, C, h, w) with ``CHW``; one tensor (B, N, C) with
    ``NC``), classes and objectness as probabilities. Where the head's raw outputs are something else (logits,
    exponents, bins), ``prepare`` turns such outputs into what ``decode`` takes; it clamps to what the head can express.
    ``decode`` returns boxes (B, N, 4) xyxy px and scores (B, N, classes), or for each image a tensor (n, 6) of xyxy,
    score, class, or a mapping with "boxes", "scores" and "labels".
    ``image_sizes``, (height, width) each: a square one and one that is not show the most; ``image_size`` for one alone.
    It is asked some 40 times, up to twice as often where predictions get lost together, each time of images in which
    every cell holds a box: suppression of all of them, without a threshold before it, takes most of the time then.
    ValueError where strides do not divide them.
    """
    if not callable(decode) or not isinstance(layout, TargetLayout):
        raise TypeError(f"A callable and a TargetLayout are needed, not {type(decode)} and {type(layout)}.")
    sizes = _checked((image_size,) if image_size is not None else image_sizes, layout, batch)
    asker, notes = Asker(decode, layout, prepare), Notes(len(layout.strides), OF_DECODERS, joined=True)
    spare = renewed(decode)
    rng = np.random.default_rng(seed)
    if not steady(asker, spare, sizes, batch, np.random.default_rng(seed), notes):
        return Report("decoder", notes.findings(set()), asker.asked)
    levels: list[Level] = [Level(index) for index in range(len(layout.strides))]
    failed: dict[Size, Unreadable] = {}
    _background(asker, sizes[0], batch, np.random.default_rng(seed), notes)
    batch = 1 if mixed(asker, sizes[0], batch, rng, notes) else batch
    for size in sizes:
        try:
            _ask_all(asker, size, batch, rng, levels)
        except Unreadable as error:
            failed[size] = error
    _failures(failed, sizes, asker, spare, notes, rng, batch)
    description, unexplained = judge(levels, asker, notes, sizes, rng)
    if not failed:
        try:
            _conduct(asker, sizes, batch, notes, rng)
        except Unreadable as error:
            notes.add(error.code, f"{error}, where no image holds a sure prediction")
    if asker.changed:
        notes.add("state_leak", "it changes the outputs that it is given in place")
    return Report(
        subject="decoder",
        findings=notes.findings(set(range(len(layout.strides)))),
        probes=asker.asked,
        description=description,
        unexplained=unexplained,
    )


def _background(asker: Asker, size: Size, batch: int, rng: np.random.Generator, notes: Notes) -> None:
    """Note a class beyond those declared that is sure of cells without an object, and read all else without it."""
    found = beyond(asker, background(asker.layout, size, batch, rng))
    if found is not None:
        asker.left_out, score = found
        what = f"one class more than declared comes out: class {asker.left_out} has a score of {score:.3g}"
        notes.add("class_leak", f"{what} in cells without an object, as background has")


def _checked(image_sizes: Sequence[Size], layout: TargetLayout, batch: int) -> tuple[Size, ...]:
    sizes: Any = tuple(tuple(int(side) for side in size) for size in image_sizes)
    wrong = [
        s for s in sizes if len(s) != 2 or min(s) <= 0 or any(side % stride for side in s for stride in layout.strides)
    ]
    if wrong or not sizes or batch < 1:
        raise ValueError(
            f"image sizes must be (height, width) in multiples of {layout.strides} and batch at least 1, "
            f"but {image_sizes} and {batch} were given."
        )
    return sizes


def _ask_all(asker: Asker, size: Size, batch: int, rng: np.random.Generator, levels: list[Level]) -> None:
    """Predictions on every level, together where they can be told apart, else one by one."""
    noise = background(asker.layout, size, batch, rng)
    for level in levels:
        for sides in (SMALL, None):
            given = predictions(asker.layout, size, level.index, batch, rng, *([sides] if sides else []))
            given = expressible(asker, size, noise, given)
            trial = ask(asker, size, noise, given)
            if not trial.came.all() or trial.strays:
                level.crowded += trial.fewer
                trial = singly(asker, size, noise, given)
            level.trials.append(trial)


def _failures(
    failed: dict[Size, Unreadable],
    sizes: Sequence[Size],
    asker: Asker,
    spare: Callable,
    notes: Notes,
    rng: np.random.Generator,
    batch: int,
) -> None:
    """Sizes at which nothing could be read: an error each kind, or what an earlier size has left behind."""
    for size, error in failed.items():
        words = f"{error} (images of {size[0]} x {size[1]})"
        sound = [other for other in sizes if other not in failed]
        if sound and size != sizes[0] and _answers(asker, spare, size, batch, rng):
            notes.add("state_leak", f"after images of {sizes[0][0]} x {sizes[0][1]}, {words}")
            continue
        if sound:
            words += f", not at {' or '.join(f'{h} x {w}' for h, w in sound)}"
        notes.add(error.code, words)


def _answers(asker: Asker, decode: Callable, size: Size, batch: int, rng: np.random.Generator) -> bool:
    """Whether a copy that was never asked can be read at this size."""
    try:
        asker(background(asker.layout, size, batch, rng), decode)
    except Unreadable:
        return False
    return True


def _conduct(asker: Asker, sizes: Sequence[Size], batch: int, notes: Notes, rng: np.random.Generator) -> None:
    """The same question again, after other sizes; scores of what is no object."""
    size = sizes[0]
    noise = background(asker.layout, size, batch, rng)
    given = predictions(asker.layout, size, len(asker.layout.strides) - 1, batch, rng)
    first = ask(asker, size, noise, given)
    again = ask(asker, size, noise, given)
    if not alike(first, again):
        notes.add("state_leak", "the same outputs give other boxes when they are decoded again")
        return
    if first.came.any() and first.top <= 0:
        notes.add("wrong_output", "probabilities are needed as scores, but none is above 0 where predictions are sure")
        return
    none = impossible(asker, first)
    if none is not None:
        notes.add(none.code, f"{none}, where no class of any cell is possible")
    _silent(asker, first, notes)


def _silent(asker: Asker, first: Trial, notes: Notes) -> None:
    """Cells without an object, and classes without an object's score, must keep silent."""
    if notes.has("scrambled_layout"):
        return
    said, twice = quiet(first), doubled(first)
    code = "class_leak" if asker.layout.objectness is None else "objectness_wrong"
    if first.floor >= SURE:
        notes.add(code, said)
        for symptom in ("class_wrong", "object_lost", "mixed_batch"):
            notes.drop(symptom, code)
        return
    if twice and not notes.has("class_wrong"):
        notes.add("class_leak", f"{twice}; {said}" if said else twice)
    elif said and not notes.has("object_lost", "class_wrong"):
        notes.add(code, said)
    elif class_alone(asker, first):
        notes.add("objectness_wrong", "a class is given out as sure where objectness says that there is no object")
    elif not notes.has("object_lost", "class_wrong", "objectness_wrong") and (power(asker, first) or 0.0) > TWICE:
        notes.add("objectness_wrong", "scores hold the objectness more than once")
