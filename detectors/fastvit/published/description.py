"""How anatomy reads the detector as it was published."""

from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from anatomy import BatchTargets, Head, Pass, Targets, UnsupportedModelError

from ..description import FastViTHead


class NaiveHead(FastViTHead):
    """No step of its training or decoding belongs to one cell alone, so what asks for that is refused."""

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor) -> Targets:
        return Head.targets(self, run, boxes, labels)

    def listening(self, criterion: Any) -> AbstractContextManager[list[BatchTargets]]:
        return Head.listening(self, criterion)

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Raises UnsupportedModelError."""
        raise UnsupportedModelError("The published decoder mixes the cells, so no box belongs to one of them.")
