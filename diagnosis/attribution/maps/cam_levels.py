"""LayerCAM at what the heads of all levels read, through the whole network, fused to one map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from anatomy import evaluating

from ..perturbation_frame import whole
from ..result import Heat
from ..subject import Subject
from .cam import layercam

SAYS = "where, not why: it does not depend on the weights"


def layercam_levels(subjects: Sequence[Subject]) -> list[Heat]:
    """The largest of the LayerCAMs of all levels, each of largest value 1, at every px of the network input.

    As Ultralytics draws it with ``visualize=True``, but for one detection. What a head of another level reads counts as
    far as the number depends on it, through the neck. It does well on the curves and keeps its score there when all
    weights are shuffled: it says where the box is. One pass forward for all subjects and one backward for each.
    """
    trace = subjects[0].trace
    frame = whole(trace).requires_grad_()
    with evaluating(trace.head):
        made = trace.head.forward(frame, trace.branch)
    heats = []
    for i, one in enumerate(subjects):
        number = one.pick(made.logits[one.level], made.raw[one.level], one.row, one.col)
        more = i + 1 < len(subjects)
        gradients = torch.autograd.grad(number.sum(), made.inputs, allow_unused=True, retain_graph=more)
        grid = torch.zeros(frame.shape[2:], device=frame.device)
        for maps, gradient in zip(made.inputs, gradients, strict=True):
            if gradient is not None:
                cells = F.interpolate(layercam(maps.detach(), gradient)[None], size=grid.shape, mode="bilinear")[0, 0]
                grid = torch.maximum(grid, cells / cells.max().clamp(min=1e-12))
        heats.append(
            Heat(
                grid=grid.float().cpu().numpy(),
                step=(1.0, 1.0),
                unit="relative",
                signed=False,
                layer="what the heads of all levels read",
                passes=1 + 1 / len(subjects),
                note=SAYS,
            )
        )
    return heats
