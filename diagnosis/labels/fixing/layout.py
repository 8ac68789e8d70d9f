"""Where images and labels of a mended set lie: as in the set itself, beneath a new folder.

Ultralytics looks for labels where the last ``/images/`` of an image's path reads ``/labels/``, and follows links of the
folders that a data YAML names, though not of the images in them. So folders are made anew, and images in them linked.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...objects.reading.label_paths import IMAGES, label_path


@dataclass(frozen=True)
class Layout:
    """``root``: the folder that all images lie under; ``below``: what stands before their paths from there."""

    root: str
    below: str

    @classmethod
    def of(cls, images: Iterable[str]) -> "Layout":
        """The layout of a set of absolute paths; where one has no folder ``images`` in it, all get one."""
        folders = {os.path.dirname(path) for path in images}
        shared = os.path.commonpath(folders) + os.sep
        root = (shared.rpartition(IMAGES)[0] or os.sep) if IMAGES in shared else shared
        within = all(IMAGES in f"{os.sep}{os.path.relpath(folder, root)}{os.sep}" for folder in folders)
        return cls(os.path.normpath(root), "" if within else "images")

    def place(self, path: str) -> str:
        """Where an image, or a folder of images, lies in the mended set: a path from its folder on."""
        return os.path.normpath(os.path.join(self.below, os.path.relpath(path, self.root)))

    def label(self, image: str) -> str:
        """Where Ultralytics looks for the labels of an image in the mended set, likewise."""
        return label_path(os.sep + self.place(image))[len(os.sep) :]


def bring(image: str, place: Path) -> str:
    """Let an image be found at ``place``, by a link, or as a copy where links cannot be made.

    Returns "linked", "copied" or "missing".
    """
    if not os.path.isfile(image):
        return "missing"
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(image)
    except (OSError, NotImplementedError):
        shutil.copyfile(image, place)
        return "copied"
    return "linked"
