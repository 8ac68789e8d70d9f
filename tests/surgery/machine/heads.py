"""The heads that the machine takes: tiny random networks of each family, built once and copied for every sequence."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO

import numpy as np
import torch
from torch import nn

from tests.contract.own_detector import TwoLevels
from tests.fastvit_nets import SMALL
from tests.torchvision_nets import tiny
from tests.ultralytics_nets import narrow

SIDE, CONF = 64, 0.25  # px; the least confidence
NAMES = ("car", "truck", "bus", "van", "bicycle", "train")
P3_TO_P5 = ("P3", "P4", "P5")
Place = tuple[str, int]  # branch, level


@dataclass(frozen=True)
class Kind:
    """One head: how to build its network, where its class convolutions are, and what can be done with it.

    ``convs`` gives the class convolution of every live branch and level. ``shared``: all levels have one.
    ``owned``: a YOLO object can hold the network. ``two_branches``: ``nms`` of predict chooses. ``file``: who opens it.
    """

    name: str
    levels: tuple[str, ...]
    classes: int
    make: Callable[[], nn.Module]
    convs: Callable[[nn.Module], dict[Place, nn.Conv2d]]
    anchors: int = 1
    shared: bool = False
    owned: bool = False
    two_branches: bool = False
    file: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES[: self.classes]

    def fresh(self) -> nn.Module:
        """The network as it was built."""
        return torch.load(BytesIO(_built(self.name)), weights_only=False)

    def owner(self, net: nn.Module):
        """A YOLO object that holds this network."""
        owner = deepcopy(_empty_owner(self.name))
        owner.model = net
        return owner

    def predictor(self, mode: bool | None):
        """A predictor made by hand, which no YOLO object knows; without a network yet."""
        kind = _empty_owner(self.name)._smart_load("predictor")
        wanted = {"imgsz": SIDE, "conf": CONF, "nms": mode, "verbose": False, "save": False, "mode": "predict"}
        return kind(overrides={name: value for name, value in wanted.items() if value is not None})


@cache
def _built(name: str) -> bytes:
    file = BytesIO()
    torch.save(KINDS[name].make(), file)
    return file.getvalue()


@cache
def picture() -> np.ndarray:
    """A (64, 64, 3) uint8 BGR image with some structure."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 180, (4, 4, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return np.ascontiguousarray(coarse + rng.integers(0, 76, coarse.shape, dtype=np.uint8))


def _ultralytics(name: str, classes: int) -> nn.Module:
    """The head of one Ultralytics model file, a sixteenth as wide, on no more of a body than it needs."""
    torch.manual_seed(0)
    net = narrow(name, classes, bodiless=True).model.eval()
    _shorten(net.model[-1])
    net.names = dict(enumerate(NAMES[:classes]))
    return _enlivened(net, ultralytics_convs(net))


def _shorten(head: nn.Module) -> None:
    """One block before the last convolution of every level: most steps of a sequence cost as much as it has modules."""
    from ultralytics.nn.modules import Conv

    for part in (part for part in head.children() if isinstance(part, nn.ModuleList)):
        for index, level in enumerate(part):
            if isinstance(level, nn.Sequential) and len(level) > 2:
                first = next(module for module in level.modules() if isinstance(module, nn.Conv2d))
                part[index] = nn.Sequential(Conv(first.in_channels, level[-1].in_channels, 1), level[-1]).eval()


@cache
def _empty_owner(name: str):
    """A YOLO object without its network, to be copied."""
    owner = narrow(name, KINDS[name].classes, bodiless=True)
    owner.model = None
    return owner


def ultralytics_convs(net: nn.Module) -> dict[Place, nn.Conv2d]:
    detect, found = net.model[-1], {}
    for branch, name in (("one2many", "cv3"), ("one2one", "one2one_cv3")):
        for level, block in enumerate(getattr(detect, name, None) or ()):
            found[branch, level] = block[-1]
    return found


def _torchvision(family: str) -> nn.Module:
    net = tiny(family, classes=4, levels=3, min_size=SIDE, max_size=SIDE)
    for part in (net.head.classification_head, net.head.regression_head):
        part.conv = part.conv[: len(part.conv) // 4]  # one block of four, as with Ultralytics
    net.names = NAMES[:4]
    return net


def _torchvision_convs(net: nn.Module) -> dict[Place, nn.Conv2d]:
    return {("one2many", level): net.head.classification_head.cls_logits for level in range(3)}


def _fastvit() -> nn.Module:
    from detectors.fastvit import FastViTDetector

    torch.manual_seed(1)
    net = FastViTDetector(NAMES[:3], SMALL, branches=1).reparameterize().requires_grad_(True)  # in fewer modules
    return _enlivened(net, _fastvit_convs(net))


def _fastvit_convs(net: nn.Module) -> dict[Place, nn.Conv2d]:
    return {("one2many", level): head.classify for level, head in enumerate(net.heads)}


def _own() -> nn.Module:
    torch.manual_seed(2)
    net = TwoLevels(6).eval()
    net.names = dict(enumerate(NAMES))
    with torch.no_grad():
        for conv in net.cls:
            conv.weight.mul_(20)
    return net


def _own_convs(net: nn.Module) -> dict[Place, nn.Conv2d]:
    return {("one2many", level): conv for level, conv in enumerate(net.cls)}


def _enlivened(net: nn.Module, convs: dict[Place, nn.Conv2d]) -> nn.Module:
    """Class rows at random, such that the logits of a random image spread around -1 and some cells detect something."""
    generator = torch.Generator().manual_seed(5)
    frame = torch.from_numpy(picture()[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    seen: dict[Place, torch.Tensor] = {}
    hooks = [conv.register_forward_pre_hook(partial(_note, seen, place)) for place, conv in convs.items()]
    with torch.no_grad():
        net(frame)
        for hook in hooks:
            hook.remove()
        for place, conv in convs.items():
            spread = seen[place].square().mean().sqrt() * conv.in_channels**0.5 + 1e-6
            conv.weight.copy_(2 * torch.randn(conv.weight.shape, generator=generator) / spread)
            conv.bias.copy_(0.5 * torch.randn(conv.bias.shape, generator=generator) - 1)
    return net


def _note(seen: dict, place: Place, module: nn.Module, inputs: tuple) -> None:
    seen[place] = inputs[0]


def _yolo(name: str, classes: int, levels=P3_TO_P5, two_branches=False) -> Kind:
    make = partial(_ultralytics, name, classes)
    return Kind(
        name, levels, classes, make, ultralytics_convs, owned=True, two_branches=two_branches, file="ultralytics"
    )


KINDS = {
    kind.name: kind
    for kind in (
        _yolo("yolov8n", 4),
        _yolo("yolov8n-p2", 3, ("P2", *P3_TO_P5)),
        _yolo("yolov8n-seg", 3),
        _yolo("yolov8n-pose", 3),
        _yolo("yolov8n-obb", 4),
        _yolo("yolov10n", 4, two_branches=True),
        _yolo("yolo26n", 5, two_branches=True),
        Kind("fcos", P3_TO_P5, 4, partial(_torchvision, "fcos"), _torchvision_convs, shared=True),
        Kind(
            name="retinanet",
            levels=P3_TO_P5,
            classes=4,
            make=partial(_torchvision, "retinanet"),
            convs=_torchvision_convs,
            anchors=6,
            shared=True,
        ),
        Kind("fastvit", P3_TO_P5, 3, _fastvit, _fastvit_convs, file="fastvit"),
        Kind("own", ("P3", "P4"), 6, _own, _own_convs),
    )
}
