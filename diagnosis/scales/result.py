"""What the passes of a network showed, layer by layer and step by step."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from anatomy.shown import Record, Told

from ..findings import Report

if TYPE_CHECKING:
    from polars import DataFrame

SHOWN = 8  # images that are listed
HOW = {
    "made": "makes it from finite input",
    "own": "makes it in its own forward, after the layers inside it",
    "masked": "makes it by {parent}: a row of attention is masked wholly, every score in it is -inf",
    "weights": "has weights or buffers that are not finite",
    "between": "receives it from an operation in the forward of {parent} just before it",
    "input": "is given it: the input of the network is not finite",
    "loss": "is made by the loss, from finite outputs",
}
BACKWARD = {
    "made": "made by the backward pass of {parent} from finite gradients",
    "between": "made by an operation in the forward of {parent} after this layer",
    "loss": "handed back by the loss",
    "weights": "too large for its type, from finite gradients of all outputs",
}


@dataclass(frozen=True, repr=False)
class Layer(Told):
    """One call of one module. ``path`` as in ``named_modules``, ``call`` counts the calls of a pass from 0.

    ``kind`` is the module's type; ``leaf``: it has no modules inside; ``frozen``: it has weights of its own, none of
    them trainable; ``residual``: its output has the shape of an input. ``inputs`` holds the indices of the layers
    whose outputs it takes, as far as they are layers. ``operation``: the name of an operation in that module's own
    forward, "" for the module itself.
    """

    path: str
    call: int
    kind: str
    leaf: bool
    frozen: bool
    residual: bool
    inputs: tuple[int, ...]
    operation: str = ""

    @property
    def name(self) -> str:
        """The path, of an operation with its name, and which call of several it is."""
        name = f"{self.path}:{self.operation}" if self.operation else self.path
        return f"{name} (call {self.call + 1})" if self.call else name

    def __str__(self) -> str:
        if self.operation:
            again = f" (call {self.call + 1})" if self.call else ""
            return f"{self.operation}{again} in the forward of '{self.path}' ({self.kind})"
        return f"'{self.name}' ({self.kind})"


@dataclass(frozen=True, repr=False)
class Origin(Told):
    """Where NaN or infinity first turns up in pass ``step``: ``direction`` "forward" or "backward", ``how`` of ``HOW``.

    ``layer`` is its index in ``Numerics.layers``, None where it is the loss or a weight. ``parent`` is the module in
    whose forward it happened between layers, or (backward, "made") whose backward pass made it. ``largest`` is the
    greatest absolute value that went in, NaN where unknown; ``value`` "nan" or "inf". ``images`` of a batch of so many
    in which it is not finite, counted from 0; () where that is not known. ``then`` says where an infinity does harm,
    "" where that is at once: one that ends within the network, such as a mask, is no origin.
    """

    step: int
    direction: str
    layer: int | None
    name: str
    how: str
    value: str
    parent: str | None = None
    largest: float = float("nan")
    images: tuple[int, ...] = ()
    batch: int = 0
    then: str = ""

    def __str__(self) -> str:
        parent = self.parent if self.how == "masked" else f"'{self.parent}'"
        words = (HOW if self.direction == "forward" else BACKWARD)[self.how].format(parent=parent)
        if self.how == "made" and not np.isfinite(self.largest) and self.direction == "forward":
            words = words.replace("finite input", "an infinite one")
        if self.how == "made" and np.isfinite(self.largest):
            words += f" (largest {self.largest:.3g})"
        words += self._where()
        if self.then:
            words += f"; it {self.then}"
        if self.direction == "forward":
            return f"{self.value} in pass {self.step}, forward: {self.name} {words}"
        return f"{self.value} in pass {self.step}, backward: the gradient at {self.name}, {words}"

    def _where(self) -> str:
        """Which images of the batch, in words."""
        if not self.images or self.batch < 2:
            return ""
        if len(self.images) == self.batch:
            return f", in all {self.batch} images of the batch"
        shown = ", ".join(map(str, self.images[:SHOWN])) + " …" * (len(self.images) > SHOWN)
        return f", in image{'s' * (len(self.images) > 1)} {shown} of the batch of {self.batch}"


@dataclass(frozen=True, eq=False, repr=False)
class Scales(Record):
    """Values of one direction, each array (passes, layers) float64; NaN where a layer had none.

    ``rms`` root mean square (the largest value where squares leave float32; inf or NaN where values are not finite),
    ``norm`` the Euclidean norm, ``largest`` the largest absolute value, ``zeros`` the share of zeros, ``non_finite``
    the share of NaN and infinity, ``saturated`` (forward) the share of units at a bound of the activation,
    ``lost`` (backward, not in fp16) the share of non-zero values that fp16 would make zero.
    """

    rms: np.ndarray
    norm: np.ndarray
    largest: np.ndarray
    zeros: np.ndarray
    non_finite: np.ndarray
    saturated: np.ndarray
    lost: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        """(passes, layers) bool: there are values and all are finite."""
        return self.non_finite == 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Numerics(Report):
    """The scale of every layer over ``passes`` = optimizer steps + 1; row k of an array is after k steps.

    ``layers`` in the order of execution; ``forward`` of their outputs, ``backward`` of the gradients of these outputs.
    ``gain`` (passes, layers): RMS of the output over RMS of the input. ``losses`` (passes,). ``parameters`` are paths,
    ``trainable`` those that want a gradient, ``shapes`` of them all; ``weight_norm``, ``gradient_norm`` (NaN: no
    gradient, inf: not finite) and ``update_norm`` (NaN after the last pass) are (passes, parameters). ``origins``:
    where each pass first turned non-finite. ``never_called``: paths of innermost modules. ``dtype`` of the weights;
    ``interrupted`` by Ctrl-C; ``stopped`` says why steps were left out, or "".
    """

    layers: tuple[Layer, ...]
    forward: Scales
    backward: Scales
    gain: np.ndarray
    losses: np.ndarray
    parameters: tuple[str, ...]
    trainable: frozenset[str]
    shapes: tuple[tuple[int, ...], ...]
    weight_norm: np.ndarray
    gradient_norm: np.ndarray
    update_norm: np.ndarray
    origins: tuple[Origin, ...]
    never_called: tuple[str, ...]
    dtype: str
    interrupted: bool = False
    stopped: str = ""

    def __len__(self) -> int:
        """How many passes were measured."""
        return len(self.losses)

    @property
    def first_non_finite(self) -> Origin | None:
        """The first NaN or infinity of all passes; the forward pass comes before the backward pass."""
        return self.origins[0] if self.origins else None

    @cached_property
    def growth(self) -> np.ndarray:
        """(passes, layers): RMS over that of pass 0, or over a tenth of the median layer where it began below that."""
        first = self.forward.rms[0]
        usual = first[np.isfinite(first)]
        floor = 0.1 * np.median(usual) if len(usual) else 0.0
        return self.forward.rms / np.maximum(np.maximum(first, floor), np.finfo(np.float64).tiny)

    @property
    def calm(self) -> int:
        """The last pass before anything was non-finite or any layer tenfold; 0 if the first was not calm either."""
        wild = np.flatnonzero((self.growth >= 10).any(1))[:1].tolist() + [origin.step for origin in self.origins[:1]]
        return max(min(wild, default=len(self)) - 1, 0)

    @property
    def update_ratio(self) -> np.ndarray:
        """(passes, parameters): norm of the optimizer's update over that of the weights; about 1e-3 is usual."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.update_norm / self.weight_norm

    def to_df(self) -> "DataFrame":
        """One row a pass and layer, as a polars DataFrame."""
        import polars

        passes, count = self.gain.shape
        columns = {
            "step": np.repeat(np.arange(passes), count),
            "layer": np.tile(np.arange(count), passes),
            "name": [layer.name for layer in self.layers] * passes,
            "kind": [layer.kind for layer in self.layers] * passes,
            "gain": self.gain.ravel(),
            "growth": self.growth.ravel(),
        }
        names = ("rms", "largest", "zeros", "non_finite")
        for prefix, scales, extra in (("", self.forward, "saturated"), ("gradient_", self.backward, "lost")):
            columns |= {prefix + name: getattr(scales, name).ravel() for name in (*names, extra)}
        return polars.DataFrame(columns)

    def __str__(self) -> str:
        losses = f"{self.losses[0]:.4g}" + (f" → {self.losses[-1]:.4g}" if len(self) > 1 else "")
        ended = " (interrupted)" if self.interrupted else f" ({self.stopped})" if self.stopped else ""
        head = f"{self.subject}: {len(self.layers)} layers, {len(self)} pass(es){ended}, {self.dtype}, loss {losses}"
        lines = [f"  {finding.severity}: {finding.code}: {finding.message}" for finding in self.findings]
        return "\n".join([head, *(lines or ["  nothing to report"])])
