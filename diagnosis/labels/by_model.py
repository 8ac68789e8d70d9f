"""What a model says of the geometry of labels: the pairing of files, the reading, and whether it can judge at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fit import image_fits
from .grammar import readings, weight
from .matched import match
from .pairing import Pairing, find_pairing, moved
from .reading import Reading
from .residuals import refine
from .rows import Rows
from .search import FEWEST, MARGIN, Choice, Difference, choose, difference
from .seen import Seen

ABOVE_CHANCE = 0.05  # by how much labels must fit better on their own images than on others
DOUBT = 0.06  # a lead over the labels as written that would matter, were it proven
SIMPLE = 2  # departures that are always weighed
LOOSE, TIGHT = 0.3, 0.75  # IoU of what counts as a pair, and the median from which pairs leave nothing to explain
WEIGHED_ON = 400  # images on which all readings are weighed; more bring nothing


@dataclass(frozen=True)
class ByModel:
    """``reading`` that the model chooses, of ``rows`` put where they belong by ``pairing``.

    ``hypotheses`` and their ``fits`` (images, hypotheses), the labels as written first; ``own`` (images,), the fit of
    the reading; ``choice`` among the hypotheses; ``above_chance``: own fit less that on other images; ``doubt``: what
    another reading would bring, were it proven, None where nothing; ``capable`` of judging.
    """

    reading: Reading
    rows: Rows
    pairing: Pairing | None
    hypotheses: tuple[Reading, ...]
    fits: np.ndarray
    own: np.ndarray
    choice: Choice
    gain: Difference
    above_chance: Difference
    doubt: Difference | None

    @property
    def capable(self) -> bool:
        """Whether labels read this way fit what the model sees, and by more than chance."""
        return self.above_chance.proven(ABOVE_CHANCE)


def judge_by_model(rows: Rows, seen: Sequence[Seen], looked: np.ndarray, polygons: bool) -> ByModel:
    """Weigh every reading, and every pairing of files, on what a model sees."""
    hypotheses = readings(rows.quads, polygons)
    single = [reading for reading in hypotheses if weight(reading) <= 1]
    pairing = find_pairing(rows, seen, single, looked)
    if pairing is not None:
        rows = moved(rows, pairing, len(seen))
    hypotheses, fits = _weighed(*_some(rows, seen), hypotheses)
    choice = choose(fits, hypotheses)
    reading = _refined(rows, seen, hypotheses[choice.place], polygons)
    fitted = image_fits(rows, seen, (reading, Reading()))
    own = fitted[:, 0]
    return ByModel(
        reading=reading,
        rows=rows,
        pairing=pairing,
        hypotheses=hypotheses,
        fits=fits,
        own=own,
        choice=choice,
        gain=difference(own - fitted[:, 1]),
        above_chance=difference(own - _elsewhere(rows, seen, reading)),
        doubt=choice.missed if choice.missed.mean > DOUBT else None,
    )


def _weighed(
    rows: Rows, seen: Sequence[Seen], hypotheses: tuple[Reading, ...]
) -> tuple[tuple[Reading, ...], np.ndarray]:
    """The fits of simple readings, and of more departures where none of those makes pairs that fit tightly."""
    simple = tuple(reading for reading in hypotheses if weight(reading) <= SIMPLE)
    fits = image_fits(rows, seen, simple)
    pairs = match(rows, seen, simple[choose(fits, simple).place], LOOSE)
    if len(pairs) >= FEWEST and np.median(pairs.iou) >= TIGHT:
        return simple, fits
    further = tuple(reading for reading in hypotheses if weight(reading) > SIMPLE)
    return (*simple, *further), np.concatenate((fits, image_fits(rows, seen, further)), 1)


def _some(rows: Rows, seen: Sequence[Seen]) -> tuple[Rows, Sequence[Seen]]:
    """Rows and detections of as many images as it takes, spread evenly."""
    if len(seen) <= WEIGHED_ON:
        return rows, seen
    places = np.unique(np.linspace(0, len(seen) - 1, WEIGHED_ON).round().astype(np.int64))
    return rows.of_images(places), [seen[place] for place in places.tolist()]


def _refined(rows: Rows, seen: Sequence[Seen], chosen: Reading, polygons: bool) -> Reading:
    """The chosen reading with shift, scale and size; or the labels as written with these, where that does as well."""
    candidates = [Reading()] if chosen == Reading() else [Reading(), chosen]
    refined = [refine(rows, seen, candidate).reading for candidate in candidates]
    if polygons:
        refined = [reading.pointwise for reading in refined]
    if len(refined) == 1:
        return refined[0]
    fits = image_fits(rows, seen, refined)
    more = weight(refined[1]) - weight(refined[0])
    return refined[1] if difference(fits[:, 1] - fits[:, 0]).proven(MARGIN * max(more, 0)) else refined[0]


def _elsewhere(rows: Rows, seen: Sequence[Seen], reading: Reading) -> np.ndarray:
    """The fit of each image's detections to the labels of images half the set away, in shares: that of chance."""
    count = len(seen)
    by = max(count // 2, 1)
    image = (rows.image + by) % count
    order = np.argsort(image, kind="stable")
    return image_fits(Rows(**{**vars(rows.chosen(order)), "image": image[order]}), seen, (reading,))[:, 0]
