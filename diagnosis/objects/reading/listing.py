"""The images of a set, listed as Ultralytics lists them, each once."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .label_paths import Place, image_formats, is_image
from .problems import Problem


@dataclass(frozen=True)
class Listing:
    """Absolute ``paths`` of images in Ultralytics' order; ``folders`` listed whole; ``links``: those behind links."""

    paths: tuple[str, ...]
    folders: tuple[Place, ...] = ()
    links: tuple[Place, ...] = ()
    problems: tuple[Problem, ...] = ()


def list_images(places: Sequence[Place]) -> Listing:
    """The images of folders (at any depth), of lists of images (``.txt``), and images themselves.

    The order is that of the sorted paths, links of the places followed, so that validations agree. Raises
    FileNotFoundError for a place that is not there, ValueError where there is no image at all.
    """
    problems: list[Problem] = []
    found: list[tuple[str, str]] = []  # what Ultralytics sorts, and the path as it was given
    for place in places:
        found += _images(place, problems)
    found.sort()
    paths, twins = _once(found)
    problems += [Problem(Path(path), None, "duplicate_image", "listed twice; it is kept once.") for path in twins]
    if not paths:
        where = ", ".join(place.given for place in places[:3])
        raise ValueError(
            f"A set needs at least one image, but there is none in {where or 'an empty list'}. Give the folder of the "
            f"images, not of the labels; endings that count: {', '.join(sorted(image_formats()))}."
        )
    folders = tuple(place for place in places if os.path.isdir(place.given))
    homes = dict.fromkeys(place if place in folders else place.folder for place in places)
    links = tuple(place for place in homes if place.given != place.real)
    return Listing(tuple(paths), folders, links, tuple(problems))


def image_places(paths: Sequence[str | Path]) -> list[Place]:
    """The places of many paths; each folder is followed once, and links that are images themselves are not."""
    followed: dict[str, str] = {}
    places = []
    for path in paths:
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in followed:
            followed[folder] = os.path.realpath(folder)
        places.append(Place(os.path.join(folder, name), os.path.join(followed[folder], name)))
    return places


def _images(place: Place, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    if os.path.isdir(place.given):
        below = glob.iglob(os.path.join(glob.escape(place.given), "**", "*.*"), recursive=True)
        return ((place.follow(path), path) for path in below if is_image(path))
    if not os.path.isfile(place.given):
        raise FileNotFoundError(f"Images must be files, folders or lists of them, but {place.given!r} does not exist.")
    if _is_list(place):
        return _listed(place, problems)
    if not is_image(place.given):
        raise ValueError(f"{place.given!r} is neither an image, by its ending, nor a .txt list of images.")
    return iter([(place.real, place.given)])


def _is_list(place: Place) -> bool:
    return place.given.lower().endswith(".txt")


def _listed(place: Place, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """The images that a list names: ``./`` is the folder of the list, other relative paths begin where we stand."""
    for line, name in enumerate(read_lines(Path(place.given)), 1):
        if not name:
            continue
        if not is_image(name):
            message = f"{name[:80]!r} is no image, by its ending; it is left out."
            problems.append(Problem(Path(place.given), line, "not_an_image", message))
        elif name.startswith("./"):
            yield (f"{os.path.dirname(place.real)}/{name[2:]}", f"{os.path.dirname(place.given)}/{name[2:]}")
        else:
            beside = os.path.join(os.path.dirname(place.given), name)
            path = beside if not os.path.exists(name) and os.path.exists(beside) else os.path.abspath(name)
            yield path, path


def read_lines(path: Path) -> list[str]:
    """The lines of a list, as UTF-8, without blanks at their ends; raises ValueError for what is no text."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"A list of images is UTF-8 text, but byte {error.start} of {str(path)!r} is none.") from error


def _once(found: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Paths in order, each once, and those that came again."""
    seen: set[str] = set()
    paths, twins = [], []
    for real, path in found:
        real = os.path.normpath(real)
        (twins if real in seen else paths).append(os.path.normpath(path))
        seen.add(real)
    return paths, twins
