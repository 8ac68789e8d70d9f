"""The folder of a mended set: it appears whole or not at all, and never among the data."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomy.archive.drafts import abandoned, draft_prefix
from anatomy.archive.whole import allowed


def open_place(out: str | os.PathLike, folders: Iterable[str]) -> Path:
    """The absolute path of a folder that may be written: nothing there, or an empty folder, and not in ``folders``.

    Raises FileExistsError, FileNotFoundError and ValueError.
    """
    place = Path(out).resolve()
    for folder in folders:
        if place.is_relative_to(os.path.realpath(folder)):
            raise ValueError(
                f"Mended labels are written beside the data, never into it, but {str(place)!r} lies in {folder!r}, "
                "where images or labels of the set are looked for. Give another folder."
            )
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise FileExistsError(f"{str(place)!r} exists and is not empty. Give a new folder; nothing is overwritten.")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(place.parent)!r} to write into. Make it first.")
    return place


@contextmanager
def draft_of(place: Path) -> Iterator[Path]:
    """A folder beside ``place`` that takes its place when the block ends well, and is removed when it does not.

    Drafts of processes that were killed go first. Raises OSError where the disk refuses.
    """
    for left in abandoned(place):
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=draft_prefix(place), suffix=".tmp", dir=place.parent))
    try:
        draft.chmod(allowed(0o777))
        yield draft
        if place.exists():
            place.rmdir()  # an empty one; raises where it has been filled meanwhile
        draft.rename(place)
    except BaseException as error:
        error.add_note(f"Nothing was written to {str(place)!r}; the labels are as they were.")
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
