"""Where a layer stands: who takes its output, what encloses it, and what learned scales close off at first."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from .result import Layer, Numerics

TENFOLD = 10.0
NEARLY_ALL = 0.99
SHOWN = 4  # names that a message lists


@lru_cache(maxsize=8)
def takers(layers: tuple[Layer, ...]) -> tuple[tuple[int, ...], ...]:
    """Of every layer the layers that take its output; where none is known, the module that encloses it."""
    taken: list[list[int]] = [[] for _ in layers]
    for index, layer in enumerate(layers):
        for source in layer.inputs:
            taken[source].append(index)
    rows = rows_of_modules(layers)
    return tuple(tuple(found) or enclosing(layers, rows, index)[:1] for index, found in enumerate(taken))


def enclosing(layers: tuple[Layer, ...], rows: dict[str, list[int]], index: int) -> tuple[int, ...]:
    """The rows of the modules in whose forward a layer is called, the innermost first: they end after it.

    ``rows`` by path, from ``rows_of_modules``.
    """
    own = layers[index]
    names = own.path.split(".")
    paths = [".".join(names[:depth]) for depth in range(len(names) - (not own.operation), 0, -1)]
    outer = [*paths, *(["(model)"] if own.path != "(model)" else [])]
    return tuple(later for path in outer for later in rows.get(path, ()) if later > index)


def rows_of_modules(layers: tuple[Layer, ...]) -> dict[str, list[int]]:
    """The rows of modules, not of operations, by path."""
    rows: dict[str, list[int]] = {}
    for index, layer in enumerate(layers):
        if not layer.operation:
            rows.setdefault(layer.path, []).append(index)
    return rows


def holds(outer: Layer, inner: Layer) -> bool:
    """Whether a module's forward calls another layer, or one of its own operations."""
    if outer.operation or inner is outer:
        return False
    if outer.path == "(model)":
        return True
    return inner.path.startswith(f"{outer.path}.") or (bool(inner.operation) and inner.path == outer.path)


def closed_at_first(result: Numerics) -> tuple[set[int], set[int]]:
    """Layers whose zeros are those of a scale that begins at zero and learns: by their output, and by their gradient.

    A normalization or scale whose weights are zero at first closes a residual branch (Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677): what it puts out is zero, and so is the gradient of all before it.
    """
    weighted = {path.rpartition(".")[0] for path in result.parameters}
    zeros = np.all(result.forward.zeros >= NEARLY_ALL, axis=0)
    pulled, learns = np.all(result.backward.zeros == 1, axis=0), np.any(result.backward.largest > 0, axis=0)
    closing: set[int] = set()
    for index, layer in enumerate(result.layers):
        scale = layer.path in weighted or layer.path.rpartition(".")[0] in weighted  # an activation within a norm
        scale |= bool(layer.inputs) and closing.issuperset(layer.inputs)
        if zeros[index] and learns[index] and scale:
            closing.add(index)
    behind: set[int] = set()
    known = takers(result.layers)
    for index in range(len(result.layers) - 1, -1, -1):
        if pulled[index]:
            after = _followers(result.layers, known[index], index)
            if after and (closing | behind).issuperset(after):
                behind.add(index)
    return closing, behind


def _followers(layers: tuple[Layer, ...], known: tuple[int, ...], index: int) -> tuple[int, ...]:
    """The ``known`` takers of a layer; where none is, as of functions between two layers, the next one beside it."""
    if known and index in layers[known[0]].inputs:
        return known
    scope = layers[index].path.rpartition(".")[0]
    while scope:
        beside = (later for later in range(index + 1, len(layers)) if layers[later].path.startswith(f"{scope}."))
        following = next(beside, None)
        if following is not None:
            return (following,)
        scope = scope.rpartition(".")[0]
    return known


def beside_a_trunk(result: Numerics, small: np.ndarray) -> np.ndarray:
    """(layers,) bool: of the ``small``, those of a residual branch beside which the gradient passes whole.

    A branch that is scaled down at first (https://arxiv.org/abs/2103.17239) gets little until its scale has grown.
    """
    beside, rows = np.zeros(len(small), bool), rows_of_modules(result.layers)
    for index in np.flatnonzero(small).tolist():
        for outer in enclosing(result.layers, rows, index):
            layer = result.layers[outer]
            passes = layer.residual and bool(layer.inputs) and not small[[outer, *layer.inputs]].any()
            beside[index] |= passes
    return beside


def normalizes(layer: Layer) -> bool:
    """Whether a layer divides by a scale of its input."""
    return "norm" in (layer.operation or layer.kind).lower()


def place_of(result: Numerics, index: int, step: int, ratio: float) -> dict:
    """Evidence that names a layer."""
    return {"layer": result.layers[index].name, "step": step, "ratio": float(ratio)}


def names_of(names: Iterable[str]) -> str:
    """Names in words, some of many."""
    names = list(names)
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
