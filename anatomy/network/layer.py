"""What is known of one layer of a network, and what a part of it costs."""

from dataclasses import dataclass

from ..shown import Record
from .field import Field
from .run import Shapes


@dataclass(frozen=True, repr=False)
class Layer(Record):
    """One call of one module, or a module that was never called.

    ``path`` below the network, "" for the network itself; ``type`` its class; ``group`` and ``level`` the part of the
    network and the pyramid level it belongs to (None: to none); ``depth`` 0 for the network. ``inputs`` and
    ``outputs`` the shapes of all tensors. ``params`` of the module with all inside, ``own`` those it holds itself and
    that no layer before has counted; ``multiply_adds`` of all inside. ``field`` what the cells of the first output see
    of the input, ``stride`` px of the input between them; None where they are no grid. ``sources`` the paths of the
    layers whose outputs it reads. ``turn`` counts the calls of this module from 0; ``called`` whether it, or anything
    inside, ran at all; ``leaf`` whether nothing is inside.
    """

    path: str
    type: str
    group: str
    level: str | None
    depth: int
    inputs: Shapes
    outputs: Shapes
    params: int
    own: int
    multiply_adds: int
    field: Field | None
    stride: float | None
    sources: tuple[str, ...]
    turn: int
    called: bool
    leaf: bool

    @property
    def input(self) -> tuple[int, ...] | None:
        """Shape of the first input."""
        return self.inputs[0] if self.inputs else None

    @property
    def output(self) -> tuple[int, ...] | None:
        """Shape of the first output."""
        return self.outputs[0] if self.outputs else None


@dataclass(frozen=True, repr=False)
class Cost(Record):
    """``params`` and ``multiply_adds`` of a part, and their shares of the whole in [0, 1]."""

    params: int
    multiply_adds: int
    params_share: float
    multiply_adds_share: float
