"""Whether each image of a batch comes out as it does by itself."""

from collections.abc import Callable, Sequence

import numpy as np

from ..boxes.writing import Size
from ..notes import Notes
from .asking import Asker, Unreadable
from .trials import Given, Trial, ask, background, predictions


def alike(one: Trial, other: Trial) -> bool:
    """Whether two trials of the same predictions gave the same boxes and classes."""
    return np.array_equal(one.labels, other.labels) and np.allclose(one.boxes, other.boxes, atol=1e-2, equal_nan=True)


def steady(asker: Asker, spare: Callable, size: Size, batch: int, rng: np.random.Generator, notes: Notes) -> bool:
    """Whether the same question gets the same answer; a copy for each call, made of ``spare``, where that helps.

    True of what cannot be read at all, which is not judged here.
    """
    noise = background(asker.layout, size, batch, rng)
    given = predictions(asker.layout, size, len(asker.layout.strides) - 1, batch, rng)
    try:
        first, again = (ask(asker, size, noise, given) for _ in range(2))
    except Unreadable:
        return True
    if alike(first, again):
        return True
    notes.add("state_leak", "the same outputs give other boxes when they are decoded again")
    if again.came.all() and alike(again, ask(asker, size, noise, given)):
        return True
    asker.decode, asker.fresh = spare, True
    first, again = (ask(asker, size, noise, given) for _ in range(2))
    return alike(first, again)


def mixed(asker: Asker, size: Size, batch: int, rng: np.random.Generator, notes: Notes) -> bool:
    """Note where images of a batch come out otherwise than alone: all else is then asked of images one by one.

    A decoder that answers the same question in two ways, or that cannot be read at all, is not judged here.
    """
    if batch == 1:
        return False
    noise = background(asker.layout, size, batch, rng)
    given = predictions(asker.layout, size, len(asker.layout.strides) - 1, batch, rng)
    try:
        first = ask(asker, size, noise, given)
        if not alike(first, ask(asker, size, noise, given)):
            return False
    except Unreadable as error:
        return _batches_alone(asker, size, noise, given, error, notes)
    for image in range(min(batch, 2)):
        try:
            alone = _alone(asker, first, image)
        except Unreadable as error:
            notes.add(error.code, f"{error}, a batch of {batch} does not")
            return False
        if alone is not None:
            notes.add("mixed_batch", alone)
            return True
    return False


def _batches_alone(
    asker: Asker, size: Size, noise: Sequence[np.ndarray], given: Given, error: Unreadable, notes: Notes
) -> bool:
    """Note what cannot be read of a batch where an image by itself can."""
    one = given.take(given.images == 0)
    try:
        ask(asker, size, [level[:1] for level in noise], one)
    except Unreadable:
        return False
    notes.add(error.code, f"{error}; an image by itself can be read")
    asker.batched = error.code
    return True


def _alone(asker: Asker, first: Trial, image: int) -> str | None:
    """What an image gives otherwise by itself than in its batch, in words."""
    here = first.given.images == image
    one = first.given.take(here)
    one.images[:] = 0
    noise = [level[image : image + 1] for level in first.noise]
    trial = ask(asker, first.size, noise, one)
    if not np.allclose(trial.boxes, first.boxes[here], atol=1e-2, equal_nan=True):
        return "an image gives other boxes by itself than in a batch"
    if not np.array_equal(trial.labels, first.labels[here]):
        return "an image gives other classes by itself than in a batch"
    return None
