"""Mended copies of a labelled set, in a new folder."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from anatomy.arguments import shown

from ...objects.reading.data_yaml import load_mapping
from ...objects.reading.label_paths import label_path
from ..report import LabelReport
from .changes import Changes
from .choice import Choice, chosen
from .coco_json import write_json
from .folder import draft_of, open_place
from .label_files import write_label_files
from .parts import Parts, open_parts


def fix_labels(
    report: LabelReport,
    data: Any,
    out: str | os.PathLike,
    *,
    codes: str | Iterable[str] | None = None,
    also: str | Iterable[str] = (),
    progress: bool = True,
) -> Path:
    """Write a mended copy of a labelled set into a new folder; the set itself is only read.

    ``report``: what ``check_labels`` found in ``data``. Mended is what its errors call for, and beside that the codes
    of ``also``, warnings that you have looked at; or ``codes`` alone. Where their code is asked for, rows that are no
    labels and duplicates are dropped ("duplicates", "empty_box", "off_image", "class_unknown" …), and boxes that leave
    the image ("outside") are cut at its edges; otherwise they stay as they stand. Every line that is not mended stays
    byte for byte; one that the reading puts off the image is left out, as is an image to which no labels belong once
    pairs are mended; a format or a size of boxes is not applied to polygons and key points.

    ``out`` then holds labels, links of the images (copies where links cannot be made), ``mended.json``, which counts
    what was changed, and what the set was given by: a data YAML with all its splits, a folder, a list of images, a
    COCO JSON. Returns the path of that, to train by. The folder appears whole or not at all. Raises ValueError where
    there is nothing to mend, where the report is about other images, or where ``out`` lies among the data;
    FileExistsError where ``out`` is not empty.
    """
    choice = chosen(report, codes, also)
    parts = open_parts(data)
    _check_same(report, choice, parts)
    place = open_place(out, (*_folders(parts), *_root(parts)))
    changes = Changes(source=str(data), rests=choice.rests)
    with draft_of(place) as draft, tqdm(total=parts.images, desc="labels", unit="image", disable=not progress) as bar:
        if parts.coco is None:
            entry = write_label_files(parts, choice, draft, changes, bar.update)
        else:
            entry = write_json(parts.splits[0], parts.coco, choice, draft, changes, bar.update)
        changes.write(draft)
    return place / entry


def _check_same(report: LabelReport, choice: Choice, parts: Parts) -> None:
    """Raise ValueError where mends, or the report itself, are about images that the data does not have."""
    there, about = set(parts.paths()), list(choice.mends) or _about(report, parts)
    foreign = [image for image in about if image not in there]
    if foreign:
        where = str(parts.source) if isinstance(parts.source, str | os.PathLike) else shown(parts.source)
        raise ValueError(
            f"A report mends the data that it is about, but {len(foreign)} of its {len(about)} images, such as "
            f"{foreign[0]!r}, are not in {where}. Check these labels, and mend by that report."
        )


def _about(report: LabelReport, parts: Parts) -> list[str]:
    """The images that a report is about, where it was given other data than these."""
    if report.data is None or report.data is parts.source or str(report.data) == str(parts.source):
        return []
    try:
        return list(dict.fromkeys(open_parts(report.data).paths()))
    except FileNotFoundError as error:
        raise ValueError(
            f"A report mends the data that it is about, but {shown(report.data)} is not there any more: {error} Check "
            "these labels, and mend by that report."
        ) from error


def _root(parts: Parts) -> Iterator[str]:
    """The folder that a data YAML says its set lies in, where it says another than its own by "."."""
    if parts.yaml is None:
        return
    given = load_mapping(parts.yaml).get("path")
    if isinstance(given, str) and os.path.normpath(given) != os.curdir:
        root = os.path.join(parts.yaml.absolute().parent, given)
        if os.path.isdir(root):
            yield root


def _folders(parts: Parts) -> Iterator[str]:
    """The folders among which images and labels are looked for, and those called so that hold them."""
    for part in parts.splits:
        homes = {os.path.dirname(path) for path in part.labels.listing.paths}
        homes |= {place.given for place in part.labels.listing.folders}
        for home in homes:
            for folder in (home, os.path.dirname(label_path(os.path.join(home, "any.txt")))):
                above = os.path.dirname(folder)
                yield above if os.path.basename(above) in ("images", "labels") else folder
