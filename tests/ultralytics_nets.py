"""Random networks of Ultralytics' heads that detect something: as wide as published, or small."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import yaml
from torch import nn
from torch.overrides import TorchFunctionMode

from tests.class_rows import LOGIT, as_frame, spread_out, unit_outputs, what_convs_read

SHARE = 0.15  # of the cells of a level that exceed the least confidence, as published


def without_other_loggers() -> None:
    """Trainings of this session leave the loggers of other packages out, some of which take seconds to load.

    It is written into the session's own settings of Ultralytics, which processes that this one starts read as well.
    """
    from ultralytics.utils import SETTINGS

    SETTINGS.update(dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False))


def as_published(name: str, picture: np.ndarray, seed: int = 0, *, bodiless: bool = False):
    """A YOLO object of a model file, with random weights whose class rows detect something in the picture.

    ``bodiless``: the head as published for size n, on the body of ``narrow``.
    """
    file, random_state = _built(name, seed, picture.tobytes(), picture.shape, bodiless)
    torch.set_rng_state(random_state)
    return torch.load(BytesIO(file), weights_only=False)


@lru_cache(maxsize=16)
def _built(name: str, seed: int, pixels: bytes, shape: tuple[int, ...], bodiless: bool) -> tuple[bytes, torch.Tensor]:
    """The same as a file, since a living twin would make the source of predictors unclear; and torch's random state."""
    from ultralytics import YOLO

    picture = np.frombuffer(pixels, np.uint8).reshape(shape)
    torch.manual_seed(seed)
    model = narrow(name, None, 1 / 4, bodiless=True) if bodiless else YOLO(f"{name}.yaml")
    net, generator = model.model.eval(), torch.Generator().manual_seed(seed)
    stir(net, generator)
    for convs in last_convs(net, "cv3"):
        _calibrate(net, picture, convs, generator)
    file = BytesIO()
    torch.save(model, file)
    return file.getvalue(), torch.get_rng_state()


def small(
    name: str, picture: np.ndarray, classes: int, width: float = 1 / 16, seed: int = 0, *, bodiless: bool = False
):
    """The same of a network a tenth as deep as the largest of its kind, and narrow; ``bodiless`` as in ``narrow``."""
    torch.manual_seed(seed)
    model = narrow(name, classes, width, bodiless=bodiless)
    net = model.model.eval()
    stir(net, torch.Generator().manual_seed(seed))
    for number, convs in enumerate(last_convs(net, "cv3")):
        spread_out(net, picture, convs, seed + number)
    if "seg" in name:  # coefficients of masks: an object without a pixel is dropped
        for convs in last_convs(net, "cv4"):
            unit_outputs(net, picture, convs, seed)
    return model


class _WithoutValues(TorchFunctionMode):
    """Within the block tensors that are made by their size alone have no values."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.empty, torch.zeros, torch.ones):
            kwargs["device"] = "meta"
        return function(*args, **kwargs)


def shapes_alone(name: str):
    """The network of a model file on the meta device: the largest are made in a moment."""
    from ultralytics.nn.tasks import DetectionModel

    with _WithoutValues():
        return DetectionModel(f"{name}.yaml", verbose=False)


def narrow(name: str, classes: int | None, width: float = 1 / 16, *, bodiless: bool = False):
    """A YOLO object of a model file with other numbers of classes, channels and repeats; None: as many classes.

    ``bodiless``: the head of the file stands on a convolution a level and one block, in a third of the modules.
    """
    from ultralytics import YOLO
    from ultralytics.nn.tasks import yaml_model_load

    plan = yaml_model_load(f"{name}.yaml")
    for entry in ("scales", "scale", "yaml_file"):
        plan.pop(entry, None)
    plan |= {"nc": classes or plan["nc"], "depth_multiple": 0.1, "width_multiple": width}
    if bodiless:
        plan |= _head_alone(plan)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(yaml.safe_dump(plan))
        return YOLO(str(path))


def _head_alone(plan: dict) -> dict:
    """Backbone and head in which the last layer of a plan reads strided convolutions and the plan's first block."""
    levels, *rest = plan["head"][-1]
    to_p2, block = plan["backbone"][:2], plan["backbone"][2]
    to_p5 = [[-1, 1, "Conv", [channels, 3, 2]] for channels in (256, 512, 1024)]
    backbone = [*to_p2, block, *to_p5]
    return {"backbone": backbone, "head": [[list(range(6 - len(levels), 6)), *rest]]}


@torch.no_grad()
def stir(net: nn.Module, generator: torch.Generator) -> None:
    """Scales and shifts of batch norms at random."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.copy_(1 + 0.3 * torch.randn(module.weight.shape, generator=generator))
            module.bias.copy_(0.3 * torch.randn(module.bias.shape, generator=generator))


def last_convs(net: nn.Module, part: str) -> list[list[nn.Conv2d]]:
    """The last convolutions of a part of the head, one a level, of each branch that the network has."""
    branches = [getattr(net.model[-1], name, None) for name in (part, f"one2one_{part}")]
    return [[level[-1] for level in branch] for branch in branches if branch is not None]


@torch.no_grad()
def _calibrate(net: nn.Module, picture: np.ndarray, convs: list[nn.Conv2d], generator: torch.Generator) -> None:
    """Random class rows of unit scale, and biases such that about ``SHARE`` of the cells of a level exceed 0.25."""
    for conv, features in zip(convs, what_convs_read(net, as_frame(picture), convs), strict=True):
        spread = features.std() * conv.in_channels**0.5 + 1e-6
        conv.weight.copy_(2 * torch.randn(conv.weight.shape, generator=generator) / spread)
        conv.bias.copy_(0.5 * torch.randn(conv.bias.shape, generator=generator))
        conv.bias.add_(LOGIT - conv(features).amax(1).flatten().quantile(1 - SHARE))
