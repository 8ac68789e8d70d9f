"""What the edges of images say of the geometry of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .edges import EdgeField, EdgeFits
from .grammar import weight
from .reading import Reading
from .rows import Rows
from .search import FEWEST, Difference, difference

SURELY = 1.5  # how much beyond chance t must be where edges contradict a model
DEPARTURES = 2  # how many departures edges are asked about
LEAST = 0.02  # of the score of edges: what a departure must bring


@dataclass(frozen=True)
class ByEdges:
    """``fits`` (images, hypotheses) of the ``hypotheses``, the labels as written first; NaN-free.

    ``place`` of the one that edges choose; ``t`` of its gain over the labels as written and ``above``, what the best of
    all exceeds by chance; ``on_edges``: the mean score of the choice, 0 is chance.
    """

    hypotheses: tuple[Reading, ...]
    fits: np.ndarray
    place: int
    t: float
    above: float
    gain: Difference
    on_edges: Difference

    @property
    def reading(self) -> Reading:
        """What the edges choose."""
        return self.hypotheses[self.place]

    @property
    def capable(self) -> bool:
        """Whether boxes read this way lie on edges, by more than chance."""
        return self.on_edges.proven(LEAST / 2)

    def compared(self, reading: Reading, other: Reading) -> Difference:
        """How much better one reading lies on edges than another; of no image where one was not weighed."""
        if reading not in self.hypotheses or other not in self.hypotheses:
            return difference(np.empty(0))
        one, two = self.hypotheses.index(reading), self.hypotheses.index(other)
        return difference(self.fits[:, one] - self.fits[:, two])


def judge_by_edges(
    rows: Rows, fields: Mapping[int, EdgeField], hypotheses: Sequence[Reading], further: Sequence[Reading] = ()
) -> ByEdges | None:
    """Weigh readings on the edges of some images, ``further`` ones beside; None where too few images have boxes."""
    weighed = [reading for reading in hypotheses if weight(reading) <= DEPARTURES]
    weighed = list(dict.fromkeys([*weighed, *further]))
    places = np.array(sorted(set(fields) & set(np.unique(rows.image).tolist())), np.int64)
    if len(places) < FEWEST:
        return None
    mine = rows.of_images(places)
    sizes = np.array([fields[place].size for place in places.tolist()], np.float64)
    row_sizes = sizes[mine.image]
    boxes = np.stack([reading.boxes(mine.quads, row_sizes) for reading in weighed]) * np.tile(row_sizes, 2)
    scores = [fields[place].scores(boxes[:, mine.image == i]) for i, place in enumerate(places.tolist())]
    found = EdgeFits.of(scores)
    against = found.against(0)
    place = _chosen(found, weighed, against.better)
    return ByEdges(
        hypotheses=tuple(weighed),
        fits=found.fits,
        place=place,
        t=float(against.t[place]),
        above=against.above,
        gain=difference(found.fits[:, place] - found.fits[:, 0]),
        on_edges=difference(found.fits[:, place]),
    )


def _chosen(found: EdgeFits, hypotheses: Sequence[Reading], better: np.ndarray) -> int:
    """The simplest reading that is not to be told from the best; the labels as written unless the best is better."""
    best = int(found.mean.argmax())
    if not better[best]:
        return 0
    weights = np.array([weight(reading) for reading in hypotheses])
    gain = found.mean[best] - found.mean
    alike = found.against(best).not_worse | (gain < LEAST * (weights[best] - weights))
    if alike[0] or gain[0] < LEAST:
        return 0
    order = np.lexsort((-found.mean, weights))
    return int(next(place for place in order if alike[place]))
