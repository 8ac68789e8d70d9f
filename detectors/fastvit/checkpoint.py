"""Checkpoints: a configuration and a state dict, nothing that needs more than ``weights_only`` to open."""

import os
import pickle
import zipfile
from pathlib import Path

import torch

from .model import FastViTDetector
from .naive import NaiveDetector

FORMAT = "detectors.fastvit 1"


def config(model: FastViTDetector) -> dict:
    """What ``rebuild`` needs besides the weights."""
    found = {**model.settings, "names": list(model.names.values()), "naive": isinstance(model, NaiveDetector)}
    return found | ({"faults": sorted(model.faults)} if found["naive"] else {})


def rebuild(config: dict) -> FastViTDetector:
    """A detector with random weights, as the configuration describes it."""
    kind = NaiveDetector if config["naive"] else FastViTDetector
    model = kind(config["names"], config["backbone"], branches=config["branches"])
    if "faults" in config:
        model.faults = frozenset(config["faults"])
    return model.reparameterize() if config.get("merged") else model


def contents(model: FastViTDetector) -> dict:
    """The detector as plain data and tensors."""
    return {"format": FORMAT, "config": config(model), "state": model.state_dict()}


def save(model: FastViTDetector, path, **extra) -> Path:
    """Writes the detector, and whatever plain data comes with it, whole or not at all; returns the path."""
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    torch.save(contents(model) | extra, partial)
    os.replace(partial, path)
    return path


def read(path) -> dict:
    """A checkpoint's contents. Raises FileNotFoundError, and ValueError for a file that is none of this detector's."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {str(path)!r}.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(path)!r} is damaged, or holds more than plain data and tensors: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(
            f"{str(path)!r} is no checkpoint of this detector. `python -m detectors.fastvit.train` writes one."
        )
    return found


def load(path) -> FastViTDetector:
    """The detector of a checkpoint, in evaluation mode. Errors as in ``read``."""
    found = read(path)
    model = rebuild(found["config"])
    model.load_state_dict(found["state"])
    return model.eval()
