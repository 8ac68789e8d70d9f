"""What a survey will do: its images, the batches that enter the network together, and the shards that are written."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from anatomy.head.batches import Batch
from anatomy.head.head import Head

from ...objects.class_match import match_classes
from ...objects.reading import LabelledSet
from ..evaluation.selection import validation_limit
from ..looking.pictures import Unreadable, size_of
from ..settings import Settings


@dataclass(frozen=True)
class Plan:
    """``shards``: the batches of each, with indices into ``images``; ``settings`` with ``max_det`` as the labels ask.

    ``class_map``: an id of the labels -> the id of the model. ``data_digest`` tells sets apart: names, sizes and labels
    of all images.
    """

    images: tuple[Path, ...]
    shards: tuple[tuple[Batch, ...], ...]
    settings: Settings
    class_map: dict[int, int]
    data_digest: str


def planned(head: Head, labels: LabelledSet, settings: Settings, progress: bool) -> Plan:
    """Look at every image's header and labels once, and say what goes together.

    Raises SelectionError for a class of the labels that the model does not have.
    """
    images, digest, most = tuple(map(Path, labels.images)), hashlib.sha256(), 0
    root = os.path.commonpath([path.absolute().parent for path in images])
    sizes: dict[int, tuple[int, int]] = {}
    classes: set[int] = set()
    for index, path in enumerate(tqdm(images, desc="looking at the set", unit="image", disable=not progress)):
        objects = labels[index]
        most = max(most, len(objects))
        classes.update(objects.class_id.tolist())
        try:
            sizes[index] = size_of(path)
            size = path.stat().st_size
        except Unreadable:
            size = -1
        digest.update(f"{os.path.relpath(path.absolute(), root)}\0{size}\0{len(objects)}\0".encode())
        digest.update(np.ascontiguousarray(objects.class_id).tobytes() + np.ascontiguousarray(objects.cxcywh).tobytes())
    settings = replace(settings, max_det=validation_limit([most], settings.max_det))
    batches = _batches(head, sizes, settings)
    unreadable = [index for index in range(len(images)) if index not in sizes]
    if unreadable:
        batches.append(Batch(indices=tuple(unreadable), input_shape=None))
    return Plan(
        images=images,
        shards=tuple(_shards(batches, settings.shard)),
        settings=settings,
        class_map=match_classes(labels.names, head.names, classes),
        data_digest=digest.hexdigest(),
    )


def _batches(head: Head, sizes: Mapping[int, tuple[int, int]], settings: Settings) -> list[Batch]:
    """The readable images as validation takes them together, or one by one in their order, as ``predict()`` would."""
    known = list(sizes)
    if settings.frames == "predict":
        return [Batch(indices=(index,), input_shape=None) for index in known]
    made = head.batches([sizes[index] for index in known], settings.imgsz, settings.batch)
    return [replace(batch, indices=tuple(known[i] for i in batch.indices)) for batch in made]


def _shards(batches: Sequence[Batch], least: int) -> list[tuple[Batch, ...]]:
    """Whole batches, ``least`` images together at least, but for the last."""
    shards: list[tuple[Batch, ...]] = []
    part: list[Batch] = []
    for batch in batches:
        part.append(batch)
        if sum(len(entry.indices) for entry in part) >= least:
            shards.append(tuple(part))
            part = []
    return [*shards, tuple(part)] if part else shards


def weights_digest(head: Head) -> str:
    """What tells two networks apart: kind, names of the classes, and every tensor bit for bit."""
    digest = hashlib.sha256(f"{type(head.net).__name__}\0{head.names}\0".encode())
    for name, tensor in head.net.state_dict().items():
        digest.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
