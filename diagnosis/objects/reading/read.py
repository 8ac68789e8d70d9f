"""The one reader of labels: which of its formats a source is in."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anatomy.arguments import shown

from .coco_set import coco_set
from .data_yaml import as_names, read_data_yaml
from .label_file import Keypoints
from .label_paths import Place, find_image, is_image
from .labelled_set import LabelledSet
from .listing import image_places, list_images, read_lines
from .readers import LabelFiles

TAKEN = "Give a data YAML, a COCO JSON, a folder of images, images or a list of them, or a label file (.txt)."


def read_labels(
    source: Any,
    *,
    split: str = "val",
    names: Sequence[str] | Mapping[int, str] | None = None,
    images: str | os.PathLike | None = None,
) -> LabelledSet:
    """The labelled images of a source; every file is only read, each when it is asked for, and nothing is written.

    ``source``: a data YAML of Ultralytics (its ``split``), a COCO JSON (its image files in the folder ``images``, by
    default looked for beside it), a folder of images, one image, a list of those, a ``.txt`` list of images, or one
    ``.txt`` label file (of the image ``images``, by default found by its path). Labels of images are looked for by
    Ultralytics' rule (the last ``/images/`` of the path becomes ``/labels/``), and beside them; without any, the set
    is one without truth. ``names``, in place of the source's own; ``{}``: unknown, and then every class id stands.

    Of a file that Ultralytics accepts the same rows stay (in the file's order; its own is another where there were
    duplicates), but for boxes without area, which are left out and told. Where Ultralytics rejects the whole image for
    one bad row, that row alone is left out, or kept, if it is out of [0, 1] and still a box upon the image;
    ``problems`` tells each. Raises FileNotFoundError, and ValueError or TypeError for what holds no labels.

    >>> len(diagnosis.read_labels(labels)[0])
    2
    """
    if not isinstance(split, str):
        raise TypeError(
            f"split is the name of a part of the set, such as 'train' or 'val', but {shown(split)} was given."
        )
    if isinstance(source, LabelledSet):
        return source
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source), split, names, images)
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        raise TypeError(f"Labels are read from files, but {shown(source)} was given. {TAKEN}")
    entries = list(source)
    if not all(isinstance(entry, str | os.PathLike) for entry in entries):
        raise TypeError(f"A list of images holds paths, but this holds {shown(entries)}. {TAKEN}")
    return _of_images(f"{len(entries)} paths", image_places(entries), as_names(names))


def _of_path(path: Path, split: str, names: Any, images: Any) -> LabelledSet:
    ending = path.suffix.lower()
    if not path.exists():
        remote = " Nothing is downloaded: fetch it first." if ":/" in str(path) else ""
        raise FileNotFoundError(f"Labels are read from files, but {str(path)!r} does not exist.{remote} {TAKEN}")
    if ending == ".json" and path.is_file():
        return coco_set(path, split, names, images)
    if ending == ".txt" and path.is_file() and not is_image_list(path):
        return _of_label_file(path, as_names(names), images)
    if images is not None:
        raise ValueError(f"`images` goes with a COCO JSON or a label file, but {str(path)!r} is neither.")
    if ending in (".yaml", ".yml") and path.is_file():
        data = read_data_yaml(path, split)
        known = data.names if names is None else as_names(names)
        return _of_images(str(path), data.places, known, data.keypoints)
    if path.is_dir() or ending == ".txt" or is_image(str(path)):
        return _of_images(str(path), [Place.of(path)], as_names(names))
    raise ValueError(f"{str(path)!r} is none of the kinds that labels are read from. {TAKEN}")


def is_image_list(path: Path) -> bool:
    """Whether a text is a list of images: its first line that is not empty ends as an image does."""
    try:
        return is_image(next(filter(None, read_lines(path)), ""))
    except ValueError:
        return False


def _of_images(source: str, places: Sequence[Place], names: dict[int, str], keypoints: Keypoints = None) -> LabelledSet:
    listing = list_images(places)
    reader = LabelFiles(listing.links, keypoints)
    return LabelledSet(source=source, names=names, listing=listing, reader=reader)


def _of_label_file(path: Path, names: dict[int, str], images: Any) -> LabelledSet:
    given = os.path.abspath(path)
    image = find_image(given) or find_image(os.path.realpath(path)) if images is None else os.path.abspath(images)
    if image is None:
        raise FileNotFoundError(
            f"A label file belongs to an image, but none is found for {str(path)!r}. Say which: "
            "read_labels(path, images=image)."
        )
    listing = list_images([Place.of(image)])
    return LabelledSet(source=str(path), names=names, listing=listing, reader=LabelFiles(only=given))
