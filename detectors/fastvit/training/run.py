"""A training run: the network, its optimizer, how far it has come, and how to stop it between two steps."""

import math
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from ...pyramid.data import Batch
from ...pyramid.targets import grid_shapes
from ...pyramid.watching import Unwatched, Watching
from .. import checkpoint
from ..model import FastViTDetector
from ..published.naive import NaiveDetector

LEARNING_RATE, WEIGHT_DECAY, MAX_GRADIENT = 1e-3, 5e-3, 10.0
WARMUP = 50  # steps, but at most a tenth of all


@dataclass(frozen=True)
class Options:
    """What a run was started with; a resumed one must be told the same. ``imgsz`` in px, a multiple of 32."""

    backbone: str
    branches: int
    naive: bool
    pretrained: bool
    imgsz: int
    epochs: int
    batch: int
    seed: int

    def __post_init__(self):
        grid_shapes((self.imgsz, self.imgsz))
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"At least one epoch and one image a step are needed, not {self.epochs} and {self.batch}.")


class Run:
    """The state of a run over ``images`` training images; ``epoch`` are finished, and ``done`` steps of the next."""

    def __init__(self, options: Options, names: tuple[str, ...], images: int):
        torch.manual_seed(options.seed)
        kind = NaiveDetector if options.naive else FastViTDetector
        self.model = kind(names, options.backbone, pretrained=options.pretrained, branches=options.branches)
        self.options, self.images = options, images
        self.epoch, self.done, self.per_epoch = 0, 0, math.ceil(images / options.batch)
        self.optimizer = AdamW(self.model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.schedule = LambdaLR(self.optimizer, self._rate)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to zero (https://arxiv.org/abs/1608.03983)."""
        total = self.options.epochs * self.per_epoch
        warmup = max(1, min(WARMUP, total // 10))
        return min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * min(step / total, 1.0))) / 2

    def order(self) -> list[int]:
        """What is left of this epoch: indices of samples, half of them mirrored; the same whenever it is asked."""
        generator = torch.Generator().manual_seed(self.options.seed * 100_003 + self.epoch)
        chosen = torch.randperm(self.images, generator=generator)
        mirrored = torch.rand(self.images, generator=generator) < 0.5
        return (chosen + self.images * mirrored)[self.done * self.options.batch :].tolist()

    def learn(self, batch: Batch, watch: Watching | None = None) -> dict[str, float]:
        """One step; returns the losses. ``watch`` is asked about it."""
        watch = Unwatched() if watch is None else watch
        self.optimizer.zero_grad()
        with watch.step(batch.images, batch.targets, epoch=self.epoch) as step:
            losses = self.model.loss(self.model(batch.images), batch.targets)
            step.tell(losses.total).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        return losses.numbers()

    def save(self, path: Path) -> None:
        """Writes the model, and, until the last epoch is finished, what going on needs."""
        state = {"options": asdict(self.options), "epoch": self.epoch, "done": self.done}
        if self.epoch < self.options.epochs:
            state |= {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}
        checkpoint.save(self.model, path, training=state)

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint; raises ValueError where that run was started with other options."""
        found = checkpoint.read(path)
        state = found.get("training", {"options": None})
        if state["options"] != asdict(self.options):
            raise ValueError(f"{path} must come from a run with these same options, but it had {state['options']}.")
        self.model.load_state_dict(found["state"])
        self.epoch, self.done = state["epoch"], state["done"]
        if "optimizer" in state:
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])


class Stop:
    """Within the block, Ctrl-C ends ``watch`` with KeyboardInterrupt before its next item; a second one at once."""

    def __init__(self):
        self.asked = False

    def __enter__(self) -> "Stop":
        self._ours = threading.current_thread() is threading.main_thread()
        if self._ours:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, *_) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def watch(self, items: Iterable) -> Iterator:
        """The items, until Ctrl-C."""
        for item in items:
            if self.asked:
                raise KeyboardInterrupt
            yield item
