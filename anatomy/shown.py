"""How results show themselves: in one line, in some lines of text, and in a notebook, all from the same pieces.

The view for notebooks takes its colours from the page around it, dark or light, escapes all that it is told, fetches
nothing and runs nothing.
"""

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, fields
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from jinja2 import Template

NUMBER = re.compile(r"[-+]?[\d.,]+%?")  # a number in words
MOST = 12  # rows of a table that are shown
LINES = 40  # of words
SIDE = 360  # px: the longer side of a picture
LONG = 96  # characters of a value in a line
SOME = 6  # values of a sequence or mapping that are written down

PAGE = """<div class="workbench-result">
<style>
.workbench-result {font: 13px/1.45 system-ui, sans-serif; color: inherit; max-width: 60em}
.workbench-result p {margin: 0 0 .4em}
.workbench-result table {border-collapse: collapse; margin: .3em 0; font: inherit; color: inherit}
.workbench-result tr, .workbench-result th, .workbench-result td {background: transparent !important; color: inherit}
.workbench-result th, .workbench-result td {padding: .15em .7em; text-align: left !important; vertical-align: top;
  border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); overflow-wrap: break-word}
.workbench-result td.number, .workbench-result th.number {text-align: right !important;
  font-variant-numeric: tabular-nums}
.workbench-result tr.level > td:first-child {border-left: 4px solid var(--level)}
.workbench-result tr.level > td {background: color-mix(in srgb, var(--level) 12%, transparent) !important}
.workbench-result .quiet {opacity: .7}
.workbench-result pre {margin: .3em 0; padding: 0; font: 12px/1.45 ui-monospace, monospace; white-space: pre-wrap;
  word-break: normal; overflow-wrap: break-word;
  background: transparent; color: inherit; border: 0}
.workbench-result .bar {display: flex; height: .7em; max-width: 360px; margin: .3em 0}
.workbench-result .bar span {background: var(--level)}
.workbench-result .keys span {margin-right: 1.2em; white-space: nowrap}
.workbench-result .keys i {display: inline-block; width: .8em; height: .8em; margin-right: .35em;
  background: var(--level)}
.workbench-result svg {display: block; max-width: 100%; height: auto}
</style>
<p><b>{{ kind }}</b> {{ title }}</p>
{% for part in parts %}
{% if part.kind == "picture" %}
<svg width="{{ part.size[0] }}" height="{{ part.size[1] }}" viewBox="0 0 {{ part.shape[1] }} {{ part.shape[0] }}"
  role="img"><image href="{{ part.data }}" width="{{ part.shape[1] }}" height="{{ part.shape[0] }}"
  preserveAspectRatio="none"/>
{% for (x1, y1, x2, y2), color in part.boxes %}<rect x="{{ x1 }}" y="{{ y1 }}" width="{{ x2 - x1 }}"
  height="{{ y2 - y1 }}" fill="none" stroke="{{ color }}" stroke-width="2" vector-effect="non-scaling-stroke"/>
{% endfor %}</svg>
{% elif part.kind == "bar" %}
<div class="bar">{% for _, count, color in part.shares if count %}<span
  style="--level: {{ color }}; flex: {{ count }}"></span>{% endfor %}</div>
<p class="keys">{% for name, count, color in part.shares %}<span><i style="--level: {{ color }}"></i>{{ name }}:
{{ count }}</span>{% endfor %}</p>
{% elif part.kind == "table" %}
<table><thead><tr>{% for name in part.columns %}<th{% if part.numeric[loop.index0] %} class="number"{% endif %}>
{{- name }}</th>{% endfor %}</tr></thead><tbody>
{% for cells, color in part.shown %}<tr{% if color %} class="level" style="--level: {{ color }}"{% endif %}>
{%- for cell in cells %}<td{% if part.numeric[loop.index0] %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% if part.more %}<p class="quiet">{{ part.more }}</p>{% endif %}
{% else %}
<pre>{{ part.text() }}</pre>
{% endif %}
{% endfor %}
</div>"""


@dataclass(frozen=True)
class Picture:
    """A photograph (H, W, 3) uint8 RGB, made small, and boxes (xyxy px of it) upon it, each with its colour."""

    image: np.ndarray
    boxes: Sequence[tuple[Sequence[float], str]] = ()
    kind = "picture"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the photograph, px."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, px."""
        height, width = self.shape
        scale = min(1.0, SIDE / max(height, width, 1))
        return max(round(width * scale), 1), max(round(height * scale), 1)

    @property
    def data(self) -> str:
        """The small photograph as an address that holds all of it."""
        import cv2

        small = cv2.resize(np.ascontiguousarray(self.image[..., ::-1]), self.size, interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
        return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode()}"

    def text(self) -> str:
        """Nothing: a text has no pictures."""
        return ""


@dataclass(frozen=True)
class Bar:
    """Shares of a whole: name, count and colour of each."""

    shares: Sequence[tuple[str, int, str]]
    kind = "bar"

    def text(self) -> str:
        """The counts in a line."""
        return ", ".join(f"{name}: {count}" for name, count, _ in self.shares)


@dataclass(frozen=True)
class Table:
    """The first of ``count`` rows under ``columns``; ``colors``: of each row, where its level has one."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    count: int
    colors: Sequence[str] = ()
    kind = "table"

    def __post_init__(self):
        object.__setattr__(self, "rows", list(islice(self.rows, MOST)))

    @property
    def shown(self) -> list[tuple[list[str], str]]:
        """The cells of the first rows in words, and the colour of each row."""
        colors = [*self.colors[:MOST], *[""] * MOST]
        return [(list(map(brief, row)), color) for row, color in zip(self.rows, colors, strict=False)]

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it holds numbers."""
        first = next(iter(self.rows), [""] * len(self.columns))
        return [not isinstance(value, str) or NUMBER.fullmatch(value) is not None for value in first]

    @property
    def more(self) -> str:
        """How many rows are not shown, in words."""
        left = self.count - len(self.shown)
        return f"and {left} more" if left > 0 else ""

    def text(self) -> str:
        """The table in columns."""
        lines = [list(self.columns), *(cells for cells, _ in self.shown)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        told = []
        for line in lines:
            places = zip(line, widths, self.numeric, strict=True)
            told.append("  ".join(f"{cell:{'>' if right else '<'}{width}}" for cell, width, right in places).rstrip())
        return "\n".join([*told, *([self.more] if self.more else [])])


@dataclass(frozen=True)
class Words:
    """Lines of text; of very many the first."""

    lines: Sequence[str]
    kind = "words"

    def text(self) -> str:
        """The lines, one below the other."""
        left = len(self.lines) - LINES
        return "\n".join([*self.lines[:LINES], *([f"and {left} more lines"] if left > 0 else [])])


Part = Picture | Bar | Table | Words


class Shown:
    """A result that shows itself: ``repr`` is a line, ``str`` some lines, and notebooks draw ``_repr_html_``."""

    def _title(self) -> str:
        """What matters first, in a line."""
        raise NotImplementedError(f"{type(self).__name__} is Shown, and must say its _title().")

    def _parts(self) -> Iterable[Part]:
        """What matters next."""
        raise NotImplementedError(f"{type(self).__name__} is Shown, and must say its _parts().")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._title()})"

    def __str__(self) -> str:
        told = (part.text() for part in self._parts())
        return "\n".join([self._title(), *(text for text in told if text)])

    def _repr_html_(self) -> str:
        return _page().render(kind=type(self).__name__, title=self._title(), parts=list(self._parts()))


class Told(Shown):
    """A result with a ``__str__`` of its own, whose first line says what matters first."""

    def _title(self) -> str:
        return str(self).partition("\n")[0].rstrip(":")

    def _parts(self) -> Iterable[Part]:
        lines = str(self).splitlines()[1:]
        return [Words(lines)] if lines else []


class Record(Shown):
    """A dataclass of few values: each by its name; of arrays the shape is told."""

    def _title(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._values())

    def _parts(self) -> Iterable[Part]:
        values = list(self._values())
        return [Table(("field", "value"), values, len(values))]

    def __str__(self) -> str:
        line = repr(self)
        if len(line) <= 2 * LONG:
            return line
        return "\n".join([type(self).__name__, *(f"  {name}: {value}" for name, value in self._values())])

    def _repr_html_(self) -> str:
        return _page().render(kind=type(self).__name__, title="", parts=list(self._parts()))

    def _values(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):  # pyright: ignore[reportArgumentType]  # whoever is a record is a dataclass
            yield field.name, brief(getattr(self, field.name))


def brief(value: Any) -> str:
    """A value in few characters: numbers to four places, of arrays type and shape, of long things their length."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    if isinstance(value, Tensor | np.ndarray):
        return _array(value)
    text = " ".join(repr(value).split()) if _plain(value) else ""
    if text and len(text) <= LONG:
        return text
    size = f" of {len(value)}" if isinstance(value, Sized) else ""
    return f"{type(value).__name__}{size}"


def _array(value: Tensor | np.ndarray) -> str:
    """Up to four numbers as they are; of more type and shape."""
    shape = tuple(value.shape)
    if len(shape) <= 1 and 0 < math.prod(shape) <= 4:
        listed = value.reshape(-1).tolist()
        return " ".join(map(brief, listed))
    return f"{str(value.dtype).removeprefix('torch.')} {'×'.join(map(str, shape)) or 'scalar'}"


def _plain(value: Any) -> bool:
    """Whether a value is plain and small, so that all of it may be written down."""
    if isinstance(value, Mapping):
        return len(value) <= SOME and all(map(_plain, [*value, *value.values()]))
    if isinstance(value, tuple | list):
        return len(value) <= SOME and all(map(_plain, value))
    return value is None or isinstance(value, str | int | float | np.number)


@cache
def _page() -> "Template":
    from jinja2 import Environment

    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(PAGE)
