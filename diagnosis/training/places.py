"""In which folder the rows of a watch are written, and which others lie beside it."""

import warnings
from pathlib import Path

from anatomy.head.following import Training

from .record import ABOUT
from .telling import LOG


def _is_watch(folder: Path) -> bool:
    return (folder / ABOUT).exists()


def check_free(folder: Path, *, resume: bool) -> None:
    """Raise FileExistsError where something stands in a folder that is not to be gone on in."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not _is_watch(folder):
        raise FileExistsError(f"{str(folder)!r} is not empty. Give another folder as out=, or an empty one.")
    if not resume:
        raise FileExistsError(
            f"{str(folder)!r} holds a watch. Give another folder as out=, or resume=True to go on, with "
            "model.train(resume=True) where Ultralytics trains."
        )


def folder_for(given: Path | None, training: Training) -> Path:
    """Where to write: as given, else beside the weights, in the first folder that is free; the last one to go on.

    Where a training begins anew though it was to go on in the folder that was given, the first free one beside that.
    """
    if given is not None and (training.resumed or not _is_watch(given)):
        return given
    if given is not None:
        free = _free(given)
        told = f"The training begins anew, and {str(given)!r} holds a watch: this one is written to {str(free)!r}."
        warnings.warn(told, stacklevel=2)
        return free
    folder = training.folder.absolute() / "watch"
    free = _free(folder)
    if not training.resumed or free == folder:
        if free == folder:
            LOG.info("The rows of this watch are written to %r.", str(folder))
        else:
            LOG.warning("%r holds a watch: the rows of this one are written to %r.", str(folder), str(free))
        return free
    number = int(free.name.removeprefix(folder.name)) - 1
    return folder.with_name(f"{folder.name}{number}") if number > 1 else folder


def _free(folder: Path) -> Path:
    """The folder, or the first with a number behind its name, that is not there."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}{number}")
    return free


def newer_beside(folder: Path) -> Path | None:
    """The newest of the watches that were written beside this one because its folder was not free; None: there is none.

    ``watch3`` of "watch", "watch2" and "watch3", for any of the others.
    """
    base = folder.name.rstrip("0123456789")
    numbered = folder.name != base and _is_watch(folder.with_name(base))
    name, number = (base, int(folder.name[len(base) :])) if numbered else (folder.name, 1)
    newest = None
    while _is_watch(folder.with_name(f"{name}{number + 1}")):
        number += 1
        newest = folder.with_name(f"{name}{number}")
    return newest
