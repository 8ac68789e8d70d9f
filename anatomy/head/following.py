"""A training followed from outside, batch by batch: what a family's own trainer tells, and to whom."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

FLAT = ("batch_idx", "cls", "bboxes")  # of a batch whose objects stand in one table


@dataclass(frozen=True)
class BatchLabels:
    """The objects of one batch as the loader hands them over: after augmentation, on the host, unchecked.

    ``image`` (n,) which image each belongs to, ``label`` (n,) class ids, ``boxes`` (n, 4) xyxy as shares of width and
    height; of rotated ones the box before its turn. ``files``: the images, where they have names.
    """

    image: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    files: tuple[str, ...] = ()

    @classmethod
    def of_flat(cls, batch: Mapping[str, Any]) -> "BatchLabels":
        """Of a batch with "batch_idx" and "cls", n numbers each, and "bboxes" (n, 4): centre and size as shares of the
        image, or (n, 5) with an angle behind; "im_file": its images, where they have names."""
        image, label, boxes = (torch.as_tensor(batch[name]).numpy(force=True) for name in FLAT)
        boxes = boxes.reshape(-1, boxes.shape[-1]) if boxes.size else np.zeros((0, 4))
        half = boxes[:, 2:4] / 2
        corners = np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), 1)
        files = tuple(batch.get("im_file", ()))
        return cls(image=image.reshape(-1), label=label.reshape(-1), boxes=corners, files=files)


class Training(Protocol):
    """A training under way, asked while it runs.

    ``head``, an ``anatomy.Head``, describes the network in training; ``net`` is that network without wrappers.
    ``folder``: where the training writes. ``resumed``: it goes on from a checkpoint. ``epoch`` and ``epochs`` count
    from 0 and in all, ``per_epoch`` batches. ``compiled``: the network runs compiled, and hooks laid later are ignored.
    """

    @property
    def head(self) -> Any: ...
    @property
    def net(self) -> nn.Module: ...
    @property
    def folder(self) -> Path: ...
    @property
    def resumed(self) -> bool: ...
    @property
    def compiled(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def per_epoch(self) -> int: ...

    @property
    def images(self) -> tuple[int, int] | None:
        """How many images there are, and how many of them the training uses; None where it is not known."""
        ...

    @property
    def labelled(self) -> Mapping[int, int] | None:
        """How many objects of each class an epoch has by the labels, before augmentation; None where it is not
        known."""
        ...

    @property
    def loss(self) -> Tensor | None:
        """The scalar whose gradient is taken, of the batch under way; None before it."""
        ...

    @property
    def items(self) -> Mapping[str, Tensor]:
        """The loss items of the batch under way, by the trainer's own names."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether a batch may be read while the training goes on: it runs on a device that it would have to wait for,
        and what a batch was made of, its labels and gradients' norms included, stays as it is."""
        ...

    @property
    def scaled(self) -> bool:
        """Whether gradients are multiplied until the optimizer steps; asking waits for no device."""
        ...

    @property
    def scale(self) -> float | None:
        """By what; None where they are not scaled."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the training was started with, by name."""
        ...

    @property
    def gains(self) -> Mapping[str, float]:
        """What loss items are multiplied by, by their names; those that are not known are left out."""
        ...

    @property
    def rate(self) -> float:
        """The learning rate of the first group of weights."""
        ...

    @property
    def replayable(self) -> bool:
        """Whether a batch can be passed again: ``loss_of`` knows its loss."""
        ...

    def criterion(self) -> Any:
        """What ``head.listening`` listens to; made now, as the training would make it, where there is none yet."""
        ...

    def precision(self) -> AbstractContextManager:
        """The block in which the training runs its forward pass: automatic mixed precision, or nothing."""
        ...

    def loss_of(self, outputs: Any, targets: Any = None) -> Tensor:
        """The loss, from what ``net`` returns for a batch, and the targets where it was given these apart."""
        ...

    def log(self, scalars: Mapping[str, float], step: int) -> None:
        """Hand numbers to the loggers that are active in this training."""
        ...


class Follower(Protocol):
    """Who is told; nothing that it is handed may be changed.

    A training and labels are handed as what makes them: where they cannot be made, that is the follower's failure, and
    none of the training.
    """

    def begin(self, training: Callable[[], Training]) -> None:
        """Everything is set up, and no batch has been seen."""
        ...

    def epoch_begins(self) -> None:
        """Also where an epoch begins again, after running out of memory or a loss that was not finite."""
        ...

    def batch_comes(self, labels: Callable[[], BatchLabels]) -> None:
        """A batch has left the loader."""
        ...

    def forward_begins(self, batch: Any) -> None:
        """The batch, as the network gets it, is on the device."""
        ...

    def before_step(self) -> None:
        """The optimizer is about to step: gradients are there, scaled and unclipped. Not every batch has a step."""
        ...

    def batch_ends(self) -> None:
        """The batch is done, stepped or not; gradients are gone if it was."""
        ...

    def fails(self, error: BaseException) -> None:
        """The training does not come to its end, for this reason; ``end`` follows, if it had begun."""
        ...

    def end(self) -> None:
        """The training is over, however it ended."""
        ...


class Following(Protocol):
    """The tie between a trainer and its follower."""

    tied: bool  # whether there is anything left of it in the model or its trainer

    def untie(self) -> None:
        """Take out everything; the model and its trainer are as before."""
        ...
