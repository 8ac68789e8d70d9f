"""A pass of a detector that can be differentiated: from the class logits of a cell back to the network's input."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import UnsupportedModelError
from ..families.registry import describe
from ..head.evaluating import evaluating
from ..head.forward import Pass
from ..head.head import Head
from ..head.passes import run_passes
from ..head.sources import nothing_read

SAME = 0.02  # of the spread over cells: logits that differ less are the same, computed once more


@dataclass(frozen=True)
class DifferentiablePass:
    """``run`` is what ``predict()`` made of an image, ``pixels`` the network input (1, c, H, W) that it was made of.

    ``logits`` (nc, h, w) a level are what the network puts out for these pixels, with their graph; where a cell has
    several anchors, the largest of them.
    """

    run: Pass
    pixels: Tensor
    logits: tuple[Tensor, ...]

    def place(self, level: int, row: int, col: int) -> tuple[int, int]:
        """Row and column, in the output of the class convolution, of what ``run`` hands over as this cell.

        They differ where a detector rearranges its outputs. Raises UnsupportedModelError where nothing corresponds.
        """
        made, shown = self.logits[level].detach(), self.run.logits[level]
        given = shown[:, row, col].to(made).view(-1, len(made)).amax(0)
        spread = made.flatten(1).std(1).square().sum().sqrt()
        away = (made - given[:, None, None]).square().sum(0).sqrt()
        if row < away.shape[0] and col < away.shape[1] and away[row, col] <= SAME * spread:
            return row, col
        if not away.min() <= SAME * spread:
            raise UnsupportedModelError(
                f"No output of the class convolution of level {level} holds the logits of cell ({row}, {col}): they "
                "are changed after it, so its gradient would be that of something else."
            )
        return divmod(int(away.argmin()), away.shape[1])

    def gradient(self, level: int, row: int, col: int, class_id: int | None = None) -> Tensor:
        """How a cell's class logit (None: its largest) changes with the network input, (c, H, W)."""
        logits = self.logits[level][:, *self.place(level, row, col)]
        answer = logits.max() if class_id is None else logits[class_id]
        (slopes,) = torch.autograd.grad(answer, self.pixels, retain_graph=True)
        return slopes[0]


def differentiate(model: Any, image: Any, **predict_args: Any) -> DifferentiablePass:
    """Run ``predict()`` on one image, then the same network on the same input again, with a graph.

    ``model``: a Head, or whatever ``anatomy.describe`` takes; ``predict_args`` go to its ``passes``. The network is
    left as it was. Raises UnsupportedModelError for a head that cannot be run step by step, and for weights of less
    than 32 bits, whose gradients vanish.
    """
    head = model if isinstance(model, Head) else describe(model)
    _check_precision(head)
    with head.undisturbed():
        with closing(run_passes(head, image, **predict_args)) as passes:
            pass_ = next(passes, None)
        if pass_ is None:
            raise nothing_read(image)
        return differentiate_pass(head, pass_)


def differentiate_pass(head: Head, pass_: Pass) -> DifferentiablePass:
    """The network on the input of a finished pass again, with a graph; errors as in ``differentiate``."""
    _check_precision(head)
    with evaluating(head), torch.enable_grad():
        pixels = head.network_input(pass_).detach().clone().requires_grad_()
        logits = head.forward(pixels, pass_.branch).logits
    return DifferentiablePass(run=pass_, pixels=pixels, logits=tuple(level[0] for level in logits))


def _check_precision(head: Head) -> None:
    short = sorted({str(value.dtype) for value in head.running.parameters() if value.element_size() < 4})
    if short:
        raise UnsupportedModelError(
            f"{type(head.net).__name__} has weights of {', '.join(short)}, in which gradients vanish. Call float() on "
            "the model first."
        )
