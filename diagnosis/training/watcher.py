"""Follows a training batch by batch, measures every tenth, and says what begins to go wrong."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import wraps
from typing import Any

import torch

from anatomy.head.batch_targets import BatchTargets
from anatomy.head.following import BatchLabels, Training

from ..findings import Finding
from . import broken
from .history import History, Seen
from .label_faults import LabelCount
from .measures import BranchMeasures, driven, measured, too_large, too_small
from .network_parts import NetworkParts, Stack, level_modules, network_parts
from .record import BROKEN, Record
from .rules import RULES

LOG = logging.getLogger("diagnosis.training")


class _BrokenOff(Exception):
    """Thrown into what listens to a batch that never came to its end."""


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

    ``start`` makes the record when a training begins; ``error``: why it gave up, or None.
    """

    def __init__(self, every: int, start: Callable[[Training], Record], on_finding: Callable[[Finding], Any] | None):
        self.every, self._start, self._on_finding = every, start, on_finding
        self.record: Record | None = None
        self.error: Exception | None = None
        self.broken: list[broken.BrokenBatch] = []
        self.step = -1  # of the batch under way
        self._listening: ExitStack | None = None
        self._forward: broken.Forward | None = None
        self._row: dict[str, Any] | None = None  # what waits for its gradient
        self._sound = True  # whether the batch before this one was finite
        self._epoch, self._batch, self._since = -1, -1, 0
        self._whole = False  # whether a whole epoch has been seen from its first batch

    @guarded
    def begin(self, training: Training) -> None:
        """Make the record, and look at what there is to be measured."""
        self.training = training
        self.record = self._start(training)
        self.parts: NetworkParts = network_parts(training.head)
        self.modules = {} if training.compiled else level_modules(training.head)
        self.history = History()
        self.labels = LabelCount(classes=len(training.head.names), rotated=training.head.rotated)
        self.began = time.monotonic()
        steps = self.record.table("batches")["step"]
        last = -1 if steps.is_empty() else int(steps.max())  # pyright: ignore[reportArgumentType]
        self.step = max(training.epoch * training.per_epoch - 1, last)
        self._told = {(one.code, one.level, one.evidence.get("branch")) for one in self.record.findings}

    @guarded
    def epoch_begins(self) -> None:
        """Let go of a batch that was broken off; the trainer has dropped its gradients."""
        if self._forward is not None or self.training.epoch == self._epoch:
            self._break_off()
            self._since = 0
        elif self._epoch >= 0 and not self._whole:
            self._whole = True
            self._absent_classes()
        self._epoch, self._batch = self.training.epoch, -1

    @guarded
    def batch_comes(self, labels: BatchLabels) -> None:
        """Count the labels; one that contradicts image or classes is told before the network meets it."""
        self.labels.add(labels)
        if self.labels.outside:
            self._tell_labels("box_outside", self.labels.outside, len(labels.label))
        if self.labels.strange:
            self._tell_labels("class_outside", self.labels.strange, len(labels.label))

    @guarded
    def forward_begins(self, inputs: Any, targets: Any = None) -> None:
        """Listen to this batch, if its turn has come."""
        self.step, self._batch, self._since = self.step + 1, self._batch + 1, self._since + 1
        self._forward = broken.Forward(inputs, targets, torch.get_rng_state())
        if self.step % self.every == 0:
            self._finish()
            self._listen()

    @guarded
    def before_step(self) -> None:
        """Measure what the batch left, and the gradient that the optimizer is about to use."""
        self._batch_is_done()
        if self._row is not None:
            self._take_gradients(self._row)
        self._since = 0
        self._finish()

    @guarded
    def batch_ends(self) -> None:
        """A batch without a step is measured now; its gradient waits for the next one."""
        self._batch_is_done()
        if self.record is not None:
            self.record.write()

    @guarded
    def end(self) -> None:
        """Write what is left, and let go of everything."""
        self._break_off()
        self._finish()
        if self.record is not None:
            self.record.write(now=True)
        self._let_go()

    def give_up(self, error: Exception) -> None:
        """End the watch for a failure of its own."""
        self.error = error
        self._break_off()
        self._let_go()
        warnings.warn(f"The watch has ended ({error!r}); the training goes on without it.", stacklevel=3)

    def _listen(self) -> None:
        training, stack = self.training, ExitStack()
        self._listening = stack
        self._targets: list[BatchTargets] = stack.enter_context(training.head.listening(training.criterion()))
        self._driven = stack.enter_context(driven(self.modules))

    def _break_off(self) -> None:
        """Take hooks out; nothing is made of what they noted."""
        self._forward = None
        stack, self._listening = self._listening, None
        if stack is not None:
            stack.__exit__(_BrokenOff, _BrokenOff(), None)

    def _let_go(self) -> None:
        """Keep nothing of the training alive."""
        for name in ("training", "parts", "modules", "_targets", "_driven"):
            self.__dict__.pop(name, None)

    def _batch_is_done(self) -> None:
        """Whatever was finite or not, once for every batch; and the numbers of a watched one."""
        forward = self._forward
        if forward is None:
            return
        if self._listening is not None:
            stack, self._listening = self._listening, None
            stack.close()
            self._row = self._measure()
        if self._finite():
            self._sound = True
        elif self._sound:
            self._sound = False
            self._keep_broken(forward)
        self._forward = None

    def _finite(self) -> bool:
        """The loss, and the gradient nearest to the image, where all that breaks on the way back arrives.

        A scaler tries scales until gradients fit, so with one only the loss is looked at.
        """
        training, first = self.training, self.parts.first
        values = [] if training.loss is None else [training.loss.detach().float().reshape(())]
        if first is not None and first.grad is not None and not training.scaled:
            values.append(first.grad.float().sum())
        return not values or bool(torch.stack(values).isfinite().all())

    def _measure(self) -> dict[str, Any]:
        """The row of this batch, with the rows of its levels under "levels", but for its gradient."""
        training, head = self.training, self.training.head
        branches = [measured(targets, head) for targets in self._targets]
        row = self._place() | {
            "objects": len(branches[0].labels) if branches else None,
            "too_small": too_small(branches, head),
            "too_large": too_large(branches, head),
            "box_outside": self.labels.outside,
            "class_outside": self.labels.strange,
        }
        row |= {name.removesuffix("_loss"): float(value) for name, value in training.items.items()}
        if self._targets:
            shape, stride = self._targets[0].pyramid.shapes[0], head.levels[0].stride
            row |= {"images": len(self._targets[0].object)}
            row |= {"height": round(shape[0] * stride), "width": round(shape[1] * stride)}
        driven_ = {level: float(value) for level, value in self._driven.items()}
        levels = [level | {"activation": driven_.get(level["level"])} for one in branches for level in one.levels]
        return row | {"levels": levels, "branches": branches}

    def _place(self) -> dict[str, Any]:
        training = self.training
        return {
            "step": self.step,
            "epoch": training.epoch,
            "batch": self._batch,
            "seconds": time.monotonic() - self.began,
            "rate": training.rate,
            "loss": None if training.loss is None else float(training.loss.detach()),
        }

    def _take_gradients(self, row: dict[str, Any]) -> None:
        scale = self.training.scale
        coarse, stacks = self.parts.gradients().read(scale)
        row |= coarse | {"scale": scale, "accumulated": self._since}
        trainable = {stack for stack in self.parts.stack if stack is not None}
        for level in row["levels"]:
            for kind in ("box", "class"):
                stack = Stack(level["level"], level["branch"], kind)
                level[f"grad_{kind}"] = stacks.get(stack, 0.0) if stack in trainable else None

    def _finish(self) -> None:
        """Hand a row over to tables, loggers and rules."""
        row, self._row = self._row, None
        if row is None or self.record is None:
            return
        levels, branches = row.pop("levels"), row.pop("branches")
        self.record.add("batches", [row])
        self.record.add("levels", [{"step": row["step"], **level} for level in levels])
        self.record.add("sizes", [{"step": row["step"], **size} for one in branches for size in one.sizes])
        self.training.log(dict(_scalars(row, levels, branches)), row["step"])
        self.history.add(Seen(row=row, levels=levels, branches=branches))
        for rule in RULES:
            for finding in rule(self.record.about, self.history):
                self._tell(finding)
        self.record.write()

    def _tell(self, finding: Finding, *, again: bool = False) -> None:
        """Add a finding, unless the like was told before."""
        key = (finding.code, finding.level, finding.evidence.get("branch"))
        if self.record is None or (key in self._told and not again):
            return
        self._told.add(key)
        self.record.find(finding)
        LOG.warning("%s", finding)
        if self._on_finding is not None:
            self._on_finding(finding)

    def _tell_labels(self, code: str, count: int, objects: int) -> None:
        step = self.step + 1
        examples = f" (in {', '.join(self.labels.files)})" if self.labels.files else ""
        classes = self.labels.classes
        what = {
            "box_outside": f"boxes leave the image or have no area{examples}. Check the labels, and any augmentation of "
            "your own: boxes must be cut at the edges after it.",
            "class_outside": f"objects have a class other than 0 to {classes - 1}{examples}. Check the class ids of the "
            "labels and `names` of the data YAML.",
        }
        self._tell(
            Finding(
                code=code,
                severity="error",
                level=None,
                message=f"At step {step}, after augmentation, {count} of {objects} {what[code]}",
                evidence={"began": step, "count": count, "objects": objects, "files": list(self.labels.files)},
            )
        )

    def _absent_classes(self) -> None:
        """After a whole epoch: the classes of which there was no object in any batch."""
        names = self.training.head.names
        absent = [index for index in names if not self.labels.objects[index]]
        if not absent or not self.labels.objects:
            return
        shown = ", ".join(repr(names[index]) for index in absent[:5]) + (" …" if len(absent) > 5 else "")
        self._tell(
            Finding(
                code="class_absent",
                severity="warning",
                level=None,
                message=(
                    f"{len(absent)} of {len(names)} classes had no object in a whole epoch: {shown}. Their rows learn "
                    "to be silent. Check `names` of the data YAML, or leave these classes out."
                ),
                evidence={"began": 0, "classes": absent},
            )
        )

    def _keep_broken(self, forward: broken.Forward) -> None:
        """Name the first layer that is not finite by the same pass again, and keep the batch for later."""
        training, record = self.training, self.record
        if record is None:
            return
        scale = training.scale
        with training.precision():
            report = broken.replayed(training.net, forward, training.loss_of, scale)
        origin = report.first_non_finite
        place = str(origin) if origin else "the loss or gradient was not finite, but is when the batch is passed again"
        row = self._row
        if row is None:
            record.add("batches", [self._place() | {"non_finite": place}])
        else:
            row["non_finite"] = place
        kept = ""
        if record.folder is not None and len(self.broken) < broken.MOST:
            settings = broken.plain(training.settings)
            where = {"step": self.step, "epoch": training.epoch, "place": place, "scale": scale, "settings": settings}
            self.broken.append(broken.keep(record.folder / BROKEN, training.net, forward, **where))
            kept = f" The batch is kept in {str(self.broken[-1].path)!r}: read_watch(…).broken[-1].replay(model)."
        self._tell(
            Finding(
                code="non_finite",
                severity="error",
                level=None,
                message=f"At step {self.step} (epoch {training.epoch + 1}): {place}.{kept}",
                evidence={
                    "began": self.step,
                    "layer": origin.name if origin else None,
                    "direction": origin.direction if origin else None,
                    "how": origin.how if origin else None,
                },
            )
        )
        record.write(now=True)


def _scalars(row: dict, levels: list[dict], branches: list[BranchMeasures]) -> Iterable[tuple[str, float]]:
    """What loggers get of a batch: names that group by level."""
    for name in ("grad", "grad_backbone", "grad_neck", "grad_head"):
        if row.get(name) is not None:
            yield f"watch/{name}", row[name]
    for level in levels:
        where = level["level_name"] if len(branches) == 1 else f"{level['level_name']}_{level['branch']}"
        for name, value in level.items():
            if isinstance(value, float | int) and name not in ("level", "weight"):
                yield f"watch/{where}/{name}", float(value)
    for one in branches:
        for size in one.sizes:
            where = size["size"] if len(branches) == 1 else f"{size['size']}_{one.branch}"
            yield f"watch/without/{where}", float(size["without"])
