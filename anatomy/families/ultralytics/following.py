"""An Ultralytics training followed from outside: its callbacks, and two methods of its trainer wrapped."""

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.torch_utils import autocast, unwrap_model

from ...errors import UnsupportedModelError
from ...head.following import BatchLabels, Follower
from ...head.head import Head
from ...head.mark import mark_of
from .declared import Yolo
from .loggers import Log, active_loggers
from .tap import apart, overridden

GAINS = {"box": "box", "seg": "box", "cls": "cls", "dfl": "dfl", "l1": "dfl", "angle": "angle"}
GAINS |= {"pose": "pose", "kobj": "kobj", "rle": "rle"}  # the setting that multiplies a loss item


class UltralyticsTraining:
    """One trainer, read while it runs. ``describe`` makes a head of a network."""

    def __init__(self, trainer: Any, describe: Callable[[nn.Module], Head]):
        self.trainer = trainer
        self.head = _described(self.net, describe)
        self._loggers: dict[str, Log] | None = None

    @property
    def net(self) -> Any:
        """The network in training; another than before where the trainer was given one."""
        return unwrap_model(self.trainer.model)

    @property
    def folder(self) -> Path:
        """The run's folder, which holds ``weights`` and ``results.csv``."""
        return Path(self.trainer.save_dir)

    @property
    def resumed(self) -> bool:
        """Whether it goes on from its ``last.pt``."""
        return bool(self.trainer.resume)

    @property
    def compiled(self) -> bool:
        """Whether torch.compile runs the network."""
        return hasattr(self.trainer.model, "_orig_mod")

    @property
    def epoch(self) -> int:
        """From 0; before the first one, that with which it begins."""
        return getattr(self.trainer, "epoch", self.trainer.start_epoch)

    @property
    def epochs(self) -> int:
        """As far as it is known by now: a training by time counts them anew after each."""
        return self.trainer.epochs

    @property
    def per_epoch(self) -> int:
        """Batches; after running out of memory there are more, and smaller ones."""
        return len(self.trainer.train_loader)

    @property
    def images(self) -> tuple[int, int] | None:
        """By the data set, which keeps the label files that it looked for, and labels of those images alone that it
        takes."""
        data = self.trainer.train_loader.dataset
        files, labels = getattr(data, "label_files", None), getattr(data, "labels", None)
        return None if files is None or labels is None else (len(files), len(labels))

    @property
    def labelled(self) -> Mapping[int, int] | None:
        """Of the labels that the data set keeps, one of each image that it takes."""
        labels = getattr(self.trainer.train_loader.dataset, "labels", None)
        if not labels or any("cls" not in label for label in labels):
            return None
        classes, counts = np.unique(np.concatenate([label["cls"].reshape(-1) for label in labels]), return_counts=True)
        return dict(zip(classes.astype(int).tolist(), counts.tolist(), strict=True))

    @property
    def loss(self) -> Tensor | None:
        """Of the batch under way, times its images, as Ultralytics has it."""
        return self.trainer.loss

    @property
    def items(self) -> Mapping[str, Tensor]:
        """Of the batch under way; none before it."""
        return getattr(self.trainer, "loss_items", None) or {}

    @property
    def lasting(self) -> bool:
        """On a GPU: the trainer changes no batch in place."""
        return self.trainer.device.type == "cuda"

    @property
    def scaled(self) -> bool:
        """Whether a gradient scaler is at work."""
        return self.trainer.scaler.is_enabled()

    @property
    def scale(self) -> float | None:
        """That of the gradient scaler."""
        return float(self.trainer.scaler.get_scale()) if self.scaled else None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The arguments of the training."""
        return vars(self.trainer.args)

    @property
    def gains(self) -> Mapping[str, float]:
        """Of the settings, by the loss items that they multiply."""
        known = {item: self.settings.get(name) for item, name in GAINS.items()}
        return {item: float(gain) for item, gain in known.items() if gain is not None}

    @property
    def rate(self) -> float:
        """The learning rate of the first group."""
        return float(self.trainer.optimizer.param_groups[0]["lr"])

    @property
    def replayable(self) -> bool:
        """Always: the network returns its loss."""
        return True

    def criterion(self) -> Any:
        """The network's own; made as its ``loss`` makes it at the first batch."""
        return criterion_of(self.net)

    def precision(self) -> AbstractContextManager:
        """As ``_do_train`` opens it."""
        amp = self.trainer.args.amp
        return autocast(torch.bfloat16 if amp == "bf16" else self.trainer.amp, device=self.trainer.device.type)

    def loss_of(self, outputs: Any, targets: Any = None) -> Tensor:
        """The sum of what a network returns for a whole batch with its labels."""
        return _total(outputs)

    def log(self, scalars: Mapping[str, float], step: int) -> None:
        """One that fails is told of and left out from then on: a logger must not end a training."""
        if self._loggers is None:
            self._loggers = active_loggers(self.trainer)  # not before all of them have begun
        for name, log in list(self._loggers.items()):
            try:
                log(scalars, step)
            except Exception as error:
                del self._loggers[name]
                warnings.warn(f"{name} took no scalars of the watch ({error!r}) and gets no more.", stacklevel=2)


class UltralyticsFollowing:
    """Ties a follower to the next training of a YOLO object; taken out at its end, however it comes.

    What an Ultralytics trainer starts in other processes, for several devices, gets none of this; that is told.
    """

    def __init__(self, yolo: Yolo, follower: Follower, describe: Callable[[nn.Module], Head]):
        self._yolo, self._follower, self._describe = yolo, follower, describe
        self._ties = ExitStack()
        self._begun = False
        self.tied = True  # until the end of the training, or ``untie``
        self._calls: dict[str, Callable[[Any], None]] = {
            "on_pretrain_routine_end": self._begin,
            "on_train_epoch_start": lambda _: follower.epoch_begins(),
            "on_train_batch_end": lambda _: follower.batch_ends(),
            "teardown": lambda _: self.untie(),
        }
        for event, call in self._calls.items():
            yolo.callbacks[event] = [*yolo.callbacks.get(event, []), call]
        train = yolo.train
        self._ties.callback(self._take_callbacks, yolo)
        self._ties.enter_context(overridden(yolo, train=lambda *args, **kwargs: self._train(train, *args, **kwargs)))

    def untie(self) -> None:
        """Take callbacks, wrapped methods and the follower's own hooks out."""
        ties, self._ties, self.tied = self._ties, ExitStack(), False
        with ties:
            if self._begun:
                self._begun = False
                self._follower.end()

    def _train(self, train: Callable, *args: Any, **kwargs: Any) -> Any:
        """``train()`` itself, after which nothing of this is left, whatever it raised."""
        device = kwargs.get("device", self._yolo.overrides.get("device"))
        if _several(device):
            warnings.warn(
                f"A training on several devices ({device!r}) runs in processes of its own, which callbacks do not "
                "reach: nothing will be watched. Train on one device to watch.",
                stacklevel=3,
            )
        try:
            return train(*args, **kwargs)
        except BaseException as error:
            self._follower.fails(error)
            if not self._begun and self.tied and isinstance(error, Exception):
                warnings.warn("No training began, and the watch has ended with it: make another.", stacklevel=3)
            raise
        finally:
            self.untie()

    def _begin(self, trainer: Any) -> None:
        self._ties.callback(self._take_callbacks, trainer)
        prepare, step, follower = trainer.preprocess_batch, trainer.optimizer_step, self._follower

        def preprocess_batch(batch: dict) -> dict:
            loaded = dict(batch)  # which the trainer will move to its device
            follower.batch_comes(lambda: BatchLabels.of_flat(loaded))
            batch = prepare(batch)
            follower.forward_begins(batch)
            return batch

        def optimizer_step() -> None:
            follower.before_step()
            step()

        self._begun = True
        follower.begin(lambda: UltralyticsTraining(trainer, self._describe))
        self._ties.enter_context(overridden(trainer, preprocess_batch=preprocess_batch, optimizer_step=optimizer_step))

    def _take_callbacks(self, holder: Any) -> None:
        """Out of a YOLO object or trainer; lists are made anew, as one of them may be under way."""
        mine = set(map(id, self._calls.values()))
        for event in self._calls:
            holder.callbacks[event] = [call for call in holder.callbacks[event] if id(call) not in mine]


def criterion_of(net: Any) -> Any:
    """The criterion of a network; made now, as ``loss`` would make it, where there is none yet.

    Raises UnsupportedModelError for a network without the settings that it is made of.
    """
    if getattr(net, "criterion", None) is None:
        if not hasattr(getattr(net, "args", None), "box"):
            raise UnsupportedModelError(
                f"This {type(net).__name__} has no settings of a training in `args`, from which Ultralytics makes its "
                "criterion. Set them, net.args = ultralytics.cfg.get_cfg(overrides={…}), before the first step."
            )
        net.criterion = net.init_criterion()
    return net.criterion


def ready_to_train(net: nn.Module, settings: Mapping[str, Any]) -> Callable[..., Tensor]:
    """Give a network the settings of a training, what else is set by default; returns the loss of its outputs."""
    vars(net).update(args=SimpleNamespace(**{**DEFAULT_CFG_DICT, **settings}), criterion=None)
    return _total


def _total(outputs: Any, targets: Any = None) -> Tensor:
    """The sum of what a network returns for a whole batch with its labels."""
    return outputs[0].sum()


def _described(net: nn.Module, describe: Callable[[nn.Module], Head]) -> Head:
    """The head of a network that gets no mark: what is trained is copied and saved."""
    twin = apart(net)
    mark_of(twin)
    return describe(twin)


def _several(device: Any) -> bool:
    """Whether an argument ``device`` names more than one."""
    return len(device) > 1 if isinstance(device, list | tuple) else "," in str(device)
