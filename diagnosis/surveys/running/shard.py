"""One shard of a survey: its images through the network, and its tables, written whole."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anatomy.head.batches import Batch
from anatomy.head.head import Head

from ...objects.reading import LabelledSet
from ...parts import write_part
from ..folder import shard_folder
from ..looking.batches import Looking
from ..looking.pictures import Unreadable, pixels_of
from ..looking.task import Task


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
    write_part(looking.tables(), shard_folder(out, shard.number))


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
