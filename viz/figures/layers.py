"""The pyramid as a diagram with shapes, and where the cost lies."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Rectangle

import anatomy
from anatomy import Layer, LayerTable

from ..canvas.given import a_network
from ..canvas.palette import ink, level_color
from ..canvas.style import Picture, Style, styled
from .layer_plan import COLUMN_GAP, EDGE, HEADING, LEFT, ROW_GAP, TALL, Plan, level_of, part

BAR = 0.22  # inches
PLAIN = ("0.55", "0.75", "0.65", "0.85")  # parts that belong to no level
LONGEST = 16  # letters of a line in a block
BROAD = 0.69  # ems that a letter takes at most, on average
LEAST = 0.03  # share of a bar from which its segment is named


def layers(
    table: LayerTable | object,
    *,
    imgsz: int | Sequence[int] = 640,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw a network's blocks level by level, with shapes and multiply-adds, and what its parts and levels cost.

    ``table``: what ``anatomy.layers`` returned, or a model, which it is then asked about at ``imgsz``.

    A block's bar is its share of the multiply-adds, the fullest one that of the costliest block; arrows are the data
    flow. ``width`` in inches: by default as wide as the text needs. Returns a Figure; raises ValueError for a table
    without feature maps on a pyramid.

    >>> figure = viz.layers(model, imgsz=64)
    """
    if not isinstance(table, LayerTable):
        table = anatomy.layers(a_network(table, "viz.layers", "a LayerTable or a model"), imgsz)
    blocks = tuple(block for block in table.blocks if block.level)
    if not blocks:
        raise ValueError(
            f"{table.name} has no layer whose output is a feature map at a stride of 1, 2, 4, ..., so there is no "
            "pyramid to draw. print(table) shows all of its layers."
        )
    with styled(style):
        plan = Plan.of(blocks, width)
        bars = _bars(table)
        foot = HEADING + len(bars) * (BAR + 0.1) + EDGE
        figure = Picture(figsize=(plan.width, plan.height + foot + HEADING))
        _draw_diagram(_inches(figure, foot, plan.height), table, blocks, plan)
        _draw_bars(_inches(figure, 0, foot), bars, plan.width, foot)
        height, width = table.input_shape[2:]
        title = (
            f"{table.name} at {height} × {width} px: {table.params:,} parameters, {table.multiply_adds:,} multiply-adds"
        )
        figure.text(0.5, 1 - 0.08 / figure.get_figheight(), title, ha="center", va="top")
    return figure


def _inches(figure: Picture, bottom: float, height: float) -> Axes:
    """Axes without frame over the whole width, whose coordinates are inches."""
    wide, tall = figure.get_size_inches()
    ax = figure.add_axes((0, bottom / tall, 1, height / tall))
    ax.set(xlim=(0, wide), ylim=(0, height))
    ax.set_axis_off()
    return ax


def _draw_diagram(ax: Axes, table: LayerTable, blocks: tuple[Layer, ...], plan: Plan) -> None:
    for name, left, right in plan.columns:
        ax.text((left + right) / 2, plan.height - 0.1, name, ha="center", va="top")
    for row, level in enumerate(plan.levels):
        y = plan.height - HEADING - row * (TALL + ROW_GAP) - TALL / 2
        stride = next(block.stride for block in blocks if block.level == level)
        ax.text(0.1, y, f"{level}\nstride {stride:g}", va="center", ha="left")
    shown = {path for path, _ in plan.place}
    for block in blocks:
        for source in dict.fromkeys(path for path in block.sources if path in shown):
            turn = block.turn if (source, block.turn) in plan.place else 0
            _draw_arrow(ax, plan.place[source, turn], plan.place[block.path, block.turn], plan.wide)
    most = max(block.multiply_adds for block in blocks) or 1
    names = _short_names(blocks)
    longest = max(max(map(len, _lines(block, names[block.path]))) for block in blocks)
    size = min(7.0, plan.wide * 72 / (BROAD * longest))
    for block in blocks:
        _draw_block(ax, block, names[block.path], plan.place[block.path, block.turn], plan.wide, size, most)


def _draw_block(
    ax: Axes, block: Layer, name: str, place: tuple[float, float], wide: float, size: float, most: int
) -> None:
    x, y = place
    color = level_color(level_of(block))
    ground = tuple(1 - 0.25 * (1 - value) for value in to_rgb(color))
    ax.add_patch(Rectangle(place, wide, TALL, facecolor=ground, edgecolor=color, linewidth=0.6, gid="block"))
    share = block.multiply_adds / most
    ax.add_patch(Rectangle(place, wide * share, 0.05, facecolor=color, edgecolor="none", gid=f"cost:{block.path}"))
    looks = {"ha": "center", "va": "top", "fontsize": size, "gid": f"text:{block.path}"}
    for line, text in enumerate(_lines(block, name)):
        top = y + TALL - 0.03 - line * 0.12
        ax.text(x + wide / 2, top, text, fontweight="normal" if line else "bold", **looks)


def _draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], wide: float) -> None:
    """From block to block: along a row, over what lies between; across rows, from edge to edge."""
    (x0, y0), (x1, y1) = start, end
    bend = 0.0
    if y0 == y1 and 0 < x1 - x0 < wide + COLUMN_GAP + 0.02:
        tail, tip = (x0 + wide, y0 + TALL / 2), (x1, y1 + TALL / 2)
    elif y0 == y1:
        tail, tip, bend = (x0 + 0.7 * wide, y0 + TALL), (x1 + 0.3 * wide, y1 + TALL), -min(0.3, 0.25 / abs(x1 - x0))
    else:
        down = y1 < y0
        tail, tip = (x0 + wide / 2, y0 if down else y0 + TALL), (x1 + wide / 2, y1 + TALL if down else y1)
    arrow = FancyArrowPatch(
        tail,
        tip,
        arrowstyle="-|>",
        mutation_scale=5,
        shrinkA=0,
        shrinkB=0,
        connectionstyle=f"arc3,rad={bend}",
        color="0.5",
        linewidth=0.6,
        zorder=0.5,
        gid="arrow",
    )
    ax.add_patch(arrow)


def _lines(block: Layer, name: str) -> tuple[str, str, str]:
    """What stands in a block."""
    return name, _cut(block.type), _shape(block)


def _short_names(blocks: tuple[Layer, ...]) -> dict[str, str]:
    """Paths without what all of them begin with, or what the column says already, or what is too long."""
    starts = {block.path.partition(".")[0] for block in blocks}
    names = {}
    for block in blocks:
        first, _, rest = block.path.partition(".")
        name = rest if rest and (len(starts) == 1 or first == part(block)) else block.path
        while len(name) > LONGEST and "." in name:
            name = name.partition(".")[2]
        names[block.path] = _cut(name)
    return names


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _shape(block: Layer) -> str:
    return "×".join(map(str, block.outputs[0][1:]))


@dataclass(frozen=True)
class Bar:
    """A row of segments: what it is of, and name, share and colour of each."""

    words: str
    segments: tuple[tuple[str, float, str], ...]


def _bars(table: LayerTable) -> list[Bar]:
    """Multiply-adds and parameters, by part and by level."""
    parts, levels = table.totals(), dict(sorted(table.totals("level").items(), key=lambda entry: entry[0] or "~"))
    colors = {name: PLAIN[i % len(PLAIN)] for i, name in enumerate(parts)}
    colors |= {name: level_color(name.rpartition(" ")[2]) for name in parts if name.startswith("head P")}
    colors |= {name: level_color(name) for name in levels if name}
    rows = []
    for what, field in (("multiply-adds", "multiply_adds_share"), ("parameters", "params_share")):
        for by, costs in (("part", parts), ("level", levels)):
            segments = [(name, getattr(cost, field), colors.get(name, "0.9")) for name, cost in costs.items()]
            rows.append(Bar(f"{what}\nby {by}", tuple(segments)))
    return rows


def _draw_bars(ax: Axes, bars: Sequence[Bar], width: float, height: float) -> None:
    y = height - 0.08
    ax.text(LEFT, y, "Where the cost lies", va="top", ha="left")
    y -= HEADING - 0.08
    for bar in bars:
        y -= BAR + 0.1
        x, room = LEFT, width - LEFT - EDGE
        ax.text(LEFT - 0.08, y + BAR / 2, bar.words, ha="right", va="center", fontsize="x-small")
        for name, share, color in bar.segments:
            size = (share * room, BAR)
            ax.add_patch(Rectangle((x, y), *size, facecolor=color, edgecolor="white", linewidth=0.5, gid=f"bar:{name}"))
            if share >= LEAST:
                text = f"{name or 'no level'} {share:.0%}"
                text = text if len(text) * 0.055 < size[0] else f"{share:.0%}"
                where = (x + size[0] / 2, y + BAR / 2)
                ax.text(*where, text, ha="center", va="center", fontsize="x-small", color=ink(color))
            x += size[0]
