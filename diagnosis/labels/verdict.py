"""The verdict on one split: evidence of both kinds, brought together into findings and mends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..findings import Finding
from .as_read import as_read
from .by_edges import SURELY, ByEdges, judge_by_edges
from .by_ids import ByIds, judge_by_ids
from .by_model import ByModel, judge_by_model
from .class_maps import ClassChoice, ClassMap, choose_map, class_maps
from .class_pairs import ClassPair, class_pairs, crossing
from .class_readings import ClassReading, class_readings, of_classes, straightened
from .class_rolls import ClassRoll, find_roll
from .file_votes import FileVotes, vote_by_files
from .grammar import readings
from .matched import Matched, match
from .material import Material
from .missing import Missing, find_missing
from .reading import Reading
from .rows import Rows

EDGES_AGREE = 0.0


@dataclass(frozen=True)
class Geometry:
    """``reading`` held of the whole split; ``by`` "model", "edges", "both", or "" where neither can judge.

    ``contested``: the other kind of evidence says otherwise, and is sure of it. ``sure``: proven, not just left
    standing.
    """

    reading: Reading
    by: str
    contested: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found in one split, before it is told. ``model`` and ``edges`` None where there is no such evidence;
    ``ids``: what the class ids alone suggest, where nothing was seen of the classes; ``by_class``: classes
    that are read in their own way in all files; ``roll``: class ids that stand a row too far on in each file."""

    material: Material
    geometry: Geometry
    model: ByModel | None = None
    edges: ByEdges | None = None
    classes: ClassChoice | None = None
    ids: ByIds | None = None
    pairs: tuple[ClassPair, ...] = ()
    votes: tuple[FileVotes, ...] = ()
    missing: Missing | None = None
    by_class: tuple[ClassReading, ...] = ()
    roll: ClassRoll | None = None
    extra: tuple[Finding, ...] = field(default=())


def judge(material: Material) -> Verdict:
    """Judge one split: pairing and geometry, then classes, then single files, then what is missing."""
    model = None
    if material.seen is not None and len(material.rows):
        model = judge_by_model(material.rows, material.seen, material.looked, material.polygons)
    rows = material.rows if model is None else model.rows
    edges = None
    if material.fields and len(rows):
        hypotheses = readings(material.rows.quads, material.polygons)
        further = () if model is None else (model.reading,)
        edges = judge_by_edges(rows, material.fields, hypotheses, further)
    geometry = weigh(model, edges, known=material.classes_known)
    if model is None or not model.capable or material.seen is None or not material.classes_known:
        ids = judge_by_ids(material.names, material.used.tolist())
        return Verdict(material=material, geometry=geometry, model=model, edges=edges, ids=ids)
    parts = _parts(rows, material, model, {})
    found = ()
    if geometry.reading == model.reading:
        found = class_readings(rows, material.seen, model, parts.matched, parts.votes)
    by_class = of_classes(found)
    if found:
        parts = _parts(straightened(rows, material.seen, model.reading, found), material, model, by_class)
    others = np.concatenate([np.empty(0, np.int64), *(one.files for one in parts.votes if one.reading is not None)])
    read = as_read(rows, material.seen, model.reading, parts.votes, by_class)
    return Verdict(
        material=material,
        geometry=geometry,
        model=model,
        edges=edges,
        classes=parts.classes,
        pairs=parts.pairs,
        votes=parts.votes,
        missing=find_missing(read, material.seen, Reading(), others),
        by_class=found,
        roll=parts.roll,
    )


@dataclass(frozen=True)
class _Parts:
    """What pairs of a label and a detection say of classes, and of single files."""

    matched: Matched
    classes: ClassChoice
    pairs: tuple[ClassPair, ...]
    votes: tuple[FileVotes, ...]
    roll: ClassRoll | None


def _parts(rows: Rows, material: Material, model: ByModel, apart: Mapping[int, Reading]) -> _Parts:
    """Classes, and single files; ``apart``: ids whose boxes are read in their own way in all files."""
    matched = match(rows, material.seen or [], model.reading)
    classes = choose_map(matched, class_maps(material.names, material.used))
    held = classes.map
    roll = None if classes.proven else find_roll(rows, matched)
    pairs = _pairs(rows, matched, held, material)
    votes = vote_by_files(rows, material, model, matched, held, crossing(matched, pairs, held.meant), apart)
    if pairs and any(entry.code for entry in votes):  # what only files of other ids show is no exchange of two classes
        votes = vote_by_files(rows, material, model, matched, held, np.zeros(len(matched), bool), apart)
        odd = [np.empty(0, np.int64), *(entry.files for entry in votes if entry.code)]
        rest = matched.chosen(~np.isin(matched.image, np.concatenate(odd)))
        pairs = _pairs(rows, rest, held, material)
    if roll is not None:  # of which other maps of ids are fragments
        pairs, votes = [], [entry for entry in votes if not entry.code]
    return _Parts(matched=matched, classes=classes, pairs=tuple(pairs), votes=tuple(votes), roll=roll)


def _pairs(rows: Rows, matched: Matched, held: ClassMap, material: Material) -> list[ClassPair]:
    """Swaps and merges within a map of all ids; a map of no order leaves none to be found."""
    if held.code == "ids_permuted":
        return []
    return class_pairs(rows, matched, held.meant, material.names)


def weigh(model: ByModel | None, edges: ByEdges | None, *, known: bool = True) -> Geometry:
    """One reading from two kinds of evidence, and which of them it rests on.

    ``known``: the model has classes of these labels. What one without sees may be wholes of which the labels are parts,
    a person for a head: alone it says nothing against labels.
    """
    if model is None or not model.capable:
        if edges is None or not edges.capable:
            return Geometry(Reading(), "")
        return Geometry(edges.reading, "edges")
    right = Reading()
    alone = known or model.reading == right or model.reading.unit == "px"
    if edges is None:
        return Geometry(model.reading, "model") if alone else Geometry(right, "")
    if model.reading == right:
        contested = edges.reading != right and edges.t > edges.above + SURELY and edges.capable
        return Geometry(edges.reading, "edges", True) if contested else Geometry(right, "model")
    for_it = edges.compared(model.reading, right)
    against = edges.compared(right, model.reading)
    if for_it.proven(EDGES_AGREE):
        return Geometry(model.reading, "both")
    if not alone:
        return weigh(None, edges)
    return Geometry(model.reading, "model", against.proven(EDGES_AGREE))


def class_map_of(verdict: Verdict) -> dict[int, int]:
    """{id written: id meant} of all ids in use that mean another: the map of all ids, and swaps within it."""
    held = _held(verdict)
    if held is None:
        return {}
    swaps: dict[int, int] = {}
    for pair in verdict.pairs:
        if pair.code == "classes_swapped":
            swaps |= {pair.first: pair.second, pair.second: pair.first}
    meant = {}
    for written in verdict.material.used.tolist():
        means = held.meant.get(written, written)
        meant[written] = swaps.get(means, means)
    return {written: means for written, means in meant.items() if written != means}


def _held(verdict: Verdict) -> ClassMap | None:
    if verdict.classes is not None:
        return verdict.classes.map
    return None if verdict.ids is None else verdict.ids.map


def files_of(verdict: Verdict, places: np.ndarray) -> list[Path]:
    """The images at some places among those looked at."""
    looked = verdict.material.looked[places]
    return [Path(verdict.material.paths[place]) for place in looked.tolist()]


def run_of(verdict: Verdict) -> np.ndarray:
    """The places in the whole list of the files of the run that is mispaired."""
    pairing = verdict.model.pairing if verdict.model else None
    if pairing is None:
        return np.empty(0, np.int64)
    looked, count = verdict.material.looked, len(verdict.material.paths)
    begin = 0 if pairing.begin <= abs(pairing.places) else int(looked[pairing.begin])
    last = pairing.end >= len(looked) - abs(pairing.places)
    return np.arange(begin, count if last else int(looked[pairing.end - 1]) + 1)
