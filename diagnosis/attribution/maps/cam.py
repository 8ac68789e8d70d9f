"""Class activation maps of single cells: feature maps weighed with their gradient, through the head alone.

Every method is a function of activations and gradients; what is explained, it does not know.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..result import Heat
from ..subject import Subject
from .cam_gradient import Weighed, layer_gradients, level_gradients

Weigh = Callable[[Tensor, Tensor], Tensor]


def gradcam(total: Tensor, gradient: Tensor) -> Tensor:
    """Channel weights (B, c): the summed gradient, https://arxiv.org/abs/1610.02391 but for the number of cells."""
    return gradient.sum((2, 3))


def gradcam_plus_plus(total: Tensor, gradient: Tensor) -> Tensor:
    """Channel weights (B, c), https://arxiv.org/abs/1710.11063; ``total`` (c,) is the sum of each channel."""
    below = 2 * gradient**2 + total[:, None, None] * gradient**3
    share = gradient**2 / torch.where(below.abs() > 1e-12, below, torch.ones_like(below))
    return (share * gradient.relu()).sum((2, 3))


def layercam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Cell by cell (B, h, w): positive gradients alone. LayerCAM, https://doi.org/10.1109/TIP.2021.3089943."""
    return (gradient.relu() * activation).sum(1).relu()


def odam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Cell by cell (B, h, w): gradient times activation. ODAM, https://arxiv.org/abs/2304.06354, without smoothing."""
    return (gradient * activation).sum(1)


CHANNELS: dict[str, Weigh] = {"gradcam": gradcam, "gradcam++": gradcam_plus_plus}
CELLS: dict[str, Weigh] = {"layercam": layercam, "odam": odam}


def cam(subjects: Sequence[Subject], method: str, layer: int | str | None = None) -> list[Heat]:
    """One map a subject, all of one trace; those of a level go through its head together.

    ``layer``: None for what the head of its level reads, the index or name of another level, or the path of a module
    of the running network; then the whole network runs, forward and backward, for each.
    """
    if layer is not None:
        return [heat for one in subjects for heat in _heats(method, layer_gradients(one, layer), one.unit)]
    heats: dict[int, Heat] = {}
    for level in sorted({one.level for one in subjects}):
        places = [i for i, one in enumerate(subjects) if one.level == level]
        made = level_gradients([subjects[i] for i in places])
        heats |= dict(zip(places, _heats(method, made, subjects[0].unit), strict=True))
    return [heats[i] for i in range(len(subjects))]


def eigencam(subjects: Sequence[Subject]) -> list[Heat]:
    """The first principal component of what the head of a level reads, https://arxiv.org/abs/2008.00299.

    It knows neither class nor gradient: the map of a level is the same for all its detections, but for the sign, which
    makes the explained cell positive.
    """
    trace, components = subjects[0].trace, {}
    for level in {one.level for one in subjects}:
        maps = trace.inputs[level].detach().float()
        cells = maps.flatten(1) - maps.flatten(1).mean(1, keepdim=True)
        _, vectors = torch.linalg.eigh(cells @ cells.T)  # the channels' covariance; ascending
        components[level] = (vectors[:, -1] @ cells).view(maps.shape[1:]).cpu().numpy()
    heats = []
    for one in subjects:
        found, name = components[one.level], trace.levels[one.level].name
        signed = found * (1.0 if found[one.row, one.col] >= 0 else -1.0)
        words = f"what the {name} head reads"
        heats.append(
            Heat(
                grid=signed,
                step=trace.steps[one.level],
                unit="activation",
                signed=True,
                layer=words,
                offset=trace.grid_offset,
            )
        )
    return heats


def _heats(method: str, made: Weighed, unit: str) -> list[Heat]:
    """The maps of all subjects that ``made`` speaks of. ReLU as published, save for ODAM, whose sign is kept."""
    if method in CHANNELS:
        weights = CHANNELS[method](made.activation.sum((1, 2)), made.gradient)
        cells = torch.einsum("nc,chw->nhw", weights, made.activation).relu()
    else:
        cells = made.spread(CELLS[method](made.windows, made.gradient))
    signed, unit = method == "odam", f"{unit} a cell" if method in CELLS else "relative"
    place = {"step": made.step, "offset": made.offset, "layer": made.layer, "passes": made.passes}
    return [Heat(grid, unit=unit, signed=signed, **place) for grid in cells.float().cpu().numpy()]
