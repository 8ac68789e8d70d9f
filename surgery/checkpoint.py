"""Checkpoints: written whole or not at all, opened by Ultralytics alone, read with care."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from anatomy import CheckpointError, describe, open_checkpoint

from . import ledger
from .edit import Edit
from .files import write_whole

KEY = "surgery"  # where the recipe rides along in the checkpoint


def save(model, path, *, half: bool | None = None) -> Path:
    """Write the model, edits included, as a plain ``.pt`` that Ultralytics alone opens; returns the path.

    ``half``: store float16 as ``YOLO.save`` does (True), keep the model's precision (False), or float16 exactly when
    that changes no bit (None), so that by default the saved model predicts the same. The history rides along and is
    back after ``load``. The file is replaced in one step: a full disk or a kill leaves the old one whole.
    """
    path = Path(path)
    if path.suffix != ".pt":
        raise ValueError(
            f"Ultralytics opens checkpoints by their ending, so the file must end in .pt, not {path.name!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}. Make it first.")
    head = describe(model)
    if half is None:
        half = all(_survives_half(value) for value in head.net.state_dict().values())
    book = ledger.ledger(head)
    entry = {
        "edits": [record.edit.to_dict() for record in book.records],
        "before": [_pack(record.before) for record in book.records],
        "baseline": _pack(book.baseline),
    }
    checkpoint = {**head.checkpoint(half), KEY: entry}
    write_whole(path, lambda file: torch.save(checkpoint, file))
    return path


def load(path, *, trusted: bool = False, opener: Callable | None = None):
    """Open a checkpoint as a YOLO object; a history saved with it can be undone.

    ``opener`` opens files of another family of detectors, such as ``detectors.fastvit.load``, and gives what it makes
    of the path. Otherwise the restricted unpickler reads it first. A file that asks for more than model classes is
    refused by name of what it wants, unless ``trusted=True`` (which lets it run any code). Raises FileNotFoundError,
    and CheckpointError (a ValueError) for anything that is no whole checkpoint.
    """
    path = Path(path)
    _check_format(path)
    if opener is None:
        model = open_checkpoint(path, trusted=trusted)
        entry = (model.ckpt or {}).pop(KEY, None)
    else:
        model = opener(path)
        entry = torch.load(path, map_location="cpu", weights_only=True).get(KEY)
    if entry:
        book = ledger.ledger(describe(model))
        book.baseline = _unpack(entry["baseline"])
        pairs = zip(entry["edits"], entry["before"], strict=True)
        book.records[:] = [ledger.Record(Edit.from_dict(edit), _unpack(before)) for edit, before in pairs]
    return model


def _survives_half(value: torch.Tensor) -> bool:
    return not value.is_floating_point() or torch.equal(value.half().to(value.dtype), value)


def _pack(rows: dict) -> list:
    return [
        [branch, level, *(None if part is None else part.cpu() for part in kept)]
        for (branch, level), kept in rows.items()
    ]


def _unpack(entries: list) -> dict:
    return {(branch, level): (weight, bias) for branch, level, weight, bias in entries}


def _check_format(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"There is no checkpoint {str(path)!r} (working folder: {Path.cwd()}).")
    if path.suffix != ".pt":
        raise CheckpointError(f"A checkpoint must end in .pt for Ultralytics to open it, but {path.name!r} was given.")
    with path.open("rb") as file:
        start = file.read(4)
    if not zipfile.is_zipfile(path):
        if start.startswith(b"PK"):
            why = f"is cut short ({path.stat().st_size} bytes): the index at the end of the archive is missing"
        elif start.startswith(b"\x80"):
            why = "is a bare pickle, older than torch's zip format; open it with its own program and save it anew"
        else:
            why = "is no torch checkpoint (it is not a zip archive)"
        raise CheckpointError(f"{str(path)!r} {why}.")
    with zipfile.ZipFile(path) as archive:
        entries = archive.namelist()
    if any(entry.endswith("/constants.pkl") for entry in entries):
        raise CheckpointError(
            f"{str(path)!r} is a TorchScript archive, whose class rows cannot be edited. Load the .pt it was made from."
        )
    if not any(entry.endswith("/data.pkl") for entry in entries):
        raise CheckpointError(f"{str(path)!r} is a zip archive without a torch checkpoint in it.")
