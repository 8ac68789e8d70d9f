"""Classes whose labels are likelier under another reading than under that of the whole set, in all files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .by_model import ByModel
from .file_votes import FileVotes
from .grammar import weight
from .likelihood import Deviation, row_log_likelihoods, usual_deviation
from .matched import Matched
from .part_search import BELONGS, PROVEN, mixture
from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes

FITTED = {"shift", "scale", "size"}  # what drawers of a class may have for a habit
AN_IMAGE = 6.0  # log likelihood that the labels of a class in one image add, at most
FEWEST = 4  # images that show it
HABIT = 3.0  # log odds against it: what is of a class errs alike
BEYOND = 10.0  # log likelihood by which it must explain more than other readings of some files do
FEW_WORSE = 0.1  # of the boxes that tell, which may fit worse so


@dataclass(frozen=True)
class ClassReading:
    """``reading`` of the labels of ``classes``, ids as written, in all files that were looked at.

    ``images`` (n,): their places; so many ``rows``, of which ``better`` fit better so, and ``worse`` worse; ``score``:
    log odds, the search paid for. ``unsure``: ids that say neither, and are left as they are.
    """

    classes: tuple[int, ...]
    reading: Reading
    images: np.ndarray
    rows: int
    better: int
    worse: int
    score: float
    unsure: tuple[int, ...] = ()


def class_readings(
    rows: Rows, seen: Sequence[Seen], model: ByModel, matched: Matched, votes: Sequence[FileVotes]
) -> tuple[ClassReading, ...]:
    """Readings of the labels of some classes, where these explain more than the readings that some files vote for."""
    ids = np.unique(rows.class_id)
    if len(ids) < 2:
        return ()
    held = model.reading
    single = [reading for reading in model.hypotheses if weight(reading) <= 1 and reading != held]
    candidates = [reading for reading in single if FITTED.isdisjoint(reading.departures)]
    usual = usual_deviation(matched, len(rows))
    likely = row_log_likelihoods(rows, seen, (held, *candidates), usual)
    given = _Gains(rows=rows, ids=ids, candidates=candidates, gains=likely[:, 1:] - likely[:, :1])
    by_files = _explained_by_files(rows, seen, votes, usual, likely[:, 0])
    return tuple(entry for entry in _groups(given) if _explains_more(given, entry, by_files))


def _explained_by_files(
    rows: Rows, seen: Sequence[Seen], votes: Sequence[FileVotes], usual: Deviation, held: np.ndarray
) -> np.ndarray:
    """What the labels of each image (images,) gain by the reading that its file votes for, beyond that ``held``."""
    found = np.zeros(len(seen))
    for entry in votes:
        if entry.reading is not None:
            gain = row_log_likelihoods(rows, seen, (entry.reading,), usual)[:, 0] - held
            found[entry.files] += np.bincount(rows.image, gain, len(seen))[entry.files]
    return found


def _explains_more(given: "_Gains", entry: ClassReading, by_files: np.ndarray) -> bool:
    """Whether a fault of classes explains more than one of files does in the images that show it."""
    mine = np.isin(given.rows.class_id, entry.classes)
    gain = given.gains[mine, given.candidates.index(entry.reading)]
    shows = np.bincount(given.rows.image[mine], gain, len(by_files)) > 1
    return float(gain.sum()) > float(by_files[shows].sum()) + BEYOND


@dataclass(frozen=True)
class _Gains:
    """``gains`` (rows, candidates) of log likelihood beyond the reading that is held; ``ids`` of classes in use."""

    rows: Rows
    ids: np.ndarray
    candidates: Sequence[Reading]
    gains: np.ndarray

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """What the labels of a class gain in each image (k, candidates), and the class (k,) as a place in ``ids``."""
        of_class = np.searchsorted(self.ids, self.rows.class_id)
        pairs, place = np.unique(np.stack((of_class, self.rows.image)), axis=1, return_inverse=True)
        found = np.zeros((pairs.shape[1], len(self.candidates)))
        np.add.at(found, place.reshape(-1), self.gains)
        return np.minimum(found, AN_IMAGE), pairs[0]


def _groups(given: _Gains) -> Iterator[ClassReading]:
    """The readings that are proven of some classes, the likeliest first; each class is of one at most."""
    by_image, of_class = given.images()
    by_class = np.zeros((len(given.ids), len(given.candidates)))
    np.add.at(by_class, of_class, by_image)
    free = np.ones(len(given.ids), bool)
    while True:
        theirs = np.where(free[:, None], by_class, -np.inf)
        scores = mixture(theirs, len(given.ids)) - np.log(len(given.candidates) + 1) - HABIT
        belongs = theirs > BELONGS
        support = np.array([int((by_image[belongs[of_class, i], i] > 1).sum()) for i in range(len(given.candidates))])
        proven = (scores >= PROVEN) & (support >= FEWEST)
        if not proven.any():
            return
        place = int(np.where(proven, scores, -np.inf).argmax())
        mine = belongs[:, place]
        entry = _told(given, place, mine, float(scores[place]), np.abs(by_class[:, place]) <= BELONGS)
        if entry.worse <= FEW_WORSE * (entry.better + entry.worse):
            yield entry
        free &= ~mine


def _told(given: _Gains, place: int, mine: np.ndarray, score: float, unsure: np.ndarray) -> ClassReading:
    which = np.isin(given.rows.class_id, given.ids[mine])
    gain = given.gains[which, place]
    return ClassReading(
        classes=tuple(given.ids[mine].tolist()),
        reading=given.candidates[place],
        images=np.unique(given.rows.image[which]),
        rows=int(which.sum()),
        better=int((gain > 1).sum()),
        worse=int((gain < -1).sum()),
        score=score,
        unsure=tuple(given.ids[unsure & ~mine].tolist()),
    )


def of_classes(found: Sequence[ClassReading]) -> Mapping[int, Reading]:
    """{id written: reading} of all classes that have one of their own."""
    return {one: entry.reading for entry in found for one in entry.classes}


def straightened(rows: Rows, seen: Sequence[Seen], held: Reading, found: Sequence[ClassReading]) -> Rows:
    """The rows with the numbers of these classes as they would be, were they written as the rest are."""
    quads, size = rows.quads.copy(), sizes(seen)[rows.image]
    for entry in found:
        mine = np.isin(rows.class_id, entry.classes)
        quads[mine] = held.written(entry.reading.boxes(rows.quads[mine], size[mine]), size[mine])
    return Rows(**{**vars(rows), "quads": quads})
