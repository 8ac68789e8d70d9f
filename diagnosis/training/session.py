"""One training followed batch by batch: measures every tenth, and says what begins to go wrong."""

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from anatomy.head.following import BatchLabels, Training

from .backward import GradientMark
from .broken import Forward, Random, keep_broken
from .history import History, Seen
from .label_faults import LabelCount
from .listening import Listening, Watched, add_gradients, loss_of, place_of
from .loop_faults import LoopFaults
from .network_parts import level_modules, network_parts
from .reader import Reader
from .record import Record
from .rules import RULES
from .scalars import scalars
from .spared_weights import SparedWeights
from .telling import Teller

Labels = Callable[[], BatchLabels | None]
BEHIND = 2  # watched batches that may still be fetched while the training goes on


class Session:
    """One training under way."""

    def __init__(self, training: Training, record: Record, every: int, teller: Teller):
        self.training, self.record, self.every, self.teller = training, record, every, teller
        self.parts = network_parts(training.head)
        self.device = next((weight.device for weight in self.parts.weights), torch.device("cpu"))
        self.modules = {} if training.compiled else level_modules(training.head)
        self.history = History()
        self.labels = LabelCount(classes=len(training.head.names), rotated=training.head.rotated)
        self.reader = Reader(apart=training.lasting)
        self.spared = SparedWeights(self.parts.weights) if training.lasting and not training.scaled else None
        self.began = time.monotonic()
        self.step = _last_step(training, record)  # batches before the one under way
        self.epoch, self.batch = -1, -1
        self.accumulated = 0  # batches whose gradients are summed at this moment
        self.sound = True  # whether the batch before this one was finite
        self.first_epoch = True
        self._listening: Listening | None = None
        self._forward: Forward | None = None  # of the batch under way
        self._mark: GradientMark | None = None  # gradients before its backward pass
        self.loop: LoopFaults | None = None  # of a loop of one's own
        self._told: Tensor | None = None  # finite if the batch under way is, and if it is known before its step
        self._loaded: list[tuple[int, Labels]] = []  # labels that were not looked at yet, by step
        self._waiting: list[Watched] = []  # watched batches, for the step that their gradients go into
        self._stepped = False  # whether that step has come
        self._coming: deque[Future[Seen]] = deque()  # watched batches that are being fetched

    def epoch_begins(self) -> None:
        """Let go of a batch that was broken off. Where an epoch begins again, the trainer has dropped its gradients."""
        again = self.training.epoch == self.epoch
        if again or self._forward is not None:
            self.break_off()
        elif self.epoch >= 0:
            self._epoch_is_done()
        self.epoch, self.batch = self.training.epoch, -1

    def batch_comes(self, labels: Labels) -> None:
        """Look at the labels before the network meets them; of a training that runs ahead of its device, of many
        batches together, before one that is measured."""
        self._loaded.append((self.step + 1, labels))
        if not self.training.lasting or (self.step + 1) % self.every == 0:
            self.look_at_labels()

    def look_at_labels(self) -> None:
        """Of all batches whose labels were not looked at; where they are not known, nothing is known of any."""
        loaded, self._loaded = self._loaded, []
        batches = [(step, made) for step, labels in loaded if (made := labels()) is not None]
        if len(batches) < len(loaded):
            self.labels.forget()
        elif not self.labels.add_sound([labels for _, labels in batches]):
            for step, labels in batches:
                self._count(labels, step)

    def _count(self, labels: BatchLabels, step: int) -> None:
        self.labels.add(labels)
        if self.labels.outside or self.labels.strange:
            self.teller.labels(self.labels, len(labels.label), step)

    def forward_begins(self, inputs: Any, targets: Any) -> None:
        """Listen to this batch, if its turn has come."""
        self.step, self.batch, self.accumulated = self.step + 1, self.batch + 1, self.accumulated + 1
        self._forward = Forward(inputs, targets, Random.now(self.device))
        if self.step % self.every == 0:
            self._listening = Listening(self.training, self.modules, self.reader)

    def backward_is_due(self) -> None:
        """Remember gradients as they are, to tell what comes from what was left of the batch before."""
        if self.loop is None:
            self.loop = LoopFaults(self.parts.weights)
        fault = self.loop.block_begins(watched=self._listening is not None, scaled=self.training.scaled)
        if fault is not None:
            self.teller.loop(fault, self.step)
        self._mark = GradientMark(self.parts.weights)

    def before_step(self) -> None:
        """Measure what the batch left, and the gradient that the optimizer is about to use.

        Whether a batch is finite must be known before the step, which would spoil the weights that it met, and waits
        for the device; where it need not wait, the weights are spared. A scaler leaves out such a step by itself: then
        the trainer's own wait after it is waited for.
        """
        came = self._backward_came()
        self._measure()
        if not self.training.scaled:
            self._told = self._told_finite(gradient=came)
            if self.spared is None:
                self._judge()
            else:
                self.spared.renew()
        fault = None if self.loop is None else self.loop.block_ends(came=came)
        if fault is not None:
            self.teller.loop(fault, self.step)
        if not came and self.sound:
            self.teller.no_backward(self.step, cut_off=getattr(self.training, "cut_off", False))
        if self._waiting and came:
            add_gradients(self._waiting, self.parts, self.training.scale, self.accumulated)
        self.accumulated, self._stepped = 0, True

    def batch_ends(self) -> None:
        """A batch without a step is measured now; its gradient waits for the next step."""
        self._measure()
        if self._told is None:
            self._told = self._told_finite(gradient=not self._stepped)
        self._judge()
        if self._stepped:
            self._finish()
        self._take_over()
        self.record.write(self.reader.later)

    def end(self) -> None:
        """Write what is left."""
        done = self.batch + 1 >= self.training.per_epoch > 0 and self._forward is None
        self.break_off()
        self._finish()
        self._take_over(all_of_them=True)
        if done:
            self._epoch_is_done()
        self.look_at_labels()
        self.record.write(now=True)
        self.reader.close()

    def break_off(self) -> None:
        """Take hooks out of a batch that will not come to its end, and whose gradients are dropped."""
        self._forward, self._mark, self._told, self.accumulated = None, None, None, 0
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.break_off()

    def _epoch_is_done(self) -> None:
        if self.first_epoch:
            self.first_epoch = False
            self.look_at_labels()
            self.teller.epoch(self.labels, self.training.labelled)

    def _backward_came(self) -> bool:
        """Whether gradients are of this batch; where nobody asked to be told them apart, they are."""
        mark, self._mark = self._mark, None
        return mark is None or mark.changed

    def _measure(self) -> None:
        """The numbers of the batch under way, if it is watched."""
        listening, self._listening = self._listening, None
        if listening is not None:
            place = place_of(self.training, self.step, self.batch, self.began)
            self._waiting.append(listening.close(place, self.labels))

    def _told_finite(self, *, gradient: bool) -> Tensor | None:
        """The loss, and, if it is of this batch, the gradient nearest to the image: what breaks on the way ends there.

        A scaler tries scales until gradients fit, so with one only the loss is looked at.
        """
        training, first = self.training, self.parts.first
        told = loss_of(training)
        if gradient and first is not None and first.grad is not None and not training.scaled:
            total = first.grad.sum(dtype=torch.float32)
            told = total if told is None else total + told.reshape(())
        return told

    def _judge(self) -> None:
        """Of every batch, once: whether it was finite."""
        forward, self._forward = self._forward, None
        told, self._told = self._told, None
        if forward is None:
            return
        finite = told is None or math.isfinite(told.item())  # one number: a device is waited for once
        if not finite and self.sound:
            with nullcontext() if self.spared is None or not self._stepped else self.spared.back():
                self._broken(forward)
        self.sound = finite

    def _broken(self, forward: Forward) -> None:
        """Name the first layer that is not finite, and keep the batch."""
        origin, place, kept = keep_broken(self.training, forward, self.record.folder, self.step)
        if not self._waiting or self._waiting[-1].step != self.step:
            row = place_of(self.training, self.step, self.batch, self.began)
            self._waiting.append(Watched(self.training.head, row, loss=loss_of(self.training)))
        self._waiting[-1].row["non_finite"] = place
        self.teller.broken(origin, place, kept, self.step, self.training.epoch)

    def _finish(self) -> None:
        """Fetch the batches that wait."""
        waiting, self._waiting, self._stepped = self._waiting, [], False
        self._coming += [self.reader.later(watched.seen) for watched in waiting]

    def _take_over(self, *, all_of_them: bool = False) -> None:
        """Hand the batches that have been fetched over to tables, loggers and rules, in their order."""
        while self._coming and (all_of_them or self._coming[0].done() or len(self._coming) > BEHIND):
            self._hand_over(self._coming.popleft().result())

    def _hand_over(self, seen: Seen) -> None:
        self.record.add("batches", [seen.row])
        self.record.add("levels", [{"step": seen.step, **level} for level in seen.levels])
        self.record.add("sizes", [{"step": seen.step, **size} for one in seen.branches for size in one.sizes])
        self.training.log(scalars(seen), seen.step)
        self.history.add(seen)
        for rule in RULES:
            for finding in rule(self.record.about, self.history):
                self.teller.tell(finding)
        self.record.write(self.reader.later, now=seen.row.get("non_finite") is not None)


def _last_step(training: Training, record: Record) -> int:
    """The number of the last batch before this training, or before it goes on."""
    steps = record.table("batches")["step"].to_list()
    return max(training.epoch * training.per_epoch - 1, *steps, -1)
