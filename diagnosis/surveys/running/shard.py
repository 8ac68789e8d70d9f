"""One shard of a survey: its images through the network, and its tables, written whole."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anatomy.archive.drafts import draft_prefix
from anatomy.archive.whole import allowed
from anatomy.head.batches import Batch
from anatomy.head.head import Head

from ...objects.reading import LabelledSet
from ..folder import shard_folder
from ..looking.batches import Looking
from ..looking.pictures import Unreadable, pixels_of
from ..looking.task import Task

if TYPE_CHECKING:
    from polars import DataFrame


@dataclass(frozen=True)
class Shard:
    """What is looked at, and written, together: its ``batches``, of images of the set."""

    number: int
    batches: tuple[Batch, ...]

    @property
    def images(self) -> int:
        """How many images it has."""
        return sum(len(batch.indices) for batch in self.batches)


def write_shard(head: Head, task: Task, shard: Shard, out: Path, tick: Callable[[int], object]) -> None:
    """Look at every image and write the tables, which appear together or not at all; ``tick`` counts images."""
    looking = Looking(head, task)
    for batch, pictures in _read_ahead(task.labels, shard):
        looking.add(batch, pictures)
        tick(len(batch.indices))
    _write(looking.tables(), shard_folder(out, shard.number))


def _read_ahead(labels: LabelledSet, shard: Shard) -> Iterator[tuple[Batch, list[np.ndarray | str]]]:
    """Every batch with the pixels of its images, or why one has none; the next is read while one is looked at."""

    def pixels(batch: Batch) -> list[np.ndarray | str]:
        return [_pixels(Path(labels.images[index])) for index in batch.indices]

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(pixels, shard.batches[0])
        for batch, following in zip(shard.batches, (*shard.batches[1:], None), strict=True):
            pictures = ahead.result()
            if following is not None:
                ahead = reader.submit(pixels, following)
            yield batch, pictures


def _pixels(path: Path) -> np.ndarray | str:
    try:
        return pixels_of(path)
    except Unreadable as error:
        return str(error)


def _write(tables: Mapping[str, "DataFrame"], place: Path) -> None:
    """Write the tables to a draft and give it its name in one step; where a twin came first, its tables stay.

    Raises OSError where the disk refuses; then nothing is left of them.
    """
    try:
        _publish(tables, place)
    except OSError as error:
        raise OSError(f"The tables of {str(place)!r} were not written ({error}). Free some room, and go on.") from error


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
