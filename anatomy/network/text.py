"""The layer table as columns and as text."""

from collections.abc import Mapping

from .run import Shapes
from .table import Cost, Layer, LayerTable

NUMBERS = {"params", "multiply-adds", "share", "stride", "field"}  # columns set flush right


def shape_text(found: Shapes, batch: int) -> str:
    """Shapes without the batch: "64×80×80 + 32×80×80"."""
    kept = (shape[1:] if len(shape) > 1 and shape[0] == batch else shape for shape in found)
    return " + ".join("×".join(map(str, shape)) for shape in kept)


def columns(table: LayerTable) -> dict[str, list]:
    """The columns of ``LayerTable.to_df``."""
    batch = table.input_shape[0]
    plain = ("path", "type", "group", "level", "depth")
    counts = ("params", "own", "multiply_adds", "stride")
    found = {name: [getattr(layer, name) for layer in table] for name in plain}
    found["input"] = [shape_text(layer.inputs, batch) for layer in table]
    found["output"] = [shape_text(layer.outputs, batch) for layer in table]
    found |= {name: [getattr(layer, name) for layer in table] for name in counts}
    found["field"] = [float(layer.field.size[0]) if layer.field else None for layer in table]
    return found | {name: [getattr(layer, name) for layer in table] for name in ("turn", "called", "leaf")}


def table_text(table: LayerTable, depth: int) -> str:
    """The layers down to a depth, then what groups and levels cost."""
    rows = [_cells(layer, table) for layer in shown(table, depth)]
    parts = [_costs("part", table.totals())]
    if any(layer.level for layer in table):
        parts.append(_costs("level", dict(sorted(table.totals("level").items(), key=lambda part: part[0] or "~"))))
    return "\n\n".join((repr(table), aligned(rows), *parts))


def shown(table: LayerTable, depth: int) -> list[Layer]:
    """The layers down to a depth that were called or hold parameters, and the uppermost of each part of the head."""
    groups = {layer.path: layer.group for layer in table}
    return [
        layer
        for layer in table
        if (layer.depth <= depth or layer.group != groups.get(layer.path.rpartition(".")[0], layer.group))
        and (layer.outputs or layer.own)
    ]


def _cells(layer: Layer, table: LayerTable) -> dict[str, str]:
    batch, total = table.input_shape[0], max(table.multiply_adds, 1)
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


def _costs(what: str, costs: Mapping[str, Cost]) -> str:
    return aligned(
        [
            {
                what: name or "(none)",
                "params": f"{cost.params:,}",
                "of params": f"{cost.params_share:.1%}",
                "multiply-adds": f"{cost.multiply_adds:,}",
                "share": f"{cost.multiply_adds_share:.1%}",
            }
            for name, cost in costs.items()
        ]
    )


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
