"""A forward pass of one of torchvision's detectors, overheard: nothing of the model is changed after it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...head.evaluating import evaluation_mode
from .declared import Detector, Transform

Calls = list[tuple]  # (inputs, output) of each call


@dataclass(frozen=True)
class Heard:
    """What one pass of a one-stage detector left behind.

    ``frame`` (1, 3, H, W) the network input, ``resized`` (h, w) of the image within it. A level each: ``inputs`` of
    the head and ``features`` of the class convolution (1, c, h, w), and its ``logits`` (anchors * nc, h, w). Of all
    levels, (A, 4): ``regression`` the box outputs, ``priors`` the anchor boxes xyxy px of the input; ``centerness``
    (A, 1) logits, or None.
    """

    frame: Tensor
    resized: tuple[int, int]
    inputs: tuple[Tensor, ...]
    features: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]
    regression: Tensor
    priors: Tensor
    centerness: Tensor | None


def overhear(net: Detector, image: np.ndarray, imgsz: int | None, convs: Sequence[nn.Module]) -> Heard:
    """Call the model, in evaluation mode, on one (H, W, 3) uint8 BGR image; ``imgsz`` as in ``_sized``.

    ``convs``: its class convolutions, each once; they are called in the order of the levels.
    """
    modules = {"transform": [net.transform], "anchors": [net.anchor_generator], "head": [net.head], "classes": convs}
    heard = listen(net, image, imgsz, modules)
    [(_, (frames, _))] = heard["transform"]
    [(_, (priors,))] = heard["anchors"]
    [((inputs,), outputs)] = heard["head"]
    return Heard(
        frame=frames.tensors,
        resized=tuple(frames.image_sizes[0]),
        inputs=tuple(inputs),
        features=tuple(given[0] for given, _ in heard["classes"]),
        logits=tuple(made[0] for _, made in heard["classes"]),
        regression=outputs["bbox_regression"][0],
        priors=priors,
        centerness=outputs["bbox_ctrness"][0] if "bbox_ctrness" in outputs else None,
    )


def listen(
    net: Detector, image: np.ndarray, imgsz: int | None, modules: Mapping[str, Sequence[nn.Module]]
) -> dict[str, Calls]:
    """Call the model, in evaluation mode, on one (H, W, 3) uint8 BGR image; ``imgsz`` as in ``_sized``.

    Returns what modules took and gave, by the name that they go by, in the order of the calls.
    """
    pixels = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1).contiguous().float() / 255
    with _overheard(modules) as heard, evaluation_mode(net), _sized(net.transform, imgsz):
        net([pixels.to(next(net.parameters()))])
    return heard


@contextmanager
def _overheard(modules: Mapping[str, Sequence[nn.Module]]) -> Iterator[dict[str, Calls]]:
    """What modules take and give within the block, by the name that they go by."""
    heard: dict[str, Calls] = {name: [] for name in modules}
    with ExitStack() as stack:
        for name, called in modules.items():
            note = lambda _, inputs, output, calls=heard[name]: calls.append((inputs, output))  # noqa: E731
            for module in called:
                stack.callback(module.register_forward_hook(note).remove)
        yield heard


@contextmanager
def _sized(transform: Transform, imgsz: int | None) -> Iterator[None]:
    """Within the block images are scaled so that their longer side is ``imgsz``; None keeps the model's own size."""
    own = transform.min_size, transform.max_size, transform.fixed_size
    try:
        if imgsz is not None:
            transform.min_size, transform.max_size, transform.fixed_size = (imgsz,), imgsz, None
        yield
    finally:
        transform.min_size, transform.max_size, transform.fixed_size = own
