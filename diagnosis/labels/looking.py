"""The pictures of a split: which are looked at, what a model sees in them, and their edges."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from anatomy import SelectionError, Trace, stream

from ..objects.class_match import match_classes
from ..surveys.looking.pictures import Unreadable, pixels_of
from .edges import EdgeField
from .seen import Seen, once

NEIGHBOURS = 4  # images that are looked at one after the other, so that a pairing off by some places shows
TOGETHER = 8  # pictures that are read ahead
WITH_EDGES = 200  # images whose edges are kept
LACKING = 0.5  # part of the labels, at most, for which a model that judges classes may have none
NO_CLASS = -2  # the id of a detection whose class the labels do not have


class Look(NamedTuple):
    """One image: its ``place`` in the list, ``size`` (width, height) px, what the model has ``seen``, its ``edges``."""

    place: int
    size: tuple[int, int]
    seen: Seen | None
    edges: EdgeField | None


def looked_at(images: int, most: int | None) -> np.ndarray:
    """The places of the images to look at among so many: all, or some, spread evenly in runs of neighbours."""
    if most is None or images <= most:
        return np.arange(images)
    runs = max(1, most // NEIGHBOURS)
    begins = np.linspace(0, images - min(NEIGHBOURS, most), runs).round().astype(np.int64)
    places = (begins[:, None] + np.arange(min(NEIGHBOURS, most))).ravel()
    return np.unique(places)[:most]


def look(
    paths: Sequence[str], model: Any, conf: float, progress: bool, told: str, predict_args: Mapping[str, Any]
) -> Iterator[Look]:
    """Look at each image that can be read; the edges of some are kept."""
    edged = set(np.linspace(0, len(paths) - 1, min(WITH_EDGES, len(paths))).round().astype(int).tolist())
    bar = tqdm(total=len(paths), desc=f"looking at {told}", unit="image", disable=not progress)
    with bar:
        places = iter(range(len(paths)))
        while some := list(islice(places, TOGETHER)):
            pictures = {place: picture for place in some if (picture := _read(paths[place])) is not None}
            traces = _traces(model, list(pictures.values()), conf, predict_args)
            for (place, picture), seen in zip(pictures.items(), traces, strict=True):
                size = (picture.shape[1], picture.shape[0])
                yield Look(place, size, seen, EdgeField(picture) if place in edged else None)
            bar.update(len(some))


def counterparts(names: Mapping[int, str], model: Mapping[int, str]) -> tuple[dict[int, int], list[str]]:
    """{id of the model: id of the labels}, and the names of the labels' classes that the model lacks."""
    if not names:
        return {i: i for i in model}, []
    found: dict[int, int] = {}
    lacking = []
    for i, name in names.items():
        try:
            found[match_classes(names, model, [i])[i]] = i
        except SelectionError:
            lacking.append(name)
    return found, lacking


def knows_most(classes: Mapping[int, int], names: Mapping[int, str], ids: np.ndarray) -> bool:
    """Whether the model has a class for at least half of the labels, whose ``ids`` (n,) are as written.

    ``classes`` {id of the model: id of the labels}. Of heads with a few persons among them it sees the persons alone.
    """
    lacking = list(set(names).difference(classes.values()))
    return bool(classes) and bool(np.isin(ids, lacking).sum() <= LACKING * len(ids))


def _read(path: str) -> np.ndarray | None:
    try:
        return pixels_of(Path(path))
    except Unreadable:
        return None


def _traces(
    model: Any, pictures: list[np.ndarray], conf: float, predict_args: Mapping[str, Any]
) -> Iterator[Seen | None]:
    if model is None or not pictures:
        return iter([None] * len(pictures))
    return map(seen_in, stream(model, pictures, conf=conf, **predict_args))


def seen_in(trace: Trace) -> Seen:
    """What a pass found in its image, each object once."""
    height, width = trace.image.shape[:2]
    found = trace.detections
    seen = Seen(
        size=(width, height),
        boxes=found.xyxy.astype(np.float64) / (width, height, width, height),
        confidence=found.confidence.astype(np.float64),
        class_id=found.class_id.astype(np.int64),
    )
    return once(seen)
