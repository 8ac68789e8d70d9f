"""An exported detector as an object: the class rows of its file as convolutions, and the file itself behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UnsupportedModelError
from .metadata import Metadata
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class ImageInput:
    """What the file takes: ``batch`` images of ``channels``, of (height, width) px; None where a size is open."""

    batch: int
    channels: int
    height: int | None
    width: int | None

    @property
    def fixed(self) -> tuple[int, int] | None:
        """The one size (h, w) px, or None where it is open."""
        return None if self.height is None or self.width is None else (self.height, self.width)


class Export(nn.Module):
    """An exported detector. Made by ``anatomy.open_export``; everything that takes a model takes it.

    ``path`` of the file; ``format`` "ONNX", "TorchScript" or "OpenVINO"; ``names`` of its classes by id;
    ``preprocessing``: how images become its input. ``classes`` holds the class convolution of each level with the rows
    of the file, where they can be edited; ``refusal`` says why they cannot.
    """

    sha256: Tensor  # (32,) uint8, of the file

    def __init__(
        self,
        *,
        path: Path,
        format: str,  # noqa: A002  # as users call it
        reader: Any,
        image: ImageInput,
        names: Mapping[int, str],
        metadata: Metadata,
        preprocessing: Preprocessing,
        digest: bytes,
        beside: Mapping[str, Any],
    ):
        super().__init__()
        self.path, self.format, self.reader, self.image = path, format, reader, image
        self.names, self.metadata, self.preprocessing = dict(names), metadata, preprocessing
        self.beside, self.refusal = dict(beside), ""
        self.classes = nn.ModuleList()
        self.register_buffer("sha256", torch.frombuffer(bytearray(digest), dtype=torch.uint8).clone())
        self.eval()

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Of inputs (B, C, H, W) as the file wants them: class logits (B, nc, h, w) a level, with the rows as they are
        here, and decoded boxes (B, 4, A) xyxy px."""
        made = [self.reader.read(self.filled(image[None].detach().cpu().numpy())) for image in images]
        if not len(self.classes):
            return tuple(map(torch.stack, zip(*(read.logits for read in made), strict=True))), _boxes(made)
        features = [torch.cat(level) for level in zip(*(read.features for read in made), strict=True)]
        logits = [conv(level.to(next(conv.parameters()))) for conv, level in zip(self.classes, features, strict=True)]
        return tuple(logits), _boxes(made)

    def filled(self, frame: np.ndarray) -> np.ndarray:
        """An input (1, C, h, w) as often as the file takes images at once."""
        return np.repeat(frame, self.image.batch, 0)

    def _apply(self, fn: Callable, recurse: bool = True) -> Self:
        """Refuses other precisions and devices: rows that the file could not have run would be saved into it."""
        for value in self.parameters():
            moved = fn(value.detach()[:0])
            if (moved.dtype, moved.device) != (value.dtype, value.device):
                raise UnsupportedModelError(
                    f"The class rows of {self.path.name!r} stay {value.dtype} on the {value.device.type}, as the file "
                    f"has them and as it is run, but {moved.dtype} on {moved.device.type} was asked for. Export the "
                    "model anew in that precision."
                )
        return super()._apply(fn, recurse)

    def extra_repr(self) -> str:
        """File, format and size."""
        size = "open" if self.image.fixed is None else "×".join(map(str, self.image.fixed))
        return f"{self.path.name!r}, {self.format}, input {size}, {len(self.names)} classes"


def _boxes(made: list[Any]) -> Tensor:
    return torch.stack([read.boxes for read in made])
