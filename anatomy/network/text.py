"""The layer table as columns and as text."""

from collections.abc import Mapping, Sequence

from .layer import Cost, Layer
from .run import Shapes

COSTS = ("params", "of params", "multiply-adds", "share")
NUMBERS = {"params", "multiply-adds", "share", "stride", "field"}  # columns set flush right


def shape_text(found: Shapes, batch: int) -> str:
    """Shapes without the batch: "64×80×80 + 32×80×80"."""
    kept = (shape[1:] if len(shape) > 1 and shape[0] == batch else shape for shape in found)
    return " + ".join("×".join(map(str, shape)) for shape in kept)


def columns(layers: Sequence[Layer], batch: int) -> dict[str, list]:
    """The columns of ``LayerTable.to_df``; ``batch`` is how many images went in."""
    plain = ("path", "type", "group", "level", "depth")
    counts = ("params", "own", "multiply_adds", "stride")
    found: dict[str, list] = {name: [getattr(layer, name) for layer in layers] for name in plain}
    found["input"] = [shape_text(layer.inputs, batch) for layer in layers]
    found["output"] = [shape_text(layer.outputs, batch) for layer in layers]
    found |= {name: [getattr(layer, name) for layer in layers] for name in counts}
    found["field"] = [float(layer.field.size[0]) if layer.field else None for layer in layers]
    return found | {name: [getattr(layer, name) for layer in layers] for name in ("turn", "called", "leaf")}


def layers_text(layers: Sequence[Layer], batch: int, depth: int) -> str:
    """The layers down to a depth as aligned text; the first one is the whole network."""
    total = max(layers[0].multiply_adds, 1)
    return aligned([_cells(layer, batch, total) for layer in shown(layers, depth)])


def shown(layers: Sequence[Layer], depth: int) -> list[Layer]:
    """The layers down to a depth that were called or hold parameters, and the uppermost of each part of the head."""
    groups = {layer.path: layer.group for layer in layers}
    found = []
    for layer in layers:
        above = layer.path.rpartition(".")[0]
        uppermost = layer.group != groups.get(above, layer.group)
        if (layer.depth <= depth or uppermost) and (layer.outputs or layer.own):
            found.append(layer)
    return found


def _cells(layer: Layer, batch: int, total: int) -> dict[str, str]:
    return {
        "layer": (layer.path or "(all)") + (f" [{layer.turn}]" if layer.turn else ""),
        "type": layer.type,
        "part": layer.group,
        "level": layer.level or "",
        "input": shape_text(layer.inputs, batch),
        "output": shape_text(layer.outputs[:3], batch) if layer.called else "never called",
        "params": f"{layer.params:,}",
        "multiply-adds": f"{layer.multiply_adds:,}",
        "share": f"{layer.multiply_adds / total:.1%}",
        "stride": "" if layer.stride is None else f"{layer.stride:g}",
        "field": "" if layer.field is None else str(layer.field),
    }


def costs_text(what: str, costs: Mapping[str, Cost]) -> str:
    """What parts cost, as aligned text; ``what`` they are is the name of the first column."""
    rows = []
    for name, cost in costs.items():
        rows.append({what: name or "(none)"} | dict(zip(COSTS, cost_in_words(cost), strict=True)))
    return aligned(rows)


def cost_in_words(cost: Cost) -> tuple[str, str, str, str]:
    """What a part costs, under ``COSTS``."""
    params, work = f"{cost.params:,}", f"{cost.multiply_adds:,}"
    return params, f"{cost.params_share:.1%}", work, f"{cost.multiply_adds_share:.1%}"


def aligned(rows: list[dict[str, str]]) -> str:
    """Rows of cells as text in columns, under their names; numbers flush right."""
    if not rows:
        return ""
    names = list(rows[0])
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    lines = [{name: name for name in names}, *rows]
    flush = {name: ">" if name in NUMBERS or name.startswith("of ") else "<" for name in names}
    cells = ([f"{line[name]:{flush[name]}{widths[name]}}" for name in names] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in cells)
