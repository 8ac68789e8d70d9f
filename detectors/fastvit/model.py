"""The detector: timm's FastViT, spatial pyramid pooling, path aggregation and a head on three levels."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import timm
import torch
from torch import Tensor, nn

from ..pyramid import targets
from .blocks import LevelOutput, PyramidPooling
from .checkpoint import Stored
from .description import FastViTHead
from .head import LevelHead, decode, flat_logits
from .loss import Losses, by_cell
from .neck import PathAggregation

START_SIDE = 2.0  # strides from a cell's middle to each side of a box, before any training


class FastViTDetector(Stored, naive=False):
    """Finds objects of ``names`` on levels P3, P4 and P5.

    ``names``: the class names, or their number. ``backbone``: a FastViT of timm; ``pretrained``: with timm's ImageNet
    weights, which come from the Hugging Face hub (RuntimeError where it cannot be reached). ``branches``: parallel
    convolutions in each MobileOne block of neck and head; ``reparameterize`` merges them.
    Raises ValueError for no class and for a backbone whose features are not at strides 8, 16 and 32.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, names: int | Sequence[str], backbone: str = "fastvit_sa12", *, pretrained: bool = False, branches: int = 4
    ):
        super().__init__(names)
        if operator.index(branches) < 1:
            raise ValueError(f"At least one branch is needed, but {branches!r} were given.")
        self.settings = {"backbone": backbone, "branches": branches}
        made = _backbone(backbone, pretrained)
        self.backbone = made
        channels = tuple(made.feature_info.channels())
        normal = made.pretrained_cfg
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(normal[name]).view(1, 3, 1, 1), persistent=False)
        self.pooling = PyramidPooling(channels[-1])
        self.neck = PathAggregation(channels, branches)
        self.heads = nn.ModuleList(LevelHead(count, len(self.names), branches) for count in channels)
        self.start()

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["names"], config["backbone"], branches=config["branches"])

    def start(self) -> None:
        """Sets the biases that training starts from."""
        for head in self.level_heads:
            cast(LevelHead, head).start_unsure(START_SIDE)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the backbone makes of (B, 3, H, W) RGB in 0..1: maps at strides 8, 16 and 32, the last one pooled."""
        fine, middle, coarse = self.backbone((images - self.mean) / self.std)
        return fine, middle, self.pooling(coarse)

    def forward(self, images: Tensor) -> tuple[LevelOutput, ...]:
        """Raw outputs of each level for (B, 3, H, W) RGB in 0..1; ValueError unless both sides divide by 32."""
        targets.grid_shapes((images.shape[2], images.shape[3]))
        pyramid = self.neck(self.features(images))
        return tuple(head(level) for head, level in zip(self.heads, pyramid, strict=True))

    def boxes(self, outputs: Sequence[LevelOutput]) -> Tensor:
        """Boxes (B, A, 4) xyxy px of the network input, one for each anchor."""
        return decode(outputs, self.strides)

    def logits(self, outputs: Sequence[LevelOutput]) -> Tensor:
        """Class logits (B, A, nc), one row for each anchor."""
        return flat_logits(outputs)

    def by_cell(self, outputs: Sequence[LevelOutput], wanted: Sequence[Tensor]) -> dict[str, Tensor]:
        """What each cell adds to each part of the loss, (B, A) by name, not weighted; arguments as in ``loss``."""
        return by_cell(self.boxes(outputs), self.logits(outputs), wanted)

    def loss(self, outputs: Sequence[LevelOutput], wanted: Sequence[Tensor]) -> Losses:
        """Losses of a batch against the stacked targets (B, 5 + nc, h, w) of each level."""
        return Losses.of(self.by_cell(outputs, wanted))

    def reparameterize(self) -> "FastViTDetector":
        """Merges the parallel branches of every block into one convolution, in place, for inference; returns itself."""
        self.eval()
        for module in list(self.modules()):
            merge = getattr(module, "reparameterize", None)
            if module is not self and callable(merge):
                merge()
        self.settings["merged"] = True
        return self.requires_grad_(False)

    def describe_head(self):
        """The description through which anatomy, surgery and viz read, edit and replay this detector."""
        return FastViTHead(self)


def _backbone(name: str, pretrained: bool) -> Any:  # of timm, whose feature networks have no type of their own
    if not name.startswith("fastvit") or not timm.is_model(name):
        known = ", ".join(entry for entry in timm.list_models("fastvit*") if "mci" not in entry)
        raise ValueError(f"The backbone must be a FastViT of timm ({known}), but {name!r} was given.")
    net: Any
    try:
        net = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=(1, 2, 3))
    except Exception as error:  # each hub client has errors of its own
        if not pretrained:
            raise
        raise RuntimeError(
            f"The ImageNet weights of {name} could not be fetched from the Hugging Face hub ({type(error).__name__}). "
            "Connect to the network, set HF_HUB_OFFLINE=0, or give pretrained=False to start from random weights."
        ) from error
    if tuple(net.feature_info.reduction()) != targets.STRIDES:
        raise ValueError(f"{name} has features at {net.feature_info.reduction()}, but {targets.STRIDES} are needed.")
    return net
