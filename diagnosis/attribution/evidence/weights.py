"""The weights of a detector shuffled, from the class rows downwards, and given back bit for bit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..subject import Subject


@contextmanager
def shuffled(subject: Subject, seed: int) -> Iterator[Iterator[str]]:
    """An iterator that shuffles one more part at each step and names it; at the end of the block all is as before.

    Every weight tensor keeps its values, in another order.
    """
    parameters = dict(subject.trace.head.running.named_parameters())
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


def _stages(subject: Subject, names: Iterable[str]) -> dict[str, list[str]]:
    """Parameter names by the part of the detector that they belong to, in the order of the cascade.

    The class rows are those of all levels, as any of them may answer for an object.
    """
    head = subject.trace.head
    parts = head.parts()
    rows = tuple(f"{level.paths[subject.trace.branch]}." for level in head.levels)
    stages: dict[str, list[str]] = {"class row": [], "head": [], "neck": [], "backbone": []}
    for name in names:
        above = [path for path in parts if name == path or name.startswith(f"{path}.")]
        part = parts[max(above, key=len)] if above else "backbone"
        stage = "class row" if name.startswith(rows) else part.split()[0]
        stages[stage if stage in stages else "backbone"].append(name)
    return {stage: found for stage, found in stages.items() if found}


@torch.inference_mode()
def _fill(parameter: Tensor, values: Tensor) -> None:
    parameter.copy_(values)


def _in_disorder(values: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(values.numel(), generator=generator).to(values.device)
    return values.flatten()[order].view_as(values)
