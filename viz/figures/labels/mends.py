"""Boxes as they are written and as they are meant, on the photographs that show it best."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from diagnosis import CODES
from diagnosis.labels import Mend, Preview
from diagnosis.labels.words import several

from ...canvas.frame import corners
from ...canvas.labels import Label, write_labels
from ...canvas.layout import fit
from ...canvas.legend import foot, retitle
from ...canvas.photo import outline
from ...canvas.style import Picture
from .gallery import gallery, hang, lines_of, short, wrapped

WRITTEN, MEANT = "#E8112D", "#00C2A8"  # neither is the colour of a level
DASHES = (0, (3, 1.5))
SAME = 0.5  # px by which a box must differ to be drawn as written too


def draw_mends(previews: Sequence[Preview], names: Mapping[int, str], most: int, width: float | None) -> Picture:
    """A panel a photograph; at most ``most`` names of classes that change on each, large boxes first."""
    figure, axes = gallery([preview.size for preview in previews], width)
    for ax, preview in zip(axes, previews, strict=True):
        hang(ax, preview.pixels)
        ax.set_title(short(preview.image.name))
    notes = wrapped([*(_words(mend, names) for mend in _once(previews)), *_off(previews)], figure)
    handles = [Line2D([], [], color=MEANT, linewidth=1.4, label="as it would be")]
    if any(_moved(preview).any() for preview in previews):
        handles.insert(0, Line2D([], [], color=WRITTEN, linewidth=1.2, linestyle=DASHES, label="as written"))
    legend = foot(figure, handles, notes)
    fit(figure, lines_of(axes))
    left_out = sum(_draw(ax, preview, names, most) for ax, preview in zip(axes, previews, strict=True))
    if left_out:
        retitle(figure, legend, [*notes, f"No room for {left_out} names."])
        fit(figure, lines_of(axes))
    return figure


def _draw(ax: Axes, preview: Preview, names: Mapping[int, str], most: int) -> int:
    """Draw the boxes of one photograph; returns how many names found no room."""
    written, meant = preview.written, preview.meant
    before = corners(written.xyxy[_moved(preview)])
    outline(ax, before, "white", width=1.3, halo=False, gid="ground")  # dashes are seen on any photograph
    outline(ax, before, WRITTEN, width=1.3, style=DASHES, gid="written")
    outline(ax, corners(meant.xyxy), MEANT, width=1.3, gid="meant")
    if not _same(preview):
        return 0
    renamed = np.flatnonzero(written.class_id != meant.class_id)
    area = (meant.xyxy[renamed, 2:] - meant.xyxy[renamed, :2]).prod(1)
    chosen = renamed[np.argsort(-area, kind="stable")].tolist()
    labels = [Label(_renamed(preview, i, names), meant.xyxy[i], MEANT) for i in chosen[:most]]
    return write_labels(ax, labels, np.empty((0, 4))) + len(chosen[most:])


def _same(preview: Preview) -> bool:
    """Whether written and meant are the same objects."""
    return len(preview.written.class_id) == len(preview.meant.class_id) and not preview.mend.pairing


def _moved(preview: Preview) -> np.ndarray:
    """Which boxes (n,) are drawn as written too."""
    written, meant = preview.written, preview.meant
    if not _same(preview):
        return np.ones(len(written.class_id), bool)
    return np.abs(written.xyxy - meant.xyxy).max(1, initial=0) > SAME


def _renamed(preview: Preview, i: int, names: Mapping[int, str]) -> str:
    was, now = int(preview.written.class_id[i]), int(preview.meant.class_id[i])
    return f"was {short(names.get(was, str(was)), 24)} → is {short(names.get(now, str(now)), 24)}"


def _once(previews: Sequence[Preview]) -> list[Mend]:
    """The mends that are shown, each once."""
    return list({id(preview.mend): preview.mend for preview in previews}.values())


def _words(mend: Mend, names: Mapping[int, str]) -> str:
    """What a mend is about, by its codes and in words, and how many files it mends."""
    reading = mend.reading.codes
    told = [f"{' + '.join(reading)}: {mend.reading}"] if reading else []
    for own in dict.fromkeys(mend.by_class.values()):
        ids = [one for one, theirs in mend.by_class.items() if theirs == own]
        told.append(
            f"{' + '.join(own.codes) or 'no change'}, {several([names.get(one, str(one)) for one in ids])} alone: {own}"
        )
    told += [f"{code}: {CODES.get(code, code)}" for code in mend.codes if code not in mend.reading_codes]
    where = f" of {mend.split}" if mend.split else ""
    asked = f"; only if asked for: {', '.join(mend.doubtful)}" if mend.doubtful else ""
    return f"{'; '.join(told)} ({len(mend.images)} files{where}{asked})"


def _off(previews: Sequence[Preview]) -> list[str]:
    """That some boxes cannot be seen as they are written, or nothing."""
    total = sum(len(preview.written.class_id) for preview in previews)
    off = sum(_beyond(preview) for preview in previews)
    return [f"{off} of {total} boxes lie off their photograph as written."] if off else []


def _beyond(preview: Preview) -> int:
    boxes = preview.written.xyxy
    inside = (boxes[:, :2] < preview.size).all(1) & (boxes[:, 2:] > 0).all(1)
    return int((~inside).sum())
