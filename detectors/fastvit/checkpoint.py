"""Checkpoints: a configuration and a state dict, nothing that needs more than ``weights_only`` to open."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import timm
import torch

from anatomy.archive import read_plain

from ..pyramid.detector import LevelDetector

FORMAT = "detectors.fastvit 1"
MOST_BRANCHES = 64
RULES = {  # of a configuration that comes from a file
    "names": lambda names: isinstance(names, list) and names and all(isinstance(name, str) for name in names),
    "backbone": lambda name: isinstance(name, str) and name in timm.list_models("fastvit*"),
    "branches": lambda count: type(count) is int and 1 <= count <= MOST_BRANCHES,
    "naive": lambda naive: isinstance(naive, bool) and naive in Stored.kinds,
    "merged": lambda merged: merged is None or isinstance(merged, bool),
}


class Stored(LevelDetector):
    """What a detector says of itself in a checkpoint. A subclass that gives ``naive`` is built where a file says so.

    ``settings``: what it was built with, by name; ``configured`` takes what else a configuration holds, after it was
    checked by ``accepts``.
    """

    kinds: ClassVar[dict[bool, type["Stored"]]] = {}
    settings: dict[str, Any]
    naive: ClassVar[bool]

    def __init_subclass__(cls, *, naive: bool | None = None, **more):
        super().__init_subclass__(**more)
        if naive is not None:
            cls.naive = naive
            Stored.kinds[naive] = cls

    @property
    def config(self) -> dict[str, Any]:
        """What ``rebuild`` needs besides the weights, as plain data."""
        return {**self.settings, "names": list(self.names.values()), "naive": self.naive}

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Self:
        """The detector that a configuration describes, with random weights."""
        raise NotImplementedError

    @classmethod
    def accepts(cls, config: Mapping[str, Any]) -> bool:
        """Whether what else a configuration holds is this detector's."""
        return config.get("faults") is None

    def configured(self, config: Mapping[str, Any]) -> None:
        """Take over what else a configuration holds."""

    def reparameterize(self) -> "Stored":
        """Merge what can be merged, in place; returns itself."""
        raise NotImplementedError


def rebuild(config: Mapping[str, Any]) -> Stored:
    """A detector with random weights, as the configuration describes it."""
    model = Stored.kinds[config["naive"]].build(config)
    model.configured(config)
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
    if not Stored.kinds[config["naive"]].accepts(config):
        told = repr(config.get("faults"))[:60]
        raise ValueError(f"{str(path)!r} is damaged: its configuration says faults = {told}.")
    with torch.device("meta"):  # shapes alone, so that nothing is allocated for a claim
        wanted = {name: value.shape for name, value in rebuild(config).state_dict().items()}
    given = {name: getattr(value, "shape", None) for name, value in state.items()}
    wrong = sorted(str(name) for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        raise ValueError(
            f"{str(path)!r} is damaged: {len(wrong)} weights do not fit its configuration, the first is {wrong[0]}."
        )


def contents(model: Stored) -> dict:
    """The detector as plain data and tensors."""
    return {"format": FORMAT, "config": model.config, "state": model.state_dict()}


def save(model: Stored, path: str | Path, **extra) -> Path:
    """Writes the detector, and whatever plain data comes with it, whole or not at all; returns the path."""
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    torch.save(contents(model) | extra, partial)
    os.replace(partial, path)
    return path


def read(path: str | Path) -> dict:
    """A checkpoint's contents. Raises FileNotFoundError, and ValueError for a file that is none of this detector's."""
    path = Path(path)
    found = read_plain(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(
            f"{str(path)!r} is no checkpoint of this detector. `python -m detectors.fastvit.training.train` writes one."
        )
    check(path, found)
    return found


def load(path: str | Path) -> Stored:
    """The detector of a checkpoint, in evaluation mode. Errors as in ``read``; nothing of the file runs."""
    found = read(path)
    model = rebuild(found["config"])
    model.load_state_dict(found["state"])
    return model.eval()
