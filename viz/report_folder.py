"""A folder that appears whole or not at all: written beside its place, then moved in."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTS = {"index.html", "detections.csv", "detections.parquet", "recipe.json", "images"}  # what a report is made of


class NotWritten(OSError):
    """The disk refused: nothing of the report was moved in."""


def check_place(out_dir, overwrite: bool) -> Path:
    """The absolute path of a folder that may be written; nothing there, an empty folder, or a report to replace.

    Raises FileNotFoundError where its parent does not exist, FileExistsError where something would be lost that the
    caller did not ask to lose.
    """
    place = Path(out_dir).resolve()
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(place.parent)!r}. Make it first.")
    if not place.exists():
        return place
    if not place.is_dir():
        raise FileExistsError(f"A report is a folder, but {str(place)!r} is a file. Give another name.")
    there = {entry.name for entry in place.iterdir()}
    if there and not overwrite:
        raise FileExistsError(
            f"{str(place)!r} exists already and is not empty. Give another folder, or overwrite to replace a report."
        )
    others = sorted(there - PARTS)
    if others or (there and "index.html" not in there):
        held = ", ".join(map(repr, others[:3])) + (" and more" if len(others) > 3 else "")
        raise FileExistsError(
            f"Overwriting replaces a report and nothing else, but {str(place)!r} "
            + (f"also holds {held}. Move that away, or give another folder." if others else "is none (no index.html).")
        )
    return place


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """A temporary folder beside ``place``, removed at the end of the block unless it was moved in."""
    try:
        stage = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=".tmp", dir=place.parent))
    except OSError as error:
        raise NotWritten(f"No folder can be made in {str(place.parent)!r} ({error}). Give another.") from error
    try:
        umask = os.umask(0)
        os.umask(umask)
        stage.chmod(0o777 & ~umask)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Turns an OSError of the block into NotWritten, which says what became of ``place``."""
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"The report {str(place)!r} was not written ({error}); what was there before is whole. Free some room, or "
            "give another folder, fewer formats or fewer figures."
        ) from error


def move_in(stage: Path, place: Path, overwrite: bool) -> Path:
    """Put the finished folder in its place; an old one goes only after that, and comes back where that fails.

    A report that cannot take its place is not lost: it stands beside it, and the NotWritten that is raised says where.
    """
    old = stage.with_suffix(".old")
    try:
        check_place(place, overwrite)  # again: much time may have passed
        replaces = place.exists()
        if replaces:
            os.rename(place, old)
        try:
            os.rename(stage, place)
        except BaseException:
            if replaces:
                os.rename(old, place)
            raise
    except OSError as error:
        beside = free_name(place)
        os.rename(stage, beside)
        raise NotWritten(f"The report is finished, but stands in {str(beside)!r}: {error}") from error
    if replaces:
        shutil.rmtree(old, ignore_errors=True)
    return place


def free_name(place: Path) -> Path:
    """A folder beside ``place`` that does not exist: its name with the first free number behind it."""
    count = 2
    while (free := place.with_name(f"{place.name}-{count}")).exists():
        count += 1
    return free
