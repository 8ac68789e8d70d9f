"""Insertion and deletion: how a detection fades as the photograph is taken away in the order of a map, and returns."""

from dataclasses import dataclass

import numpy as np
import torch

from anatomy import Trace
from anatomy.shown import Record

from ..perturbation_frame import emptied, whole
from ..place import photo_area, to_input
from ..presence import CLASS, presences
from ..subject import Subject

STEPS = 20  # stretches of a curve
PATCH = 16  # px of the network input: where a map leaves the order open, neighbours this near share their fate


@dataclass(frozen=True, repr=False)
class Curves(Record):
    """How much of the detection is there as pixels go and come, most important first.

    ``share`` (k,) of the photograph's pixels that were replaced or restored, from 0 to 1, closer together near 0;
    ``deletion`` and ``insertion`` (k,) what is left of the detection, 1: as on the whole photograph. ``whole``: what is
    there on the whole photograph, of a class IoU times probability, see ``presences``; times it, areas are what papers
    on detectors publish.
    """

    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    whole: float

    def area(self, name: str) -> float:
        """The area under "deletion" or "insertion", by the trapezoidal rule."""
        curve = getattr(self, name)
        return float(((curve[1:] + curve[:-1]) / 2 * np.diff(self.share)).sum())


def curves(subject: Subject, values: np.ndarray, *, steps: int, replace: str, batch: int) -> tuple[Curves, int]:
    """The curves of a map (H, W) of the original, and how many images went through the network.

    Pixels of the network input go in the order of the map; the padding always stays. Where the map is equal, they go in
    patches, in an order fixed by a seed. What is left of a class is relative to the whole photograph; of an edge or an
    entropy it is how near the number is to that of the whole photograph, 0: as far off as that of the photograph
    replaced.
    """
    trace, held = subject.trace, presences([subject])
    frame, empty = whole(trace), emptied(trace, replace)
    rank = torch.from_numpy(ranks(trace, values)).to(frame.device)
    share = np.linspace(0, 1, steps + 1) ** 2
    with torch.inference_mode(False), torch.no_grad():
        full, none = (float(held(ends)[0]) for ends in (frame, empty))
        parts = {"deletion": (frame, empty), "insertion": (empty, frame)}
        found = {}
        for name, (before, after) in parts.items():
            ends = [full, none] if name == "deletion" else [none, full]
            inner = []
            for start in range(1, steps, batch):
                chosen = torch.as_tensor(share[start : min(start + batch, steps)]).view(-1, 1, 1, 1).to(rank)
                inner += held(torch.where(rank < chosen, after, before))[0].tolist()
            found[name] = _left(subject, np.array([ends[0], *inner, ends[1]]), full, none)
    return Curves(share, **found, whole=full), 2 * steps


def _left(subject: Subject, numbers: np.ndarray, full: float, none: float) -> np.ndarray:
    if subject.what in CLASS:
        return numbers / max(full, 1e-9)
    return (1 - np.abs(numbers - full) / max(abs(none - full), 1e-9)).clip(0, 1)


def ranks(trace: Trace, values: np.ndarray) -> np.ndarray:
    """The place of each px of the network input in the order of a map, (h, w) in [0, 1); padding has 2."""
    inside = photo_area(trace)
    heat = to_input(trace, values)[inside]
    rows, cols = (-(-side // PATCH) for side in inside.shape)
    patches = np.random.default_rng(0).random((rows, cols)).repeat(PATCH, 0).repeat(PATCH, 1)
    order = np.lexsort((patches[: inside.shape[0], : inside.shape[1]][inside], -heat))
    ranks = np.full(inside.shape, 2.0)
    place = np.empty(len(order))
    place[order] = np.arange(len(order)) / len(order)
    ranks[inside] = place
    return ranks
