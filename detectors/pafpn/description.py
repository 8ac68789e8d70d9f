"""How anatomy reads this detector."""

from torch import Tensor

from anatomy import Pass

from ..pyramid.description import LevelsHead
from ..pyramid.outputs import flat
from .head import decode, joint
from .loss import WEIGHTS, by_cell


class PafpnHead(LevelsHead):
    """Confidence is class score times objectness, which the head has of its own; the rest as in ``LevelsHead``."""

    grid_offset = 0.0

    def raw(self, outputs: tuple) -> Tensor:
        return flat([level.boxes for level in outputs])[0].T

    def logits(self, run: Pass) -> Tensor:
        return joint(super().logits(run), flat(_objectness(run))[0])

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        return tuple(level[0, 0].sigmoid() for level in _objectness(run))

    def scores(self, run: Pass) -> Tensor:
        return super().scores(run) * flat(_objectness(run))[0].T.double().sigmoid()

    def losses(self, run: Pass, wanted: list[Tensor]) -> dict[str, Tensor]:
        outputs = [
            level._replace(boxes=level.boxes.cpu(), objectness=level.objectness.cpu(), classes=classes[None].cpu())
            for level, classes in zip(run.private[0].outputs, run.logits, strict=True)
        ]
        return {name: WEIGHTS[name] * part[0] for name, part in by_cell(outputs, wanted).items()}

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        boxes = decode([raw], self.net.strides[level : level + 1])
        return boxes.permute(0, 2, 1).unflatten(2, raw.shape[2:])


def _objectness(run: Pass) -> list[Tensor]:
    """Logits (1, 1, h, w) a level."""
    return [level.objectness for level in run.private[0].outputs]
