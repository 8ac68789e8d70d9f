"""Follows a training batch by batch, measures every tenth, and says what begins to go wrong."""

import math
import time
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from anatomy.head.following import BatchLabels, Training

from ..findings import Finding
from .backward import GradientMark
from .broken import Forward, keep_broken
from .history import History, Seen
from .label_faults import LabelCount
from .listening import Listening, add_gradients, place_of
from .loop_faults import LoopFaults
from .network_parts import level_modules, network_parts
from .record import Record
from .rules import RULES
from .scalars import scalars
from .telling import Teller


def described(error: BaseException) -> str:
    """An exception in one line."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def guarded(method: Callable) -> Callable:
    """A failure of the watch is told once and ends it; the training goes on."""

    @wraps(method)
    def call(self: "Watcher", *args: Any) -> None:
        if self.error is not None:
            return
        try:
            method(self, *args)
        except Exception as error:
            self.give_up(error)

    return call


class Watcher:
    """Told by a training (see ``anatomy.head.following``) what happens; nothing that it is handed is changed.

    ``start`` makes the record when a training begins. ``session``: what is known of the training under way, None
    before and after it; ``error``: why the watch gave up, or None;
    ``broken_off``: how the training ended before its time, in words.
    """

    def __init__(self, every: int, start: Callable[[Training], Record], on_finding: Callable[[Finding], Any] | None):
        self.every, self._start, self._on_finding = every, start, on_finding
        self.record: Record | None = None
        self.session: Session | None = None
        self.error: Exception | None = None
        self.broken_off: str | None = None
        self._last_step = -1
        self.listeners: list[Callable[[bool], Any]] = []  # told after each batch, and with True at the end

    @guarded
    def begin(self, training: Callable[[], Training]) -> None:
        """Make the record, and look at what there is to be measured."""
        made = training()
        self.record = self._start(made)
        self.session = Session(made, self.record, self.every, Teller(self.record, self._on_finding))
        if made.images is not None:
            self.session.teller.left_out(*made.images)

    @guarded
    def epoch_begins(self) -> None:
        """As ``Session`` says, and likewise below."""
        if self.session is not None:
            self.session.epoch_begins()

    @guarded
    def batch_comes(self, labels: Callable[[], BatchLabels | None]) -> None:
        if self.session is not None:
            self.session.batch_comes(labels())

    @guarded
    def forward_begins(self, batch: Any, targets: Any = None) -> None:
        if self.session is not None:
            self.session.forward_begins(Forward(batch, targets, torch.get_rng_state()))

    @guarded
    def backward_is_due(self) -> None:
        if self.session is not None:
            self.session.backward_is_due()

    @guarded
    def before_step(self) -> None:
        if self.session is not None:
            self.session.before_step()

    @guarded
    def batch_ends(self) -> None:
        if self.session is not None:
            self.session.batch_ends()
            self._tell(over=False)

    def fails(self, error: BaseException) -> None:
        step = self.session.step if self.session is not None else self._last_step  # its trainer may have ended it
        where = f" at step {step}" if step >= 0 else ""
        self.broken_off = f"broken off{where} by {described(error)}"

    def end(self) -> None:
        self._end()
        self._tell(over=True)
        self.listeners.clear()

    @guarded
    def break_off(self) -> None:
        if self.session is not None:
            self.session.break_off()

    @guarded
    def _end(self) -> None:
        if self.session is not None:
            self._last_step = self.session.step
            self.session.end()
        self.session = None

    def _tell(self, *, over: bool) -> None:
        """Call the listeners; one that fails is told of and left out from then on."""
        for listener in list(self.listeners):
            try:
                listener(over)
            except Exception as error:
                self.listeners.remove(listener)
                warnings.warn(f"{listener!r} listens to the watch no longer: {error!r}", stacklevel=3)

    def give_up(self, error: Exception) -> None:
        """End the watch for a failure of its own."""
        self.error, session, self.session = error, self.session, None
        if session is not None:
            session.break_off()
        warnings.warn(f"The watch has ended ({error!r}); the training goes on without it.", stacklevel=3)


class Session:
    """One training under way."""

    def __init__(self, training: Training, record: Record, every: int, teller: Teller):
        self.training, self.record, self.every, self.teller = training, record, every, teller
        self.parts = network_parts(training.head)
        self.modules = {} if training.compiled else level_modules(training.head)
        self.history = History()
        self.labels = LabelCount(classes=len(training.head.names), rotated=training.head.rotated)
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
        self._waiting: list[Seen] = []  # watched batches, for the step that their gradients go into
        self._stepped = False  # whether that step has come

    def epoch_begins(self) -> None:
        """Let go of a batch that was broken off. Where an epoch begins again, the trainer has dropped its gradients."""
        again = self.training.epoch == self.epoch
        if again or self._forward is not None:
            self.break_off()
        elif self.epoch >= 0:
            self._epoch_is_done()
        self.epoch, self.batch = self.training.epoch, -1

    def batch_comes(self, labels: BatchLabels | None) -> None:
        """Look at the labels, if they are known, before the network meets them."""
        if labels is None:
            self.labels.forget()
            return
        self.labels.add(labels)
        if self.labels.outside or self.labels.strange:
            self.teller.labels(self.labels, len(labels.label), self.step + 1)

    def forward_begins(self, forward: Forward) -> None:
        """Listen to this batch, if its turn has come."""
        self.step, self.batch, self.accumulated = self.step + 1, self.batch + 1, self.accumulated + 1
        self._forward = forward
        if self.step % self.every == 0:
            self._listening = Listening(self.training, self.modules)

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
        for the device. A scaler leaves out such a step by itself: then the trainer's own wait after it is waited for.
        """
        came = self._backward_came()
        self._measure()
        if not self.training.scaled:
            self._judge(gradient=came)
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
        self._judge()
        if self._stepped:
            self._finish()
        self.record.write()

    def end(self) -> None:
        """Write what is left."""
        done = self.batch + 1 >= self.training.per_epoch > 0 and self._forward is None
        self.break_off()
        self._finish()
        if done:
            self._epoch_is_done()
        self.record.write(now=True)

    def break_off(self) -> None:
        """Take hooks out of a batch that will not come to its end, and whose gradients are dropped."""
        self._forward, self._mark, self.accumulated = None, None, 0
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.break_off()

    def _epoch_is_done(self) -> None:
        if self.first_epoch:
            self.first_epoch = False
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

    def _judge(self, *, gradient: bool = True) -> None:
        """Of every batch, once: whether it was finite."""
        forward, self._forward = self._forward, None
        if forward is None:
            return
        finite = self._finite(gradient=gradient)
        if not finite and self.sound:
            self._broken(forward)
        self.sound = finite

    def _finite(self, *, gradient: bool) -> bool:
        """The loss, and, if it is of this batch, the gradient nearest to the image: what breaks on the way ends there.

        A scaler tries scales until gradients fit, so with one only the loss is looked at.
        """
        training, first = self.training, self.parts.first
        told = None if training.loss is None else training.loss.detach().float().reshape(())
        if gradient and first is not None and first.grad is not None and not training.scaled:
            total = first.grad.sum(dtype=torch.float32)
            told = total if told is None else told + total
        return told is None or math.isfinite(told.item())  # one number: a device is waited for once

    def _broken(self, forward: Forward) -> None:
        """Name the first layer that is not finite, and keep the batch."""
        origin, place, kept = keep_broken(self.training, forward, self.record.folder, self.step)
        if not self._waiting or self._waiting[-1].step != self.step:
            self._waiting.append(Seen(row=place_of(self.training, self.step, self.batch, self.began), levels=[]))
        self._waiting[-1].row["non_finite"] = place
        self.teller.broken(origin, place, kept, self.step, self.training.epoch)

    def _finish(self) -> None:
        """Hand the batches that wait over to tables, loggers and rules."""
        waiting, self._waiting, self._stepped = self._waiting, [], False
        for seen in waiting:
            self._hand_over(seen)

    def _hand_over(self, seen: Seen) -> None:
        self.record.add("batches", [seen.row])
        self.record.add("levels", [{"step": seen.step, **level} for level in seen.levels])
        self.record.add("sizes", [{"step": seen.step, **size} for one in seen.branches for size in one.sizes])
        self.training.log(scalars(seen), seen.step)
        self.history.add(seen)
        for rule in RULES:
            for finding in rule(self.record.about, self.history):
                self.teller.tell(finding)
        self.record.write(now=seen.row.get("non_finite") is not None)


def _last_step(training: Training, record: Record) -> int:
    """The number of the last batch before this training, or before it goes on."""
    steps = record.table("batches")["step"].to_list()
    return max(training.epoch * training.per_epoch - 1, *steps, -1)
