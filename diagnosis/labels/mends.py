"""What would make the labels of a split right, and what of that is proven."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import severity
from .class_readings import of_classes
from .file_votes import FileVotes
from .reading import Reading
from .report import Mend
from .rest import Rest, hint_of_names
from .verdict import Verdict, class_map_of, files_of, run_of

OF_A_NAME = (
    "ids_shifted",
    "ids_alphabetical",
    "ids_as_strings",
    "ids_coco91",
)  # maps that hold for every id, in whatever file


def mends_of(verdict: Verdict) -> list[Mend]:
    """One mend for most files, others for those that vote otherwise; each with the part of it that is an error's."""
    found, others = [], np.zeros(len(verdict.material.paths), bool)
    for entry in verdict.votes:
        if entry.code and not part_classes(verdict, entry):
            continue
        others[verdict.material.looked[entry.files]] = True
        found.append(_of_votes(verdict, files_of(verdict, entry.files), entry))
    pairing = None if verdict.model is None else verdict.model.pairing
    run = np.zeros(len(others), bool)
    if pairing is not None:
        run[run_of(verdict)] = True
    for places, which in ((pairing.places if pairing else 0, run), (0, ~run)):
        images = tuple(Path(verdict.material.paths[i]) for i in np.flatnonzero(which & ~others).tolist())
        if images:
            found.append(_of_the_rest(verdict, images, places))
    return [mend for mend in found if mend.does]


def mendable(verdict: Verdict) -> dict[int, int]:
    """The map of the ids, or {} where it would make two classes one, as where some ids are too rare to be placed."""
    classes, used = class_map_of(verdict), verdict.material.used.tolist()
    meant = {classes.get(i, i) for i in used}
    return classes if len(meant) == len(used) else {}


def part_classes(verdict: Verdict, entry: FileVotes) -> dict[int, int]:
    """The map of the ids of some files, or {} where it is not known, or would make two classes one."""
    meant, used = entry.meant or {}, verdict.material.used.tolist()
    found = {i: meant[i] for i in used if meant.get(i, i) != i}
    return found if len({found.get(i, i) for i in used}) == len(used) or entry.code in OF_A_NAME else {}


def _of_the_rest(verdict: Verdict, images: tuple[Path, ...], places: int) -> Mend:
    """The mend of files that are written as most are; ``places``: how far on the labels' own images stand."""
    mend = _mend(verdict, images, verdict.geometry.reading, mendable(verdict), _class_codes(verdict), places)
    sure = _proven(verdict)
    proven = _mend(sure, images, sure.geometry.reading, mendable(sure), _class_codes(sure), _if_proven(verdict, places))
    return replace(mend, proven=None if proven == mend else proven)


def _of_votes(verdict: Verdict, images: Sequence[Path], entry: FileVotes) -> Mend:
    """The mend of files that vote otherwise than the rest, with what holds of these and the rest alike."""
    mend = _voted(verdict, images, entry)
    sure = _proven(verdict)
    if severity.of_votes(entry) == severity.ERROR:
        proven = _voted(sure, images, entry)
    else:  # what they vote for is in place of that of the rest, which says nothing of them
        reading = Reading() if entry.reading is not None else sure.geometry.reading
        classes, codes = ({}, ()) if entry.meant is not None else (mendable(sure), _class_codes(sure))
        proven = _mend(sure, images, reading, classes, codes)
    return replace(mend, proven=None if proven == mend else proven, rest=rest_of(verdict, entry))


def rest_of(verdict: Verdict, entry: FileVotes) -> Rest | None:
    """What becomes of the files of the split that vote for nothing, beside those of a vote; None where there are none.

    Files that were not looked at are among those that could not tell.
    """
    material = verdict.material
    voted = np.concatenate([one.files for one in verdict.votes])
    left = np.setdiff1d(np.arange(len(material.paths)), material.looked[voted])
    fit = np.intersect1d(left, material.looked[entry.against])
    unsure = np.setdiff1d(left, fit)
    if not len(left):
        return None
    return Rest(
        codes=entry.reading.codes if entry.reading is not None else (entry.code,),
        left_as_written=_paths(verdict, fit),
        could_not_tell=_paths(verdict, unsure),
        not_looked_at=len(np.setdiff1d(unsure, material.looked)),
        hint=hint_of_names(files_of(verdict, entry.files), _paths(verdict, left)),
        split=material.split,
    )


def _paths(verdict: Verdict, places: np.ndarray) -> tuple[Path, ...]:
    return tuple(Path(verdict.material.paths[place]) for place in places.tolist())


def _voted(verdict: Verdict, images: Sequence[Path], entry: FileVotes) -> Mend:
    reading = verdict.geometry.reading if entry.reading is None else entry.reading
    if entry.meant is None:
        return _mend(verdict, images, reading, mendable(verdict), _class_codes(verdict))
    return _mend(verdict, images, reading, part_classes(verdict, entry), (entry.code,))


def _mend(
    verdict: Verdict,
    images: Sequence[Path],
    reading: Reading,
    classes: dict[int, int],
    of_ids: tuple[str, ...],
    places: int = 0,
) -> Mend:
    by_class = {one: own for one, own in of_classes(verdict.by_class).items() if own != reading}
    read = dict.fromkeys([*reading.codes, *(code for own in by_class.values() for code in own.codes)])
    codes = (*(("files_mispaired",) if places else ()), *read, *(of_ids if classes else ()))
    return Mend(
        images=tuple(images),
        reading=reading,
        classes=classes,
        pairing=places,
        split=verdict.material.split,
        codes=codes,
        by_class=by_class,
    )


def _class_codes(verdict: Verdict) -> tuple[str, ...]:
    by_ids = verdict.ids.map.code if verdict.ids else ""
    held = verdict.classes.map.code if verdict.classes else by_ids
    swaps = ["classes_swapped"] if any(pair.code == "classes_swapped" for pair in verdict.pairs) else []
    return tuple(code for code in (held, *swaps) if code)


def _proven(verdict: Verdict) -> Verdict:
    """The verdict with what of it is an error alone."""
    geometry, classes, pairs = verdict.geometry, verdict.classes, verdict.pairs
    if severity.of_geometry(geometry) != severity.ERROR:
        geometry = replace(geometry, reading=Reading())
    if classes is not None and classes.proven and severity.of_classes(classes) != severity.ERROR:
        classes, pairs = None, ()  # swaps are those within the map
    pairs = tuple(pair for pair in pairs if severity.of_class_pair(pair) == severity.ERROR)
    by_class = tuple(replace(entry, reading=Reading()) for entry in verdict.by_class)  # of one kind of evidence
    return replace(verdict, geometry=geometry, classes=classes, ids=None, pairs=pairs, by_class=by_class)


def _if_proven(verdict: Verdict, places: int) -> int:
    pairing = None if verdict.model is None else verdict.model.pairing
    return places if pairing is not None and severity.of_pairing(pairing) == severity.ERROR else 0
