"""A folder that appears whole or not at all: written beside its place, then moved in."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anatomy.archive.drafts import abandoned, draft_prefix
from anatomy.archive.whole import allowed

from . import mark as mark


class NotWritten(OSError):
    """The disk refused: nothing of the report was moved in."""


def open_place(out_dir: str | Path, overwrite: bool) -> Path:
    """The absolute path of a folder that may be written; what killed reports left beside it is cleared first.

    Errors as ``check_place``.
    """
    place = Path(out_dir).resolve()
    if place.parent.is_dir():
        _clear(place)
    return check_place(place, overwrite)


def check_place(place: Path, overwrite: bool) -> Path:
    """The path of a folder that may be written: nothing there, an empty folder, or a report to replace.

    Raises FileNotFoundError where its parent does not exist, FileExistsError where something would be lost that the
    caller did not ask to lose: what a report has not written itself is never deleted.
    """
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(place.parent)!r}. Make it first.")
    if not place.exists():
        return place
    if not place.is_dir():
        raise FileExistsError(f"A report is a folder, but {str(place)!r} is a file. Give another name.")
    if not any(place.iterdir()):
        return place
    if not overwrite:
        raise FileExistsError(
            f"{str(place)!r} exists already and is not empty. Give another folder, or overwrite to replace a report."
        )
    if not mark.is_ours(place):
        raise FileExistsError(
            f"Overwriting replaces a report and nothing else, but {str(place)!r} holds no {mark.MARK} that lists what "
            "a report wrote; reports of earlier versions have none. Delete the folder yourself, or give another."
        )
    others = mark.foreign(place)
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        held = ", ".join(map(repr, others[:3])) + more
        raise FileExistsError(
            f"Overwriting replaces a report and nothing else, but {str(place)!r} also holds {held}, which the report "
            "did not write or which was changed since. Move that away, or give another folder."
        )
    return place


def _clear(place: Path) -> None:
    """Remove drafts of killed reports, and finish or take back their replacing of an old report."""
    for old in abandoned(place, ".old"):
        if mark.is_ours(old):
            with suppress(OSError):
                _remove_old(old, place) if place.exists() else os.rename(old, place)
    for draft in abandoned(place):
        if draft.is_symlink() or not draft.is_dir():
            continue
        if mark.is_ours(draft) or {entry.name for entry in draft.iterdir()} <= {mark.MARK}:
            shutil.rmtree(draft, ignore_errors=True)


def _remove_old(old: Path, place: Path) -> None:
    """Delete a report that another has replaced; what somebody else put there stays, in a folder of its own."""
    if mark.is_ours(place) and mark.remove(old):
        return
    beside = free_name(place)
    os.rename(old, beside)
    warnings.warn(f"A replaced report held what it did not write, which was kept in {str(beside)!r}.", stacklevel=2)


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """A temporary folder beside ``place``, removed at the end of the block unless it was moved in."""
    try:
        stage = Path(tempfile.mkdtemp(prefix=draft_prefix(place), suffix=".tmp", dir=place.parent))
    except OSError as error:
        raise NotWritten(f"No folder can be made in {str(place.parent)!r} ({error}). Give another.") from error
    try:
        stage.chmod(allowed(0o777))
        with disk(place):
            mark.begin(stage)
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
        replaces = place.exists() and any(place.iterdir())
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
        _remove_old(old, place)
    return place


def free_name(place: Path) -> Path:
    """A folder beside ``place`` that does not exist: its name with the first free number behind it."""
    count = 2
    while (free := place.with_name(f"{place.name}-{count}")).exists():
        count += 1
    return free
