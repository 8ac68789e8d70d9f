"""Checkpoints: written whole or not at all, opened by Ultralytics alone, read with care."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from anatomy import CheckpointError, Head, describe, open_checkpoint, open_export
from anatomy.archive import read_plain, write_whole
from anatomy.arguments import check_path

from .memory import ledger
from .places import all_rows
from .record import KEY, Ledger, pack, unpack

OPENED_BY = {".pt": "Ultralytics", ".onnx": "onnxruntime"}


def save(model: object, path: str | PathLike[str], *, half: bool | None = None) -> Path:
    """Write the model, edits included, as a plain ``.pt`` that Ultralytics alone opens; returns the path. An export
    (``anatomy.open_export``) becomes a new ``.onnx`` file, in the precision that it has.

    ``half``: store float16 as ``YOLO.save`` does (True), keep the model's precision (False), or float16 exactly when
    that changes no bit (None), so that by default the saved model predicts the same. The history rides along and is
    back after ``load``. The file is replaced in one step: a full disk or a kill leaves the old one whole.

    >>> surgery.save(model, folder / "edited.pt").name
    'edited.pt'
    """
    path, head = check_path(path, "surgery.save"), describe(model)
    if path.suffix not in head.endings:
        raise ValueError(
            f"{OPENED_BY.get(head.endings[0], 'Its program')} opens files by their ending, so the file must end in "
            f"{' or '.join(head.endings)}, not {path.name!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}. Make it first.")
    if half is None:
        half = all(_survives_half(value) for value in head.net.state_dict().values())
    book = ledger(head).copy()
    book.baseline = book.baseline or all_rows(head)
    write_whole(path, head.writer(path, half, {KEY: pack(book)}))
    return path


def load(path: str | PathLike[str], *, trusted: bool = False, opener: Callable[[Path], Any] | None = None) -> Any:
    """Open a checkpoint as a YOLO object; a history saved with it can be undone.

    Nothing of the file runs, is installed or fetched unless ``trusted``; see ``anatomy.open_checkpoint``. ``opener``
    opens files of another family of detectors, such as ``detectors.fastvit.load``, and gives what it makes of the
    path. Raises FileNotFoundError, and CheckpointError (a ValueError) for anything that is no whole checkpoint.

    >>> surgery.load(checkpoint).names == model.names
    True
    """
    if opener is None and Path(path).suffix == ".onnx":
        model = open_export(path, trusted=trusted)
        entry = describe(model).beside.get(KEY)
    elif opener is None:
        model = open_checkpoint(path, trusted=trusted)
        entry = (model.ckpt or {}).pop(KEY, None)
    else:
        model = opener(Path(path))
        entry = read_plain(path, KEY)
    read_record(describe(model), entry, path)
    return model


def read_record(head: Head, entry: object, path: str | PathLike[str]) -> None:
    """Give a network that was opened from a file its record: that of the network itself, else the file's ``entry``.

    The network itself carries one where another program than ``save`` wrote it after an edit, such as ``YOLO.save``.
    Without either the rows as they were read are the original. Raises CheckpointError for an entry that is none.
    """
    book = ledger(head)
    if book.baseline:
        return
    try:
        book.take(unpack(entry, head) if entry is not None else Ledger(all_rows(head)))
    except ValueError as error:
        raise CheckpointError(f"{str(path)!r} carries a record of edits that is broken. {error}") from error


def _survives_half(value: torch.Tensor) -> bool:
    return not value.is_floating_point() or torch.equal(value.half().to(value.dtype), value)
