"""Whether each image of a batch comes out as it does by itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..boxes.writing import Size
from ..notes import Notes
from .asking import Asker
from .found import Found, Unreadable
from .predictions import Given, background, laid, predictions
from .trials import Trial, ask, heard


def alike(one: Trial, other: Trial) -> bool:
    """Whether two trials of the same predictions gave the same boxes and classes."""
    return np.array_equal(one.labels, other.labels) and np.allclose(one.boxes, other.boxes, atol=1e-2, equal_nan=True)


def steady(
    asker: Asker, spare: Callable, sizes: Sequence[Size], batch: int, rng: np.random.Generator, notes: Notes
) -> bool:
    """Whether the same question gets the same answer; each call is to a copy of ``spare`` where that alone helps.

    True of what cannot be read at all, which is not judged here.
    """
    questions = [_question(asker, size, batch, rng) for size in sizes]
    first, again = (_answer(asker, *questions[0]) for _ in range(2))
    if first is None:
        return True
    if again is None or not alike(first, again):
        notes.add("state_leak", "the same outputs give other boxes when they are decoded again")
        third = _answer(asker, *questions[0])
        if again is not None and again.came.all() and third is not None and alike(again, third):
            return True
        return _steady_anew(asker, spare, questions[0])
    for size, question in zip(sizes[1:], questions[1:], strict=True):
        alone = _answer(replace(asker, decode=spare, fresh=True), *question)
        after = _answer(asker, *question)
        if alone is not None and (after is None or not alike(alone, after)):
            height, width = sizes[0]
            words = f"after images of {height} x {width}, {size[0]} x {size[1]} come out otherwise than at first"
            notes.add("state_leak", words)
            return _steady_anew(asker, spare, question)
    return True


Question = tuple[Size, list[np.ndarray], Given]


def _question(asker: Asker, size: Size, batch: int, rng: np.random.Generator) -> Question:
    noise = background(asker.layout, size, batch, rng)
    return size, noise, predictions(asker.layout, size, len(asker.layout.strides) - 1, batch, rng)


def _answer(asker: Asker, size: Size, noise: list[np.ndarray], given: Given) -> Trial | None:
    """What comes; None where that cannot be read."""
    try:
        return ask(asker, size, noise, given)
    except Unreadable:
        return None


def _steady_anew(asker: Asker, spare: Callable, question: Question) -> bool:
    """Whether copies that were never asked answer alike: these are asked from then on."""
    asker.decode, asker.fresh = spare, True
    first, again = (_answer(asker, *question) for _ in range(2))
    return first is not None and again is not None and alike(first, again)


def mixed(asker: Asker, size: Size, batch: int, rng: np.random.Generator, notes: Notes) -> bool:
    """Note where images of a batch come out otherwise than alone: all else is then asked of images one by one.

    A decoder that answers the same question in two ways, or that cannot be read at all, is not judged here.
    """
    if batch == 1:
        return False
    noise = background(asker.layout, size, batch, rng)
    given = predictions(asker.layout, size, len(asker.layout.strides) - 1, batch, rng)
    try:
        found = asker(laid(asker.layout, size, noise, given))
        first = heard(found, size, noise, given)
        if not alike(first, ask(asker, size, noise, given)):
            return False
    except Unreadable as error:
        return _batches_alone(asker, size, noise, given, error, notes)
    if _empty_fails(asker, size, noise, given, notes):
        return True
    for image in range(min(batch, 2)):
        try:
            alone = _alone(asker, first, found[image], image)
        except Unreadable as error:
            notes.add(error.code, f"{error}, a batch of {batch} does not")
            return False
        if alone is not None and image and asker.fresh:  # what an image leaves behind is there for the next
            notes.fold("state_leak", "mixed_batch")
            return True
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


def _empty_fails(asker: Asker, size: Size, noise: Sequence[np.ndarray], given: Given, notes: Notes) -> bool:
    """Note a batch that cannot be read where only its first image, or its last, holds predictions."""
    for image in (0, len(noise[0]) - 1):
        try:
            asker(laid(asker.layout, size, noise, given.take(given.images == image)))
        except Unreadable as error:
            notes.add(error.code, f"{error}, where an image of the batch holds no prediction")
            asker.sparse = True
            return True
    return False


def same(one: Found, other: Found) -> bool:
    """Whether two images got the same boxes and scores, whatever can be made of them."""
    return one.boxes.shape == other.boxes.shape and all(
        np.allclose(*pair, atol=1e-2, equal_nan=True)
        for pair in ((one.boxes, other.boxes), (one.scores, other.scores), (one.labels, other.labels))
    )


def crossing(asker: Asker, trial: Trial) -> bool:
    """Whether predictions of one image change what comes out for the others."""
    given = trial.given.take(trial.given.images == trial.given.images[0])
    others = [image for image in range(len(trial.noise[0])) if image != given.images[0]]
    found, plain = asker(laid(asker.layout, trial.size, trial.noise, given)), asker.plain(trial.noise)
    return not all(same(found[image], plain[image]) for image in others)


def _alone(asker: Asker, first: Trial, found: Found, image: int) -> str | None:
    """What an image, of which ``found`` comes in its batch, gives otherwise by itself, in words."""
    here = first.given.images == image
    one = first.given.take(here)
    one.images[:] = 0
    noise = [level[image : image + 1] for level in first.noise]
    other = asker(laid(asker.layout, first.size, noise, one))
    if same(found, other[0]):
        return None
    trial = heard(other, first.size, noise, one)
    if not np.allclose(trial.boxes, first.boxes[here], atol=1e-2, equal_nan=True):
        return "an image gives other boxes by itself than in a batch"
    if not np.array_equal(trial.labels, first.labels[here]):
        return "an image gives other classes by itself than in a batch"
    return None
