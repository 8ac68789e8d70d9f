"""The detector: ConvNeXt stages with ELAN, an ELAN PAFPN and the head of YOLOX, with and without normalizations."""

from collections.abc import Collection, Sequence
from typing import cast

from torch import Tensor, nn

from ..pyramid import targets
from ..pyramid.detector import LevelDetector
from ..pyramid.outputs import flat
from .backbone import Backbone, Four
from .blocks import RepConv
from .description import PafpnHead
from .head import LevelHead, LevelOutput, decode, joint
from .loss import Losses, by_cell
from .neck import ElanPafpn

PLACES = {
    "backbone": "a LayerNorm behind each 1 x 1 convolution of the ELAN blocks",
    "neck": "a LayerNorm behind each convolution of the neck outside ELAN's inner ones and RepConv",
    "head": "a batch normalization behind each convolution of the head but the last ones, as in YOLOX",
}


class PafpnDetector(LevelDetector):
    """Finds objects of ``names`` (the class names, or their number) on levels P3, P4 and P5.

    ``widths`` of the four stages, ``depths`` in ConvNeXt blocks. ``normalized``: the ``PLACES`` that are normalized, as
    stem, stages and inner convolutions always are. All of them by default; none, ``()``, is the detector as it was
    described, whose training runs away.
    Raises ValueError for no class, odd widths, and places that there are not.
    """

    def __init__(
        self,
        names: int | Sequence[str],
        widths: Four = (128, 256, 512, 1024),
        depths: Four = (3, 3, 9, 3),
        *,
        normalized: Collection[str] = tuple(PLACES),
    ):
        super().__init__(names)
        if len(widths) != 4 or len(depths) != 4 or any(width < 2 or width % 2 for width in widths):
            raise ValueError(f"Four even widths and four depths are needed, but {widths!r} and {depths!r} were given.")
        if isinstance(normalized, str) or not set(normalized) <= PLACES.keys():
            raise ValueError(f"normalized must be a tuple of {', '.join(PLACES)}, but {normalized!r} was given.")
        self.backbone = Backbone(widths, depths, norm="backbone" in normalized)
        self.neck = ElanPafpn(widths, norm="neck" in normalized)
        self.heads = nn.ModuleList(
            LevelHead(widths[1], len(self.names), norm="head" in normalized) for _ in self.strides
        )

    def forward(self, images: Tensor) -> tuple[LevelOutput, ...]:
        """Raw outputs of each level for (B, 3, H, W) RGB in 0..1; ValueError unless both sides divide by 32."""
        targets.grid_shapes((images.shape[2], images.shape[3]))
        pyramid = self.neck(self.backbone(images))
        return tuple(head(level) for head, level in zip(self.heads, pyramid, strict=True))

    def boxes(self, outputs: Sequence[LevelOutput]) -> Tensor:
        """Boxes (B, A, 4) xyxy px of the network input, one for each anchor."""
        return decode([level.boxes for level in outputs], self.strides)

    def logits(self, outputs: Sequence[LevelOutput]) -> Tensor:
        """Logits (B, A, nc) of class score times objectness, one row for each anchor."""
        return joint(*(flat([getattr(level, part) for level in outputs]) for part in ("classes", "objectness")))

    def by_cell(self, outputs: Sequence[LevelOutput], wanted: Sequence[Tensor]) -> dict[str, Tensor]:
        """What each cell adds to each part of the loss, (B, A) by name, not weighted; arguments as in ``loss``."""
        return by_cell(outputs, wanted)

    def loss(self, outputs: Sequence[LevelOutput], wanted: Sequence[Tensor]) -> Losses:
        """Losses of a batch against the stacked targets (B, 5 + nc, h, w) of each level."""
        return Losses.of(self.by_cell(outputs, wanted))

    def reparameterize(self) -> "PafpnDetector":
        """Merges the two convolutions of each RepConv, in place, for inference; returns itself."""
        for out in self.neck.out:
            cast(RepConv, out).reparameterize()
        return self.eval().requires_grad_(False)

    def describe_head(self):
        """The description through which anatomy, surgery and viz read, edit and replay this detector."""
        return PafpnHead(self)
