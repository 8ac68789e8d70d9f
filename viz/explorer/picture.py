"""One figure whose artists stay and are updated in place, so that an edit is seen while the slider moves."""

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from anatomy import Trace

from ..canvas.cell_values import readings
from ..canvas.frame import cell_boxes, cell_edges, corners, outlines
from ..canvas.palette import MISSING, ink, level_color
from .facts import index_of
from .state import Explorer

DPI = 100
FACES = {  # gid: line width, line style, order
    "gone": (1.0, (0, (1, 1.5)), 3),
    "rivals": (0.8, (0, (4, 3)), 4),
    "halo": (2.6, "-", 5),
    "boxes": (1.6, "-", 6),
    "cells": (1.0, "-", 7),
    "chosen halo": (5.0, "-", 8),
    "chosen": (3.0, "-", 9),
    "cell halo": (3.2, "-", 10),
    "cell": (1.6, "-", 11),
}
FONT = 8.0  # points
MOST_LABELS = 24
LEVELS_LOGIT = (-10.0, 4.0)  # logits that the heat's colours reach from and to, wider where the network says more


class LivePicture:
    """The image with heat, boxes and labels of an ``Explorer``; ``update()`` moves the artists and draws nothing.

    ``size`` is the room in px of the screen; the figure keeps the image's proportions in it, as far as it can.
    """

    def __init__(self, explorer: Explorer, size: tuple[int, int] = (570, 540)):
        self.explorer = explorer
        image = explorer.before.image
        height, width = image.shape[:2]
        scale = min(size[0] / width, size[1] / height)
        self.size = max(round(width * scale), 120), max(round(height * scale), 120)  # px
        self.figure = Figure(figsize=(self.size[0] / DPI, self.size[1] / DPI), dpi=DPI)
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set_axis_off()
        smaller = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        everywhere = {"extent": (0, width, height, 0), "interpolation": "nearest", "aspect": "auto"}
        self._colour, self._dim = smaller, _dimmed(smaller)
        self.photo = self.ax.imshow(self._dim, gid="photograph", **everywhere)
        self.heat = self.ax.imshow(np.zeros((1, 1, 4), np.uint8), gid="heat", **everywhere)
        self.ax.set(xlim=(0, width), ylim=(height, 0))
        self.faces = {gid: self._collection(gid, *look) for gid, look in FACES.items()}
        self.labels = [self._label() for _ in range(MOST_LABELS)]
        self._limits: dict = {}
        self.update()

    def update(self) -> None:
        """Show the explorer as it is now."""
        self._show_heat()
        self._show_boxes()
        self._show_labels()

    def limits(self) -> tuple[float, float]:
        """The values at both ends of the heat's colours: fixed while the focus is, so that an edit can be seen."""
        if self.explorer.what != "logit":
            return 0.0, 1.0
        focus = self.explorer.levels, self.explorer.class_id
        if focus not in self._limits:
            heat = np.concatenate([level.ravel() for level in self._values(self.explorer.before)])
            heat = heat[np.isfinite(heat)]
            most = max(float(heat.max(initial=LEVELS_LOGIT[1])), LEVELS_LOGIT[1])
            self._limits[focus] = LEVELS_LOGIT[0], most
        return self._limits[focus]

    def _values(self, trace: Trace) -> list[np.ndarray]:
        explorer = self.explorer
        if explorer.what == "objectness":
            heat = readings(trace, None, "objectness")[0].heat
        else:
            chosen = None if explorer.class_id is None else [explorer.class_id]
            heat = readings(trace, chosen, explorer.what)[0].heat
        return [heat[level] for level in explorer.levels]

    def _show_heat(self) -> None:
        explorer, trace = self.explorer, self.explorer.trace
        shown = explorer.what != "nothing"
        self.heat.set_visible(shown)
        self.photo.set_data(self._dim if shown else self._colour)
        if shown:
            low, high = self.limits()
            self.heat.set_data(_coloured(_finest(self._values(trace), trace, explorer.levels), low, high))
            x, y = cell_edges(trace, explorer.levels[0])
            self.heat.set_extent((x[0], x[-1], y[-1], y[0]))
            height, width = trace.image.shape[:2]
            self.ax.set(xlim=(0, width), ylim=(height, 0))

    def _show_boxes(self) -> None:
        trace, before = self.explorer.trace, self.explorer.before
        found, chosen = trace.detections, index_of(trace, self.explorer.anchor)
        boxes, colors = outlines(trace), [level_color(name) for name in found.level_name]
        self._put("halo", boxes, "white")
        self._put("boxes", boxes, colors)
        self._put("cells", corners(cell_boxes(trace, found.level, found.row, found.col)), colors)
        gone = np.flatnonzero(~np.isin(before.detections.anchor, found.anchor))
        self._put("gone", outlines(before)[gone], [level_color(before.detections.level_name[i]) for i in gone])
        rivals = None if chosen is None else found.suppressed[chosen]
        names = [] if rivals is None else [trace.levels[level].name for level in rivals.level]
        self._put("rivals", corners([] if rivals is None else rivals.xyxy), [level_color(name) for name in names])
        here = boxes[[] if chosen is None else [chosen]]
        self._put("chosen halo", here, "black")
        self._put("chosen", here, [] if chosen is None else [colors[chosen]])
        cell, color = self._cell()
        self._put("cell halo", cell, "black")
        self._put("cell", cell, color)

    def _cell(self) -> tuple[np.ndarray, str | list]:
        """The selected cell, a detection or not: its corners, drawn no smaller than 9 px of the screen, and colour."""
        trace, anchor = self.explorer.trace, self.explorer.anchor
        if anchor is None:
            return np.empty((0, 4, 2)), []
        place = trace.places([anchor])
        box = cell_boxes(trace, place.level, place.row, place.col)[0]
        centre, least = (box[:2] + box[2:]) / 2, 9 * trace.image.shape[1] / self.size[0]
        half = np.maximum((box[2:] - box[:2]) / 2, least / 2)
        return corners(np.concatenate((centre - half, centre + half))), level_color(trace.levels[place.level[0]].name)

    def _show_labels(self) -> None:
        """Number, class and confidence above each box where there is room: the chosen one first, then the surest."""
        trace = self.explorer.trace
        found, chosen = trace.detections, index_of(trace, self.explorer.anchor)
        order = sorted(range(len(found)), key=lambda i: (i != chosen, -found.confidence[i]))
        taken, free = [], iter(self.labels)
        per_px = trace.image.shape[1] / self.size[0], trace.image.shape[0] / self.size[1]
        for i in order[: 4 * MOST_LABELS]:
            text = f"{found.class_name[i]} {found.confidence[i]:.2f}"
            width, height = (0.62 * FONT * len(text) + 4) * DPI / 72 * per_px[0], 1.6 * FONT * DPI / 72 * per_px[1]
            x = min(max(float(found.xyxy[i, 0]), 0), max(trace.image.shape[1] - width, 0))
            y = max(float(found.xyxy[i, 1]), height)
            if any(x < b[2] and b[0] < x + width and y - height < b[3] and b[1] < y for b in taken):
                continue
            label = next(free, None)
            if label is None:
                break
            taken.append((x, y - height, x + width, y))
            color = level_color(found.level_name[i])
            label.set(text=text, position=(x, y), color=ink(color), visible=True)
            label.set_bbox({"facecolor": color, "edgecolor": "none", "pad": 1.5, "alpha": 0.92})
            label.set_fontweight("bold" if i == chosen else "normal")
        for label in free:
            label.set_visible(False)

    def _put(self, gid: str, shapes, colors) -> None:
        self.faces[gid].set_verts(shapes)
        self.faces[gid].set_edgecolor(colors if len(shapes) else "none")

    def _collection(self, gid: str, width: float, style, order: int) -> PolyCollection:
        faces = PolyCollection([], facecolors="none", linewidths=width, linestyles=style, zorder=order, gid=gid)
        if gid == "halo":
            faces.set_alpha(0.5)
        self.ax.add_collection(faces, autolim=False)
        return faces

    def _label(self) -> Text:
        looks = {"fontsize": FONT, "zorder": 20, "clip_on": True, "parse_math": False, "usetex": False}
        text = self.ax.text(0, 0, "", va="bottom", ha="left", gid="label", **looks)
        text.set_in_layout(False)
        return text


def _finest(heats: list[np.ndarray], trace: Trace, levels) -> np.ndarray:
    """The largest value of several levels at every cell of the finest of them; NaN where one of them is NaN."""
    rows, cols = (np.arange(count) for count in trace.shapes[levels[0]])
    points = trace.pyramid.points_at(levels[0], *np.meshgrid(rows, cols, indexing="ij"))
    result = heats[0]
    for heat, level in zip(heats[1:], levels[1:], strict=True):
        result = np.maximum(result, heat[trace.pyramid.at(level, points)])
    return result


def _coloured(heat: np.ndarray, low: float, high: float) -> np.ndarray:
    """(h, w) values as (h, w, 4) uint8 RGBA: the weaker, the clearer; NaN grey."""
    missing = np.isnan(heat)
    at = np.nan_to_num((heat - low) / (high - low), nan=0.0).clip(0, 1)
    rgba = PALETTE[(at * 255).astype(np.uint8)]
    rgba[missing] = (*(round(255 * part) for part in to_rgb(MISSING)), 230)
    return rgba


def _palette() -> np.ndarray:
    colors = (colormaps["magma"](np.linspace(0, 1, 256)) * 255).round().astype(np.uint8)
    colors[:, 3] = (255 * (0.1 + 0.8 * np.linspace(0, 1, 256) ** 0.5)).round()
    return colors


def _dimmed(image: np.ndarray) -> np.ndarray:
    """The image in dim grey, as a ground for the heat's colours."""
    grey = image @ np.array([0.299, 0.587, 0.114])
    return np.repeat((30 + 0.55 * grey)[..., None], 3, 2).astype(np.uint8)


PALETTE = _palette()
