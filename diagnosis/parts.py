"""Tables written part by part: those of a part appear together, as Parquet in a folder of their own, or not at all."""

import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from anatomy.archive.drafts import abandoned, draft_prefix
from anatomy.archive.whole import allowed

if TYPE_CHECKING:
    from polars import DataFrame

PARQUET = b"PAR1"  # how such a file ends
LEAST = 12  # bytes: the mark at both ends, and the length of what stands before the last


def write_part(tables: Mapping[str, "DataFrame"], place: Path) -> None:
    """Write the tables to a draft and give it its name in one step; where a twin came first, its tables stay.

    Raises OSError where the disk refuses; then nothing is left of them.
    """
    try:
        _publish(tables, place)
    except OSError as error:
        raise OSError(f"The tables of {str(place)!r} were not written ({error}). Free some room, and go on.") from error


def is_whole(file: Path) -> bool:
    """Whether a file is there and ends as a Parquet file does."""
    try:
        with file.open("rb") as opened:
            if file.stat().st_size < LEAST:
                return False
            opened.seek(-len(PARQUET), os.SEEK_END)
            return opened.read() == PARQUET
    except (FileNotFoundError, NotADirectoryError):
        return False


def clear_drafts(folder: Path) -> None:
    """Remove what killed processes left unfinished of the numbered parts in a folder; drafts of living ones stay."""
    numbers = {entry.name[1:].partition("-")[0] for entry in folder.glob(".*-*")}
    for number in filter(str.isdecimal, numbers):
        for draft in abandoned(folder / number):
            shutil.rmtree(draft, ignore_errors=True)


def _publish(tables: Mapping[str, "DataFrame"], place: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=draft_prefix(place), suffix=".tmp", dir=place.parent))
    try:
        for name, table in tables.items():
            whole = io.BytesIO()  # polars' own writer turns a full disk into an error of its own
            table.write_parquet(whole)
            with (draft / f"{name}.parquet").open("wb") as file:
                file.write(whole.getvalue())
                file.flush()
                os.fsync(file.fileno())
        draft.chmod(allowed(0o777))
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
