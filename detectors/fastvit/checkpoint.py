"""Checkpoints: a configuration and a state dict, nothing that needs more than ``weights_only`` to open."""

import os
from pathlib import Path

import timm
import torch

from anatomy.archive import read_plain

from .model import FastViTDetector
from .published.naive import FAULTS, NaiveDetector

FORMAT = "detectors.fastvit 1"
MOST_BRANCHES = 64
RULES = {  # of a configuration that comes from a file
    "names": lambda names: isinstance(names, list) and names and all(isinstance(name, str) for name in names),
    "backbone": lambda name: isinstance(name, str) and name in timm.list_models("fastvit*"),
    "branches": lambda count: type(count) is int and 1 <= count <= MOST_BRANCHES,
    "naive": lambda naive: isinstance(naive, bool),
    "merged": lambda merged: merged is None or isinstance(merged, bool),
    "faults": lambda faults: faults is None or (isinstance(faults, list) and all(map(_is_fault, faults))),
}


def _is_fault(name) -> bool:
    return isinstance(name, str) and name in FAULTS


def config(model: FastViTDetector) -> dict:
    """What ``rebuild`` needs besides the weights."""
    found = {**model.settings, "names": list(model.names.values()), "naive": isinstance(model, NaiveDetector)}
    return found | ({"faults": sorted(model.faults)} if found["naive"] else {})


def rebuild(config: dict) -> FastViTDetector:
    """A detector with random weights, as the configuration describes it; ValueError where it describes none."""
    kind = NaiveDetector if config["naive"] else FastViTDetector
    model = kind(config["names"], config["backbone"], branches=config["branches"])
    if "faults" in config:
        model.faults = frozenset(config["faults"])
    return model.reparameterize() if config.get("merged") else model


def check(path: Path, found: dict) -> None:
    """Refuse a configuration that is none, or that does not fit the weights beside it, before anything is built."""
    config, state = found.get("config"), found.get("state")
    if not isinstance(config, dict) or not isinstance(state, dict):
        raise ValueError(f"{str(path)!r} is damaged: it holds no configuration, or no weights.")
    for name, holds in RULES.items():
        if not holds(config.get(name)):
            told = repr(config.get(name))[:60]
            raise ValueError(f"{str(path)!r} is damaged: its configuration says {name} = {told}.")
    with torch.device("meta"):  # shapes alone, so that nothing is allocated for a claim
        wanted = {name: value.shape for name, value in rebuild(config).state_dict().items()}
    given = {name: getattr(value, "shape", None) for name, value in state.items()}
    wrong = sorted(str(name) for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        raise ValueError(
            f"{str(path)!r} is damaged: {len(wrong)} weights do not fit its configuration, the first is {wrong[0]}."
        )


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
    found = read_plain(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(
            f"{str(path)!r} is no checkpoint of this detector. `python -m detectors.fastvit.training.train` writes one."
        )
    check(path, found)
    return found


def load(path) -> FastViTDetector:
    """The detector of a checkpoint, in evaluation mode. Errors as in ``read``; nothing of the file runs."""
    found = read(path)
    model = rebuild(found["config"])
    model.load_state_dict(found["state"])
    return model.eval()
