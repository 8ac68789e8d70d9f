"""Which weights belong to backbone, neck, and each level's box and class stack, and the norms of their gradients."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import (
    Tensor,
    _foreach_norm,  # pyright: ignore[reportPrivateImportUsage]  # no public name; all norms in one call
    nn,
)

from anatomy.head.head import Head

Kind = TypeVar("Kind", bound=Hashable)
COARSE = ("backbone", "neck", "head")


class Stack(NamedTuple):
    """What one level and branch has for its "box" or its "class" outputs alone."""

    level: int
    branch: str
    kind: str


@dataclass(frozen=True)
class NetworkParts:
    """The trainable weights of a network, told apart: ``coarse`` (of ``COARSE``) and ``stack`` of each, or None."""

    weights: tuple[nn.Parameter, ...]
    coarse: tuple[str | None, ...]
    stack: tuple[Stack | None, ...]

    @cached_property
    def by_coarse(self) -> "Grouping":
        """The weights by ``coarse``."""
        return Grouping.of(self.coarse)

    @cached_property
    def by_stack(self) -> "Grouping":
        """The weights by ``stack``."""
        return Grouping.of(self.stack)

    @property
    def first(self) -> nn.Parameter | None:
        """The weight nearest to the image: what breaks on the way back arrives there."""
        return next(iter(self.weights), None)

    def gradients(self) -> "Gradients":
        """Norms of the gradients that are there now; they stay on their device, and nothing waits for it."""
        there = [place for place, weight in enumerate(self.weights) if weight.grad is not None]
        held = [weight.grad for weight in self.weights if weight.grad is not None]
        return Gradients(self, there, _foreach_norm(held) if held else ())


@dataclass(frozen=True)
class Grouping(Generic[Kind]):
    """Which of ``kinds`` each of n weights is of, by ``number`` (n,); as many as there are kinds: of none."""

    kinds: tuple[Kind, ...]
    number: np.ndarray

    @classmethod
    def of(cls, keys: Sequence[Kind | None]) -> "Grouping[Kind]":
        """Of the kind of each weight, or None."""
        kinds = tuple(dict.fromkeys(key for key in keys if key is not None))
        place = {key: number for number, key in enumerate(kinds)}
        return cls(kinds, np.array([place.get(key, len(kinds)) for key in keys], np.int64))

    def norms(self, there: Sequence[int], squares: np.ndarray) -> dict[Kind, float]:
        """The root of the sum of the ``squares`` (k,) of the weights at ``there``; kinds without one are left out."""
        number = self.number[list(there)]
        count = np.bincount(number, minlength=len(self.kinds) + 1)
        root = np.sqrt(np.bincount(number, weights=squares, minlength=len(self.kinds) + 1))
        return {kind: float(root[i]) for i, kind in enumerate(self.kinds) if count[i]}


@dataclass(frozen=True)
class Gradients:
    """The norms of the weights' gradients: one of ``norms`` for each of the weights at ``there``."""

    parts: NetworkParts
    there: list[int]
    norms: Sequence[Tensor]

    def read(self, scale: float | None) -> tuple[dict[str, float], dict[Stack, float]]:
        """ "grad", "grad_backbone" and so on, and the norm of each stack, without the scale; fetched in one transfer.

        A part none of whose weights has a gradient is left out.
        """
        norms = torch.stack(list(self.norms)) if self.norms else torch.zeros(0)
        squares = np.square(norms.double().cpu().numpy() / (scale or 1.0))
        by_part = self.parts.by_coarse.norms(self.there, squares)
        coarse = {f"grad_{name}": value for name, value in by_part.items()}
        return {"grad": math.sqrt(squares.sum())} | coarse, self.parts.by_stack.norms(self.there, squares)


def network_parts(head: Head) -> NetworkParts:
    """The trainable weights of a head's network, by its own account of its parts."""
    groups = head.parts()
    stacks = {
        path: Stack(level.index, branch, kind)
        for branch in head.branches
        for level in head.levels
        for kind, paths in head.stacks(level.index, branch).items()
        for path in paths
    }
    named = [(path, weight) for path, weight in head.net.named_parameters() if weight.requires_grad]
    return NetworkParts(
        weights=tuple(weight for _, weight in named),
        coarse=tuple(_coarse(_longest(path, groups)) for path, _ in named),
        stack=tuple(_longest(path, stacks) for path, _ in named),
    )


def level_modules(head: Head) -> dict[int, nn.Module]:
    """A module of each level that is called with what the head reads there; levels without one are left out."""
    found: dict[int, nn.Module] = {}
    groups = {name: path for path, name in reversed(head.parts().items())}
    for level in head.levels:
        path = groups.get(f"head {level.name}")
        if path is not None:
            found[level.index] = head.net.get_submodule(path)
    return found


def _coarse(group: str | None) -> str | None:
    """The part of ``COARSE`` that a group of the head's account lies in."""
    name = (group or "").partition(" ")[0]
    return name if name in COARSE else None


def _longest(path: str, groups: Mapping[str, Kind]) -> Kind | None:
    """What stands for the longest path of ``groups`` that this one lies under."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        found = groups.get(".".join(names[:length]))
        if found is not None:
            return found
    return None
