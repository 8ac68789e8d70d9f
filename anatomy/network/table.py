"""All layers of a network in a table, and what its parts cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..head.level_colors import level_color
from ..shown import Part, Shown, Table
from .field import Field
from .layer import Cost, Layer
from .text import COSTS, columns, cost_in_words, costs_text, layers_text

if TYPE_CHECKING:
    from polars import DataFrame


@dataclass(frozen=True, repr=False)
class LayerTable(Shown):
    """All layers of a network in the order of their definition, for an input of ``input_shape``. Made by ``layers``."""

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, path: str) -> Layer:
        """The layer at a path, at its first call; KeyError names paths that are alike."""
        return self.calls(path)[0]

    def calls(self, path: str) -> tuple[Layer, ...]:
        """All calls of the layer at a path; KeyError for an unknown path."""
        if path not in self._at:
            from difflib import get_close_matches

            near = ", ".join(get_close_matches(path, self._at, 3, 0.3)) or "none is alike"
            raise KeyError(f"{self.name} has no layer {path!r}. Alike: {near}.")
        return self._at[path]

    @cached_property
    def _at(self) -> dict[str, tuple[Layer, ...]]:
        found: dict[str, tuple[Layer, ...]] = {}
        for layer in self.layers:
            found[layer.path] = (*found.get(layer.path, ()), layer)
        return found

    def field(self, path: str) -> Field | None:
        """The theoretical receptive field of the cells that a layer puts out; None where they are no grid."""
        return self[path].field

    @property
    def params(self) -> int:
        """Parameters of the whole network."""
        return self.layers[0].params

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the whole network, once an image."""
        return self.layers[0].multiply_adds

    @property
    def uncalled(self) -> tuple[Layer, ...]:
        """Modules with parameters that no call reached: their weights are idle, or used from outside."""
        return tuple(layer for layer in self.layers if not layer.called and layer.own)

    @property
    def blocks(self) -> tuple[Layer, ...]:
        """The uppermost layers that put out one feature map: what a diagram of the network shows."""
        found: list[Layer] = []
        for layer in self.layers[1:]:
            inside = any(layer.path.startswith(block.path + ".") for block in found)
            if not inside and layer.field and len(layer.outputs) == 1:
                found.append(layer)
        return tuple(found)

    def totals(self, by: str = "group") -> Mapping[str, Cost]:
        """Cost of each "group" ("backbone", "neck", "head P3", ...), "level" ("P3", ..., "" for none) or "type".

        Every parameter and every multiply-add is counted once, so the parts add up to the whole.
        """
        if by not in ("group", "level", "type"):
            raise ValueError(f"Totals are by 'group', 'level' or 'type', but {by!r} was given.")
        params: dict[str, int] = {}
        work: dict[str, int] = {}
        for layer in self.layers:
            part = getattr(layer, by) or ""
            params[part] = params.get(part, 0) + layer.own
            work[part] = work.get(part, 0) + (layer.multiply_adds if layer.leaf else 0)
        held, done = max(self.params, 1), max(self.multiply_adds, 1)
        return {
            part: Cost(params[part], work[part], params[part] / held, work[part] / done)
            for part in params
            if params[part] or work[part]
        }

    def to_df(self) -> "DataFrame":
        """One row a layer, as a polars DataFrame: shapes without the batch, as "64×80×80"; ``field`` is the height of
        the receptive field in px, infinite for the whole image, null where the cells are no grid."""
        import polars

        return polars.DataFrame(columns(self.layers, self.input_shape[0]), infer_schema_length=None)

    def to_text(self, depth: int = 2) -> str:
        """The layers down to ``depth`` below the network, and of every part its uppermost, as aligned text."""
        parts = [repr(self), layers_text(self.layers, self.input_shape[0], depth), costs_text("part", self.totals())]
        if any(layer.level for layer in self.layers):
            by_level = self.totals("level")
            last = "~"  # what belongs to no level comes after them
            parts.append(
                costs_text("level", {name: by_level[name] for name in sorted(by_level, key=lambda n: n or last)})
            )
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.to_text()

    def _title(self) -> str:
        return (
            f"{self.name} at {'×'.join(map(str, self.input_shape[2:]))}: {len(self)} layers, "
            f"{self.params:,} parameters, {self.multiply_adds:,} multiply-adds"
        )

    def _parts(self) -> Iterator[Part]:
        for by in ("group", "level"):
            costs = self.totals(by)
            shares = [(name, *cost_in_words(cost)) for name, cost in costs.items() if by == "group" or name]
            colors = [level_color(name.rpartition(" ")[2]) if "P" in name else "" for name, *_ in shares]
            if shares:
                yield Table(("part" if by == "group" else "level", *COSTS), shares, len(shares), colors)
