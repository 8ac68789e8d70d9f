"""What is noted on a tensor while receptive fields are followed: what its cells see, and which modules made it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor
from torch.utils._pytree import tree_leaves

from .field import Field, everything

MARK, MAKERS = "_field_seen", "_makers"


@dataclass(frozen=True)
class Seen:
    """What a tensor's cells see, and where in it they lie: rows and columns at ``dims``, or both at ``flat``.

    ``flat``: (dimension, rows, columns), row by row in one dimension. Neither: the cells are no grid any more.
    """

    field: Field
    dims: tuple[int, int] | None = None
    flat: tuple[int, int, int] | None = None

    @property
    def at(self) -> tuple[int, ...]:
        """The dimensions along which the cells lie."""
        return self.dims or (self.flat[:1] if self.flat else ())

    def mixed(self) -> "Seen":
        """The same cells, each of which now sees everything."""
        return replace(self, field=Field(everything(self.field.y), everything(self.field.x)))

    def lost(self) -> "Seen":
        """No grid any more, and everything seen."""
        return Seen(self.mixed().field)

    def moved(self, order: dict[int, int]) -> "Seen":
        """After dimensions have moved: ``order`` old -> new."""
        if self.dims:
            return replace(self, dims=(order[self.dims[0]], order[self.dims[1]]))
        return replace(self, flat=(order[self.flat[0]], *self.flat[1:])) if self.flat else self


def mark(tensor: Tensor, seen: Seen) -> Tensor:
    """Note on a tensor what it sees; returns it."""
    setattr(tensor, MARK, seen)
    return tensor


def seen(tensor: object) -> Seen | None:
    """What a tensor sees of the image; None for one that the image has not reached."""
    return getattr(tensor, MARK, None)


def makers(tensor: Tensor) -> tuple[str, ...]:
    """The paths of the modules that a tensor comes from, if nothing but plain operations happened since."""
    return getattr(tensor, MAKERS, ())


def made_by(tensor: Tensor, paths: Iterable[str]) -> None:
    """Note on a tensor the paths of the modules that it comes from, each once."""
    setattr(tensor, MAKERS, tuple(dict.fromkeys(paths)))


def tensors_in(values: object) -> list[Tensor]:
    """The tensors in nested sequences, mappings and whatever else torch takes apart, in its order."""
    if isinstance(values, Tensor):
        return [values]
    if type(values) is dict:
        values = tuple(values.values())
    if type(values) is tuple or type(values) is list:
        return [tensor for value in values for tensor in tensors_in(value)]
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
