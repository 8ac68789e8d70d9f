"""A live criterion listened to while the trainer calls it; what it returns is not changed by a bit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.utils.loss import E2EDetectLoss, E2ELoss, v8DetectionLoss

from ....errors import UnsupportedModelError
from ....head.batch_targets import BatchTargets, Reads
from ..tap import overridden
from .notes import Call, Casting, Note
from .reading import read_note

MODULES = ("assigner", "bbox_loss", "keypoint_loss", "bce_pose", "rle_loss")  # parts that are modules: hooked
METHODS = ("single_mask_loss", "calculate_angle_loss", "calculate_rle_loss")  # parts that are methods: wrapped


@contextmanager
def listening(criterion: Any) -> Iterator[list[BatchTargets]]:
    """Within the block, every call of the criterion is noted; at its end the list holds each branch of each call.

    The criterion computes what it would without, and nothing stays on it, however the block ends. Notes are references
    and wait for no device; the shares of the cells are computed at the end of the block, which may stand after the
    trainer's own backward. Where the block ends by an exception, the list stays empty. Raises UnsupportedModelError for
    a criterion that is no detection loss of Ultralytics.
    """
    told: list[BatchTargets] = []
    notes: list[Note] = []
    with noted(criterion, notes):
        yield told
    told.extend(map(read_note, notes))


@contextmanager
def noting(criterion: Any, take: Callable[[Reads], Any]) -> Iterator[None]:
    """As ``listening``, but ``take`` is called as soon as the criterion has asked all its branches, with what reads
    each: at once or later, in this thread or another."""
    notes: list[Note] = []
    branches = len(branches_of(criterion))

    def whole() -> None:
        if len(notes) == branches:
            take([partial(read_note, note) for note in notes])
            notes.clear()

    with noted(criterion, notes, whole):
        yield


@contextmanager
def noted(criterion: Any, notes: list[Note], done: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Within the block every call of a branch adds its note, as it is; then ``done`` is called."""
    with ExitStack() as stack:
        for branch in branches_of(criterion):
            Listener(branch, notes, done).lay(stack)
        yield


@dataclass(frozen=True)
class Branch:
    """The loss of one branch; ``weight`` says how much it counts at this moment."""

    name: str
    loss: Any
    weight: Callable[[], float]
    reported: bool


def branches_of(criterion: Any) -> list[Branch]:
    """The losses that a criterion is made of, in the order in which it calls them."""
    if isinstance(criterion, E2ELoss):
        return [
            Branch("one2many", criterion.one2many, lambda: criterion.o2m, reported=False),
            Branch("one2one", criterion.one2one, lambda: criterion.o2o, reported=True),
        ]
    if isinstance(criterion, E2EDetectLoss):
        return [Branch(name, getattr(criterion, name), lambda: 1.0, True) for name in ("one2many", "one2one")]
    if isinstance(criterion, v8DetectionLoss):
        return [Branch("one2many", criterion, lambda: 1.0, reported=True)]
    raise UnsupportedModelError(
        f"{type(criterion).__name__} cannot be listened to: it gives no cell an object. Criteria that can: those of "
        "Detect, Segment, Pose and OBB heads of Ultralytics, with one branch or two."
    )


class Listener:
    """Notes every call of the loss of one branch, and of its parts within that call, into ``notes``, and says so."""

    def __init__(self, branch: Branch, notes: list[Note], done: Callable[[], Any]):
        self._branch, self._loss, self._notes, self._done = branch, branch.loss, notes, done
        self._whole = branch.loss.loss
        self._now: Note | None = None  # of the call that runs

    def lay(self, stack: ExitStack) -> None:
        """Hooks on the modules of the loss, and notes around its methods, until the stack is closed."""
        methods = {name: self._noting(name, getattr(self._loss, name)) for name in METHODS if hasattr(self._loss, name)}
        stack.enter_context(overridden(self._loss, loss=self._note_whole, **methods))
        stack.enter_context(self._loss.bce.register_forward_hook(self._note_entropy))
        for name in MODULES:
            part = getattr(self._loss, name, None)
            if part is not None:
                stack.enter_context(part.register_forward_hook(partial(self._note_part, name), with_kwargs=True))

    def _note_whole(self, preds: Any, batch: Any) -> Any:
        self._now = note = self._blank(preds, batch)
        try:
            answer = self._whole(preds, batch)
        finally:
            self._now = None
        note.items = answer[1]
        self._notes.append(note)
        self._done()
        return answer

    def _blank(self, preds: Any, batch: Any) -> Note:
        return Note(
            branch=self._branch.name,
            weight=float(self._branch.weight()),
            reported=self._branch.reported,
            criterion=self._loss,
            grids=[(level.shape[2], level.shape[3]) for level in preds["feats"]],
            batch={name: batch[name] for name in ("batch_idx", "cls", "bboxes")},
            casting=Casting.now(preds["scores"].device.type),
        )

    def _note_part(self, name: str, part: Any, args: tuple, more: dict, answer: Any) -> None:
        if self._now is not None:
            self._now.add(name, Call.of(part, args, more, answer))

    def _note_entropy(self, _: nn.Module, args: tuple, answer: Tensor) -> None:
        """The class loss of each cell; the trainer weights its classes in place only after this."""
        if self._now is None:
            return
        entropy, weights = answer.detach(), self._loss.class_weights
        entropy = entropy if weights is None else entropy * weights
        self._now.entropy = entropy.sum(2, dtype=torch.float32)

    def _noting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted_method(*args: Any) -> Any:
            answer = method(*args)
            self._note_part(name, method, args, {}, answer)
            return answer

        return noted_method
