"""The set of a COCO JSON: where the images lie that it names."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from .coco import read_coco
from .data_yaml import as_names
from .labelled_set import LabelledSet
from .listing import Listing
from .readers import CocoAnnotations

TRIED = 20  # file names that are looked for before a folder is given up


def coco_set(path: Path, split: str, names: Any = None, images: Any = None) -> LabelledSet:
    """The images of a JSON, sorted by path, and their annotations.

    ``images``: their folder, taken as it is; by default the folder among the usual ones in which some of them are.
    """
    found = read_coco(path)
    if not found.images:
        raise ValueError(f"A set needs at least one image, but {str(path)!r} lists none.")
    folder = _given(images) if images is not None else _find_folder(path, split, found.images)
    by_path = {os.path.normpath(os.path.join(folder, name)): image for name, image in found.images.items()}
    return LabelledSet(
        source=str(path),
        names=found.names if names is None else as_names(names),
        listing=Listing(tuple(sorted(by_path)), problems=tuple(found.problems)),
        reader=CocoAnnotations(os.path.abspath(path), by_path, found.truth),
        categories=found.categories,
    )


def _given(images: Any) -> str:
    if not os.path.isdir(images):
        raise FileNotFoundError(f"`images` must be the folder of the images, but {str(images)!r} is none.")
    return os.path.abspath(images)


def _find_folder(path: Path, split: str, names: Iterable[str]) -> str:
    """The first of the usual folders that holds one of the images; raises FileNotFoundError."""
    some = list(islice(names, TRIED))
    folders = list(dict.fromkeys(map(os.path.normpath, _folders(path.absolute(), split))))
    for folder in folders:
        if any(os.path.isfile(os.path.join(folder, name)) for name in some):
            return folder
    raise FileNotFoundError(
        f"None of the images of {str(path)!r}, such as {some[0]!r}, is where they usually lie; looked in "
        f"{', '.join(folders)}. Say where: read_labels(json, images=folder)."
    )


def _folders(path: Path, split: str) -> Iterator[Path]:
    """Beside the JSON and beside its folder: the place itself, ``images``, and the folder of the split in each."""
    splits = dict.fromkeys((path.stem.rpartition("_")[2], path.stem, split))
    for root in (path.parent, path.parent.parent):
        for place in (root, root / "images"):
            yield place
            yield from (place / name for name in splits)
