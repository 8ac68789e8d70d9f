"""Where the label file of an image lies, and the image of a label file."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

IMAGES, LABELS = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"


def image_formats() -> frozenset[str]:
    """The endings, without the dot, of what Ultralytics takes for images."""
    from anatomy.families.ultralytics.datasets import IMAGE_FORMATS

    return IMAGE_FORMATS


def is_image(path: str) -> bool:
    """Whether Ultralytics takes a path for an image, by its ending."""
    return path.rpartition(".")[-1].lower() in image_formats()


def label_path(image: str) -> str:
    """Ultralytics' rule: the last /images/ of a path becomes /labels/, the ending .txt."""
    return LABELS.join(image.rsplit(IMAGES, 1)).rsplit(".", 1)[0] + ".txt"


@dataclass(frozen=True)
class Place:
    """A path as it was given, made absolute, and with all links followed, as Ultralytics takes those of a data YAML."""

    given: str
    real: str

    @classmethod
    def of(cls, path: str | Path) -> "Place":
        """The place of a path, which may be relative to the working folder."""
        given, real = os.path.abspath(path), os.path.realpath(path)
        return cls(given if os.path.realpath(given) == real else real, real)  # `..` behind a link leads elsewhere

    @property
    def folder(self) -> "Place":
        """The folder that it lies in."""
        return Place(os.path.dirname(self.given), os.path.dirname(self.real))

    def follow(self, path: str) -> str:
        """A path beneath this place as it reads when the links up to the place are followed."""
        beneath = path == self.given or path.startswith(self.given + os.sep)
        return self.real + path[len(self.given) :] if beneath else path


def find_label_file(image: str, links: tuple[Place, ...]) -> str | None:
    """The label file of an image, None where there is none.

    Looked for by the rule, first for the path itself, then with its folder's links followed; then beside the image.
    """
    candidates = [label_path(image)]
    candidates += [label_path(link.follow(image)) for link in links]
    candidates.append(image.rsplit(".", 1)[0] + ".txt")
    present = [path for path in dict.fromkeys(candidates) if os.path.exists(path)]
    return next((path for path in present if os.path.isfile(path)), next(iter(present), None))


def orphans(images: Iterable[str], folders: Iterable[Place]) -> Iterator[str]:
    """Label files that by the rule belong to images of these folders, where there is no such image."""
    due: set[str] | None = None
    for folder in folders:
        home = os.path.dirname(label_path(os.path.join(folder.given, "any.txt")))
        if home == folder.given:  # other texts may lie beside images
            continue
        due = {label_path(image) for image in images} if due is None else due
        for path in sorted(glob.iglob(os.path.join(glob.escape(home), "**", "*.txt"), recursive=True)):
            if path not in due and os.path.basename(path) != "classes.txt":
                yield path


def find_image(label_file: str) -> str | None:
    """The image that a label file is about: by the rule read backwards, else beside it; None where there is none."""
    stem = label_file.rsplit(".", 1)[0]
    for candidate in (IMAGES.join(stem.rsplit(LABELS, 1)), stem):
        found = sorted(path for path in glob.glob(f"{glob.escape(candidate)}.*") if is_image(path))
        if found:
            return found[0]
    return None
