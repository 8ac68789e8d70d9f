"""The HTML of a report: one self-contained page, its pieces as text with every name escaped."""

import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from anatomy import Trace
from surgery import Edit

from ..canvas.palette import level_color
from .sheets import Thumbnail

PACKAGES = ("detector-workbench", "torch", "ultralytics", "matplotlib", "polars", "numpy")
COLUMNS = {  # of the table in the page: heading -> column of the DataFrame, decimals
    "image": ("image", None),
    "detection": ("detection", 0),
    "class": ("class_name", None),
    "confidence": ("confidence", 3),
    "level": ("level_name", None),
    "row": ("row", 0),
    "col": ("col", 0),
    "anchor": ("anchor", 0),
    "x1": ("x1", 1),
    "y1": ("y1", 1),
    "x2": ("x2", 1),
    "y2": ("y2", 1),
    "suppressed": ("suppressed", 0),
}
SOURCES = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def table_row(number: int, row: Mapping) -> str:
    """One row of the table of detections; ``number`` is the image's, ``row`` one of the DataFrame's."""
    cells = []
    for column, decimals in COLUMNS.values():
        value = row[column]
        if column == "image":
            cells.append(f'<td class="name"><a href="#image-{number}">{escape(value)}</a></td>')
        elif column == "level_name":
            cells.append(f"<td>{_level(value)}</td>")
        elif decimals is None:
            cells.append(f'<td class="name">{escape(value)}</td>')
        else:
            cells.append(f'<td class="number">{value:.{decimals}f}</td>')
    return f"<tr>{''.join(cells)}</tr>\n"


def image_section(number: int, name: str, path: str, trace: Trace, names: Iterable[str], thumbnails, formats) -> str:
    """What the page shows of one image; ``names`` are those of its figures' files, below ``images/<name>/``."""
    found, (height, width) = trace.detections, trace.image.shape[:2]
    tally = Counter(found.level_name)
    counts = " ".join(_level(level.name, f"{level.name}: {tally[level.name]}") for level in trace.levels)
    words = " ".join([name, *sorted({*found.class_name, *found.level_name})])
    grid = "{1} × {0}".format(*trace.input_shape)
    main = [_figure(name, entry, formats) for entry in thumbnails if entry.sheet.main]
    more = [_figure(name, entry, formats) for entry in thumbnails if not entry.sheet.main]
    folded = f'<details><summary>{len(more)} more figures</summary><div class="more">{"".join(more)}</div></details>'
    links = " · ".join(
        f"{escape(figure)} {' '.join(_link(name, figure, ending, ending) for ending in formats)}" for figure in names
    )
    return (
        f'<article id="image-{number}" data-words="{escape(words)}"><h3>{escape(name)} '
        f"<small>{width} × {height} px, network input {grid} px; {escape(Path(path).name)}</small></h3>"
        f'<p class="counts"><span>{_count(len(found), "detection")}</span>{counts}</p>'
        f'<div class="main">{"".join(main)}</div>{folded if more else ""}'
        f'<p class="files">Files: {links}</p></article>\n'
    )


def opening(title: str, facts: Mapping[str, str], note: str, first: Trace, tally: Counter, edits, more: str) -> str:
    """The page up to the rows of its table: what was done, counts of each level and class, the edits."""
    heads = "".join(
        f'<th scope="col"{"" if decimals is None else " class=number"}><button type="button">{head}</button></th>'
        for head, (_, decimals) in COLUMNS.items()
    )
    told = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    warn = f'<p class="warn" role="status">{escape(note)}</p>' if note else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{SOURCES}">'
        f"<title>{escape(title)}</title><style>{_read('report.css')}</style></head>\n<body><h1>{escape(title)}</h1>"
        f'<p class="soft">Which pyramid level, and which cell of it, made every detection.</p>{warn}'
        f'<div class="columns"><section><h2>What was looked at</h2><dl>{told}</dl></section>'
        f"<section><h2>Detections by class and level</h2>{_by_level(first, tally)}</section></div>"
        f"<h2>Edits of the class rows</h2>{_edits(first, edits)}"
        '<h2>Detections</h2><div class="search"><input type="search" id="search" aria-label="Search rows and images" '
        'placeholder="Search: image, class, level"><output id="shown" class="soft"></output></div>'
        f'<p class="soft">{escape(more)} In full, with every column: <a href="detections.csv">detections.csv</a>, '
        '<a href="detections.parquet">detections.parquet</a>. Boxes are in px of the original image; click a heading '
        'to sort.</p><div class="scroll" tabindex="0" role="region" aria-label="Table of detections">'
        f'<table class="sortable" id="detections"><thead><tr>{heads}</tr></thead><tbody>\n'
    )


def between() -> str:
    """What stands between the rows of the table and the images."""
    return "</tbody></table></div>\n<h2>Images</h2>\n"


def closing() -> str:
    """The end of the page, with the script that sorts and searches."""
    return f"<script>{_read('report.js')}</script></body></html>\n"


def made_with() -> str:
    """The date, and the versions of what made the report."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, {', '.join(found)}"


def _by_level(first: Trace, tally: Counter) -> str:
    """Classes by levels, most frequent class first; ``tally`` counts (class name, level name)."""
    levels = [level.name for level in first.levels]
    totals = Counter()
    for (name, _), count in tally.items():
        totals[name] += count
    if not totals:
        return "<p>None: no detection in any image.</p>"
    heads = ["<th scope=col><button type=button>class</button></th>"]
    heads += [f"<th scope=col class=number><button type=button>{_level(name)}</button></th>" for name in levels]
    heads += ["<th scope=col class=number><button type=button>all</button></th>"]
    rows = [
        f'<tr><td class="name">{escape(name)}</td>'
        + "".join(f'<td class="number">{tally[name, level]}</td>' for level in levels)
        + f'<td class="number">{count}</td></tr>'
        for name, count in totals.most_common()
    ]
    sums = [sum(tally[name, level] for name in totals) for level in levels]
    foot = "".join(f'<td class="number">{count}</td>' for count in (*sums, sum(sums)))
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody><tfoot><tr><td>all</td>{foot}</tr></tfoot></table></div>"
    )


def _edits(first: Trace, edits: tuple[Edit, ...] | None) -> str:
    if edits is None:
        return "<p>Not recorded: this report was not given the model. Pass <code>model=model</code>.</p>"
    if not edits:
        return "<p>None: the class rows are as they were when the model was opened.</p>"
    lines = []
    for edit in edits:
        levels = ", ".join(first.levels[index].name for index in edit.levels)
        chosen = [first.names[index] for index in edit.classes]
        told = f"{', '.join(chosen[:8])}{f' and {len(chosen) - 8} more' if len(chosen) > 8 else ''}"
        values = ", ".join(f"{key} = {_shorten(value)}" for key, value in edit.parameters.items())
        parts = [f"on {levels}", *([f"classes {told}"] if chosen else []), *([values] if values else [])]
        lines.append(f"<li><code>{escape(edit.operation)}</code> {escape('; '.join(parts))}</li>")
    return (
        f"<ol>{''.join(lines)}</ol><p class=soft>The same as a recipe: <a href=recipe.json>recipe.json</a>, for "
        "<code>surgery.apply(model, surgery.read_recipe(path))</code>.</p>"
    )


def _figure(name: str, entry: Thumbnail, formats) -> str:
    text = escape(entry.sheet.text)
    size = f'width="{entry.width}" height="{entry.height}"'
    image = f'<img src="{entry.source}" {size} loading="lazy" decoding="async" alt="{text}">'
    full = formats[0] if "png" not in formats else "png"
    return f"<figure>{_link(name, entry.sheet.name, full, image)}<figcaption>{text}</figcaption></figure>"


def _link(name: str, figure: str, ending: str, content: str) -> str:
    return f'<a href="images/{quote(name)}/{quote(figure)}.{ending}">{content}</a>'


def _level(name: str, text: str = "") -> str:
    return f'<span class="level" style="--c:{level_color(name)}">{escape(text or name)}</span>'


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _shorten(value) -> str:
    text = str(value)
    return text if len(text) < 120 else text[:117] + "…"


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
