"""Many images at once, as validation takes them: which go together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Batch:
    """Images that enter the network together: their ``indices`` in the set, and the (h, w) px of the input.

    ``input_shape`` None: each has a size of its own, as ``predict()`` would give it.
    """

    indices: tuple[int, ...]
    input_shape: tuple[int, int] | None


def in_parts(indices: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """Indices in their order, ``size`` at a time; the last part may be shorter."""
    left = iter(indices)
    while part := tuple(islice(left, size)):
        yield part
