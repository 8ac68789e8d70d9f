"""How anatomy reads this detector."""

from pathlib import Path

from torch import Tensor, nn

from anatomy import Pass

from ..pyramid.description import LevelsHead
from .blocks import LevelOutput
from .checkpoint import Stored, contents, load
from .head import decode, distances
from .loss import WEIGHTS, by_cell


class FastViTHead(LevelsHead):
    """Boxes from distances, objectness the largest class score."""

    net: Stored

    def raw(self, outputs: tuple) -> Tensor:
        return distances(outputs)[0]

    def losses(self, run: Pass, wanted: list[Tensor]) -> dict[str, Tensor]:
        found = by_cell(run.boxes.T[None].cpu(), self.logits(run)[None].cpu(), wanted)
        return {name: WEIGHTS[name] * part[0] for name, part in found.items()}

    def parts(self) -> dict[str, str]:
        return super().parts() | {"pooling": "backbone"}

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        boxes = decode([LevelOutput(raw, raw, raw)], self.net.strides[level : level + 1])
        return boxes.permute(0, 2, 1).unflatten(2, raw.shape[2:])

    def checkpoint(self, half: bool) -> dict:
        """What ``detectors.fastvit.load`` opens; in the model's own precision."""
        return contents(self.net)

    def open(self, path: str | Path, *, trusted: bool = False) -> nn.Module:
        """Holds plain data and tensors alone, so ``trusted`` makes no difference."""
        return load(path)
