"""The randomization test: does a map change when the weights that it claims to explain are no longer theirs?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..subject import Subject

CHANGED = 0.5  # rank correlation below which a map counts as another


@dataclass(frozen=True)
class Randomization:
    """Sanity Checks for Saliency Maps, https://arxiv.org/abs/1810.03292: weights shuffled from the class row downwards.

    ``stages`` what was shuffled last, ``correlation`` (k,) the size of Spearman's rank correlation of the map then with
    the map before, over the values where either is not zero; the last, when all is shuffled, is the mean over several
    shuffles, as two broad maps can agree by chance. ``passes``: it lies below ``CHANGED``.
    """

    stages: tuple[str, ...]
    correlation: np.ndarray

    @property
    def passes(self) -> bool:
        """Whether the map changes with the weights."""
        return bool(self.correlation[-1] < CHANGED)


def randomize(
    subject: Subject, grid: np.ndarray, explain: Callable[[Subject], np.ndarray], seed: int, shuffles: int
) -> Randomization:
    """Shuffle class convolution, head, neck and backbone in turn, each on top of the last, and explain again each time.

    ``grid``: the map to compare with; ``explain`` makes one of a subject. Every weight tensor keeps its values, in
    another order; all of them are shuffled ``shuffles`` times. Afterwards the network has its weights back, bit for
    bit, whatever happened.
    """

    def alike() -> float:
        other = replace(subject, trace=subject.trace.recomputed())
        with torch.inference_mode(False), torch.no_grad():
            value = float(other.of_inputs(other.trace.inputs[subject.level][None])[0])
        return abs(rank_correlation(grid, explain(replace(other, value=value))))

    with _shuffled(subject, seed) as cascade:
        stages, found = zip(*((stage, alike()) for stage in cascade), strict=True)
    last = [found[-1]]
    for more in range(1, shuffles):
        with _shuffled(subject, seed + more) as cascade:
            list(cascade)
            last.append(alike())
    return Randomization(stages, np.array([*found[:-1], np.mean(last)]))


@contextmanager
def _shuffled(subject: Subject, seed: int) -> Iterator[Iterator[str]]:
    """An iterator that shuffles one more part at each step and names it; at the end of the block all is as before."""
    head = subject.trace.head
    parameters = dict(head.running.named_parameters())
    kept = {name: value.detach().clone() for name, value in parameters.items()}
    generator = torch.Generator().manual_seed(seed)

    def cascade() -> Iterator[str]:
        for stage, names in _stages(subject, parameters).items():
            for name in names:
                _fill(parameters[name], _in_disorder(kept[name], generator))
            yield stage

    try:
        yield cascade()
    finally:
        for name, value in parameters.items():
            _fill(value, kept[name])


def _stages(subject: Subject, names) -> dict[str, list[str]]:
    """Parameter names by the part of the detector that they belong to, in the order of the cascade."""
    head = subject.trace.head
    parts, row = head.parts(), head.levels[subject.level].paths[subject.trace.branch]
    stages: dict[str, list[str]] = {"class row": [], "head": [], "neck": [], "backbone": []}
    for name in names:
        above = [path for path in parts if name == path or name.startswith(f"{path}.")]
        part = parts[max(above, key=len)] if above else "backbone"
        stage = "class row" if name.startswith(f"{row}.") else part.split()[0]
        stages[stage if stage in stages else "backbone"].append(name)
    return {stage: found for stage, found in stages.items() if found}


@torch.inference_mode()
def _fill(parameter, values) -> None:
    parameter.copy_(values)


def _in_disorder(values, generator):
    order = torch.randperm(values.numel(), generator=generator).to(values.device)
    return values.flatten()[order].view_as(values)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, over the values where either array is not zero; 1 where both are constant there, 0 where one is."""
    from scipy.stats import spearmanr

    used = (first != 0) | (second != 0)
    constant = [not used.any() or np.ptp(values[used]) == 0 for values in (first, second)]
    if any(constant):
        return float(all(constant))
    found: Any = spearmanr(first[used], second[used])
    return float(found.statistic)
