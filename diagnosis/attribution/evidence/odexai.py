"""Insertion and deletion as ODExAI publishes them, so that its numbers can stand beside those of a map made here."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomy import evaluating
from anatomy.shown import Record

from ..perturbation_frame import whole
from ..place import photo_area
from ..result import Attribution, check_attribution
from ..subject import Subject
from ..windows import as_boxes
from .curves import ranks

STEPS = 20  # of equal area; published are steps of 2000 px
CONFIDENCE, OVERLAP = 0.25, 0.45  # that a detection must have, and at which suppression takes the lesser
WIDTH = 0.25  # of the kernel that makes a weight of the cosine distance of two class vectors
BLUR = 51  # px of the network input: sides of the Gaussian kernel that insertion begins with, deviation 8


@dataclass(frozen=True, repr=False)
class Odexai(Record):
    """``insertion`` and ``deletion``, areas under their curves. Made by ``odexai``."""

    insertion: float
    deletion: float

    @property
    def overall(self) -> float:
        """OA, insertion less deletion: the larger, the better."""
        return self.insertion - self.deletion


def odexai(attribution: Attribution, *, steps: int = STEPS, batch: int = 8) -> Odexai:
    """The faithfulness of ODExAI (https://arxiv.org/abs/2504.19249) of a map of a class.

    Deletion makes the most important px black, insertion begins with a blur; both in ``steps`` of equal area. What
    counts is the detection, of confidence 0.25 and after suppression, of the explained class that overlaps the box
    most: its IoU times a weight of the cosine distance of the class probabilities. The padding stays. Other detectors
    and other photographs give other numbers for the same method. Raises UnsupportedModelError for a head that does not
    decode step by step, ValueError for less than one step.

    >>> diagnosis.odexai(diagnosis.attribute(trace, 0, "quick"), steps=1).insertion >= 0
    True
    """
    check_attribution(attribution, "diagnosis.odexai")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, but {steps!r} was given.")
    subject = attribution.subject
    trace, frame = subject.trace, whole(subject.trace)
    rank = torch.from_numpy(ranks(trace, attribution.map)).to(frame.device)
    inside = torch.from_numpy(photo_area(trace)).to(frame.device)
    starts = {"deletion": frame, "insertion": torch.where(inside, _blurred(frame), frame)}
    ends = {"deletion": torch.where(inside, torch.zeros_like(frame), frame), "insertion": frame}
    areas = {}
    with trace.head.undisturbed(), torch.inference_mode(False), torch.no_grad():
        like = _classes(subject, frame)
        for name, start in starts.items():
            found = []
            for shares in torch.linspace(0, 1, steps + 1, dtype=rank.dtype, device=frame.device).split(batch):
                frames = torch.where(rank < shares.view(-1, 1, 1, 1), ends[name], start)
                found += list(_scores(subject, frames, like))
            areas[name] = float(np.trapezoid(found)) / steps
    return Odexai(**areas)


def _scores(subject: Subject, frames: Tensor, like: Tensor) -> Iterator[float]:
    """How much of the detection each frame (B, 3, H, W) holds; ``like`` (nc,) the class probabilities explained."""
    from torchvision.ops import box_iou, nms

    box = as_boxes(subject.trace, [subject.anchor])
    for boxes, classes in zip(*_found(subject, frames), strict=True):
        sure, kind = classes.max(1)
        seen = (sure >= CONFIDENCE).nonzero()[:, 0]
        kept = seen[nms(boxes[seen], sure[seen], OVERLAP)]
        kept = kept[kind[kept] == subject.class_id]
        if not len(kept):
            yield 0.0
            continue
        overlap, best = box_iou(boxes[kept], box.to(boxes))[:, 0].max(0)
        distance = 1 - torch.cosine_similarity(classes[kept[best]], like, dim=0)
        yield float(overlap * torch.exp(-(distance**2) / WIDTH**2).sqrt())


def _found(subject: Subject, frames: Tensor) -> tuple[Tensor, Tensor]:
    """All boxes (B, A, 4) xyxy px of the input and their class probabilities (B, A, nc)."""
    head = subject.trace.head
    with evaluating(head):
        made = head.forward(frames, subject.trace.branch)
    boxes = torch.cat([head.level_boxes(level, raw).flatten(2) for level, raw in enumerate(made.raw)], 2)
    return boxes.mT, head.probabilities(torch.cat([level.flatten(2) for level in made.logits], 2), dim=1).mT


def _classes(subject: Subject, frame: Tensor) -> Tensor:
    """The class probabilities (nc,) of the explained cell on the whole photograph."""
    head = subject.trace.head
    with evaluating(head):
        made = head.forward(frame, subject.trace.branch)
    return head.probabilities(made.logits[subject.level][0, :, subject.row, subject.col])


def _blurred(frame: Tensor) -> Tensor:
    import cv2

    image = frame[0].float().permute(1, 2, 0).cpu().numpy()
    return torch.from_numpy(cv2.GaussianBlur(image, (BLUR, BLUR), 0)).permute(2, 0, 1)[None].to(frame)
