"""A batch that broke a training, kept with everything that ``diagnosis.numerics`` needs to replay it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anatomy.archive.whole import write_whole
from anatomy.families.registry import describe, plain_network
from anatomy.head.at_rest import at_rest
from anatomy.head.following import Training
from anatomy.shown import Record

from ..scales import Numerics, Origin, numerics
from .record import BROKEN

MOST = 3  # batches of one training that are kept


@dataclass(frozen=True, repr=False)
class BrokenBatch(Record):
    """One batch whose loss or gradient was not finite, in a file of tensors and plain values.

    ``step`` and ``epoch`` as in the table of batches; ``place``: what was not finite first, in words.
    """

    path: Path
    step: int
    epoch: int
    place: str

    @classmethod
    def open(cls, path: Path) -> "BrokenBatch":
        """What a file holds, but for its tensors."""
        held = torch.load(path, weights_only=True, mmap=True)
        return cls(path=path, step=held["step"], epoch=held["epoch"], place=held["place"])

    def load(self) -> dict[str, Any]:
        """ "inputs", "targets" (as the network and its loss got them), "state" of the network before the step,
        "trained" (paths of weights) and "resting" (of modules not in training mode), "random" (torch's, of the kind of
        device "random_on"), "scale" and "settings" of the training."""
        return torch.load(self.path, weights_only=True)

    def replay(self, model: Any, loss: Callable[..., Tensor] | None = None) -> Numerics:
        """The pass again, layer by layer, on a copy of ``model`` that gets the weights as they were then.

        ``model``: one of the same shape, such as the ``last.pt`` of that training. ``loss`` as in ``numerics``; by
        default that of the family's own trainer. In float32 on the CPU, without automatic mixed precision. Raises
        ValueError where the weights do not fit the model.
        """
        held = self.load()
        net = deepcopy(plain_network(model)).cpu().float()
        try:
            net.load_state_dict(held["state"])
        except RuntimeError as error:
            raise ValueError(
                f"The weights of step {self.step} do not fit this {type(net).__name__}. Give the network that was "
                f"trained, with as many classes. ({str(error).splitlines()[0]})"
            ) from error
        if loss is None:
            loss = describe(net).trainable(net, held["settings"])
        train_as(net, set(held["trained"]), set(held["resting"]))
        given = held["inputs"] if held["targets"] is None else [(held["inputs"], held["targets"])]
        with torch.random.fork_rng():
            if held.get("random_on", "cpu") == "cpu":  # those of a GPU are none of the CPU's
                torch.set_rng_state(held["random"])
            return numerics(net, given, scaled(loss, held["scale"]), progress=False)


@dataclass(frozen=True)
class Random:
    """Torch's random state of one device at one moment."""

    device: torch.device
    state: Tensor

    @classmethod
    def now(cls, device: torch.device) -> "Random":
        """No device is waited for."""
        return cls(device, torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state())

    def again(self) -> None:
        """Let the same random numbers come."""
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(self.state, self.device)
        else:
            torch.set_rng_state(self.state)


@dataclass(frozen=True)
class Forward:
    """What the network and its loss got for one batch, and what random numbers came then."""

    inputs: Any
    targets: Any
    random: Random


def keep_broken(
    training: Training, forward: Forward, folder: Path | None, step: int
) -> tuple[Origin | None, str, BrokenBatch | None]:
    """Pass the batch again, layer by layer: what was not finite first, that in words, and the file it was kept in.

    It is kept in the folder of the watch, if there is one, up to ``MOST`` of a training. The network is left as it is.
    """
    origin, place = _origin(training, forward)
    if folder is None or forward.inputs is None or len(list((folder / BROKEN).glob("*.pt"))) >= MOST:
        return origin, place, None
    held = {
        "step": step,
        "epoch": training.epoch,
        "place": place,
        "inputs": plain(forward.inputs),
        "targets": plain(forward.targets),
        "random": forward.random.state,
        "random_on": forward.random.device.type,
        "state": at_rest(dict(training.net.state_dict())),
        "trained": [path for path, weight in training.net.named_parameters() if weight.requires_grad],
        "resting": [path for path, module in training.net.named_modules() if not module.training],
        "scale": training.scale,
        "settings": plain(training.settings),
    }
    (folder / BROKEN).mkdir(exist_ok=True)
    path = folder / BROKEN / f"{step:08d}.pt"
    write_whole(path, lambda file: torch.save(held, file))
    return origin, place, BrokenBatch(path=path, step=step, epoch=training.epoch, place=place)


def _origin(training: Training, forward: Forward) -> tuple[Origin | None, str]:
    """What was not finite first, and that in words; None where it is not known."""
    if not training.replayable or forward.inputs is None:
        return None, (
            "loss or gradient were not finite; watch(model, loss=…) and step(inputs, targets) would name the layer "
            "that they come from"
        )
    with training.precision():
        report = replayed(training.net, forward, training.loss_of, training.scale)
    origin = report.first_non_finite
    return origin, str(origin) if origin else "loss or gradient were not finite, but are when the batch is passed again"


def replayed(net: nn.Module, forward: Forward, loss: Callable[..., Tensor], scale: float | None) -> Numerics:
    """The pass again in place, on the device and in the precision that are in force; the network is left as it is."""
    given = forward.inputs if forward.targets is None else [(forward.inputs, forward.targets)]
    with torch.random.fork_rng(), _eager(net):
        forward.random.again()
        return numerics(net, given, scaled(loss, scale), progress=False)


@contextmanager
def _eager(net: nn.Module) -> Iterator[None]:
    """Within the block a network that was compiled in place runs layer by layer."""
    compiled = net._compiled_call_impl
    net._compiled_call_impl = None
    try:
        yield
    finally:
        net._compiled_call_impl = compiled


def scaled(loss: Callable[..., Tensor], scale: float | None) -> Callable[..., Tensor]:
    """The loss times the scale of the gradients."""
    return loss if scale is None else lambda *args: loss(*args) * scale


def train_as(net: nn.Module, trained: set[str], resting: set[str]) -> None:
    """Weights and modules as they were in training: by paths which of them are trained, and which are not."""
    for path, weight in net.named_parameters():
        weight.requires_grad_(path in trained)
    for path, module in net.named_modules():
        module.training = path not in resting


def plain(value: Any) -> Any:
    """Tensors on the CPU, numbers, texts and containers of them; anything else as its name."""
    if isinstance(value, Tensor):
        return at_rest(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
